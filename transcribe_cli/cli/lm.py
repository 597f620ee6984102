"""`transcribe lm`: build, measure, mix, prune, store, train and tune language models."""

import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..errors import InputError, MissingExtra, OptionError
from ..evaluate.tune import Point, TuneOptions
from ..lm import arpa, binary, files, interpolate, layout, prune, recipe
from ..lm.build import BuildOptions
from ..lm.build import build as build_model
from ..lm.model import LOG_10, LanguageModel, unit_of
from ..lm.ngrams import close
from ..outputs import check_target
from ..training.language_options import PunctuationTraining, RescorerOptions
from .flags import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Build, measure, mix, prune, store and tune language models, and train what punctuates."""


ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="ARPA (plain or compressed) or KenLM binary.")]
TextArguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT…", help="Text files, plain or .gz, .bz2, .xz; - or none for standard input."),
]
OutputFlag = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; .bin for a KenLM binary, else ARPA.")
]
BinaryFlag = Annotated[bool, typer.Option("--binary", help="Write a KenLM binary whatever the name says.")]
BitsFlag = Annotated[
    int, typer.Option("--bits", help="Bits of a quantised value in a binary; 0 keeps floats.", min=0, max=25)
]
NormaliseFlag = Annotated[
    bool,
    typer.Option(
        "--normalise/--as-is",
        help="Write text as it is said (lower case, numbers in words), or take words as they stand, a sentence a line.",
    ),
]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@app.command(no_args_is_help=True)
@takes_options(BuildOptions)
def build(
    corpus: TextArguments = None,
    *,
    output: OutputFlag,
    as_binary: BinaryFlag = False,
    bits: BitsFlag = 8,
    normalise: NormaliseFlag = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
    build_options: BuildOptions,
) -> None:
    """Estimate a model from text: interpolated modified Kneser-Ney."""
    started = time.perf_counter()
    check_target(output, overwrite=True, inputs=[Path(one) for one in corpus or ()])
    built = build_model(files.sentences(corpus or ["-"], normalise), build_options)
    files.save(built.model, output, as_binary, bits)
    if quiet:
        return
    for order in built.fallback_orders:
        _say(f"the text is too small or too regular to estimate the discounts of {order}-grams: took 0.5, 1 and 1.5")
    kinds = "characters" if build_options.unit == "char" else "words"
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6)
    _say(
        f"{output}: {built.n_tokens} {kinds} in {built.n_sentences} sentences, {built.n_words} different; "
        f"n-grams {_plus(built.model.sizes)}; {time.perf_counter() - started:.1f} s, {megabytes:.0f} MB of memory"
    )


@app.command(no_args_is_help=True)
def score(model: ModelArgument, text: TextArguments = None, *, normalise: NormaliseFlag = True) -> None:
    """Print the log10 probability of each sentence, how many of its words are unknown, and the sentence."""
    known = LanguageModel.load(model)
    for sentence in files.sentences(text or ["-"], normalise):
        unknown = sum(unit not in known.kenlm for unit in known.units(sentence))
        print(f"{known.score(sentence) / LOG_10:.4f}\t{unknown}\t{sentence}")


@app.command(no_args_is_help=True)
def perplexity(model: ModelArgument, text: TextArguments = None, *, normalise: NormaliseFlag = True) -> None:
    """Print how surprising a text is to a model: perplexity with and without unknown words, and their share."""
    known = LanguageModel.load(model)
    total = total_known = 0.0
    n_words = n_unknown = n_sentences = 0
    for sentence in files.sentences(text or ["-"], normalise):
        for log10, _, unknown in known.kenlm.full_scores(" ".join(known.units(sentence))):
            total += log10
            total_known += 0.0 if unknown else log10
            n_unknown += unknown
            n_words += 1
        n_words -= 1  # the end of the sentence
        n_sentences += 1
    if not n_words:
        raise OptionError("there are no words in the text")
    n_scored = n_words + n_sentences
    print(f"perplexity\t{10 ** (-total / n_scored):.2f}")
    print(f"without unknown words\t{10 ** (-total_known / max(1, n_scored - n_unknown)):.2f}")
    print(f"unknown words\t{n_unknown} of {n_words} ({100 * n_unknown / n_words:.2f} %)")
    print(f"sentences\t{n_sentences}")


@app.command(no_args_is_help=True)
def info(model: ModelArgument) -> None:
    """Print what a model file is: its kind, order, n-grams of each order, size."""
    if layout.is_binary(model):
        header = layout.read_header(model)
        kind, sizes = f"KenLM binary, {layout.KINDS[header.kind]}", header.sizes
    else:
        kind, sizes = "ARPA", arpa.read_sizes(model)
    known = LanguageModel.load(model)
    print(f"kind\t{kind}\nunit\t{known.unit}\norder\t{len(sizes)}")
    for n, size in enumerate(sizes, 1):
        print(f"{n}-grams\t{size}")
    print(f"bytes\t{model.stat().st_size}")


@app.command(no_args_is_help=True)
def vocab(
    model: ModelArgument,
    scores: Annotated[bool, typer.Option("--scores", help="With log10 probabilities, likeliest first.")] = False,
) -> None:
    """Print the words of a model, one a line."""
    known = LanguageModel.load(model)
    if not scores:
        sys.stdout.writelines(word + "\n" for word in sorted(known.words))
        return
    rated = sorted((-known.kenlm.score(word, bos=False, eos=False), word) for word in known.words)
    sys.stdout.writelines(f"{-cost:.4f}\t{word}\n" for cost, word in rated)


@app.command("interpolate", no_args_is_help=True)
def interpolate_models(
    models: Annotated[list[Path], typer.Argument(metavar="A B…", help="Two models or more.")],
    *,
    output: OutputFlag,
    weight: Annotated[
        list[float] | None, typer.Option("--weight", help="A model's weight, given once a model in their order.")
    ] = None,
    tune_text: Annotated[
        list[str] | None, typer.Option("--tune", metavar="TEXT", help="Find the weights that suit this text.")
    ] = None,
    as_binary: BinaryFlag = False,
    bits: BitsFlag = 8,
    normalise: NormaliseFlag = True,
) -> None:
    """Mix models: the probability of a word is the weighted mean of what they say."""
    if len(models) < 2:
        raise OptionError("give two models or more to mix")
    if (weight is None) == (tune_text is None):
        raise OptionError("give --weight for each model, or --tune with a text that the mixture should suit")
    if weight is not None and len(weight) != len(models):
        raise OptionError(f"{len(models)} models and {len(weight)} weights: give --weight once for each model")
    check_target(output, overwrite=True)
    loaded = [files.load(path) for path in models]
    if len({unit_of(model.words) for model in loaded}) > 1:
        raise OptionError("models of words and models of characters cannot be mixed: build both with the same --unit")
    if tune_text is not None:
        weight = interpolate.find_weights(loaded, list(files.sentences(tune_text, normalise))).tolist()
        _say("weights: " + ", ".join(f"{path} {w:.4f}" for path, w in zip(models, weight, strict=True)))
    files.save(interpolate.mix(loaded, weight or []), output, as_binary, bits)


@app.command("prune", no_args_is_help=True)
def prune_model(
    model: ModelArgument,
    *,
    output: OutputFlag,
    entropy: Annotated[
        float | None,
        typer.Option(help="Drop n-grams whose loss raises perplexity by less than this share.", min=0),
    ] = None,
    max_ngrams: Annotated[int | None, typer.Option(help="Drop the cheapest until so many are left.", min=1)] = None,
    order: Annotated[int | None, typer.Option(help="Drop longer n-grams.", min=1)] = None,
    as_binary: BinaryFlag = False,
    bits: BitsFlag = 8,
) -> None:
    """Make a model smaller at the least loss (relative entropy)."""
    if entropy is None and max_ngrams is None and order is None:
        raise OptionError("give --entropy, --max-ngrams or --order: how much to drop")
    check_target(output, overwrite=True)
    small = files.load(model)
    before = small.sizes
    if order is not None:
        small = prune.shorten(small, order)
    if entropy is not None:
        small = prune.prune(small, entropy)
    if max_ngrams is not None:
        small = close(small)
        small = prune.prune_to(small, max_ngrams, prune.costs(small))
    files.save(small, output, as_binary, bits)
    _say(f"{output}: n-grams {_plus(before)} → {_plus(small.sizes)}")


def _plus(sizes: tuple[int, ...]) -> str:
    return " + ".join(map(str, sizes))


@app.command("binary", no_args_is_help=True)
def binary_model(
    model: ModelArgument,
    *,
    output: OutputFlag,
    bits: BitsFlag = 8,
    compressed: Annotated[bool, typer.Option("--compressed/--plain-pointers", help="Smaller, or faster.")] = True,
) -> None:
    """Store a model as a KenLM binary, which loads in milliseconds."""
    check_target(output, overwrite=True)
    binary.write(files.load(model), output, bits, compressed)
    _say(f"{output}: {output.stat().st_size} bytes")


@app.command("recipe", no_args_is_help=True)
def build_recipe(
    file: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML; configs/lm.toml shows every key.")],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder with text/ and the manifests.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where lm.bin and lm.json go.")],
    unit: Annotated[str | None, typer.Option(help="word or char, in place of the recipe's.")] = None,
    order: Annotated[int | None, typer.Option(help="Longest n-gram, in place of the recipe's.", min=1, max=6)] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Size of the file, in place of the recipe's.", min=1)] = None,
    max_words: Annotated[int | None, typer.Option(help="So many most frequent words at most.", min=1)] = None,
) -> None:
    """Build a model from many sources: one model each, mixed, pruned to a size, with a card."""
    steps = recipe.load(file)
    steps = replace(
        steps, unit=unit or steps.unit, order=order or steps.order, max_bytes=max_bytes or steps.max_bytes,
        max_words=max_words or steps.max_words,
    )  # fmt: skip
    recipe.build(steps, data, output, _say)


@app.command("rescorer", no_args_is_help=True)
@takes_options(RescorerOptions)
def train_rescorer(
    file: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML, as for `transcribe lm recipe`.")],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder with text/ and the manifests.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where rescorer.onnx and rescorer.json go.")
    ],
    rescorer_options: RescorerOptions,
) -> None:
    """Train a small neural model on a recipe's text; started again, it goes on where it was stopped."""
    steps = recipe.load(file)
    try:
        from ..training import language
    except ImportError as error:
        raise MissingExtra("training", error.name or "torch", "train") from error
    language.train(steps, data, output, rescorer_options, _say)


@app.command("punctuation", no_args_is_help=True)
@takes_options(PunctuationTraining)
def train_punctuation(
    file: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML; configs/punctuation.toml shows every key.")],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder with text/.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where punctuation.onnx and punctuation.json go.")
    ],
    speech: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Transcripts with timed words (--format jsonl): what pauses are like."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pt", help="State before the run was lengthened; the mean with it is written."),
    ] = None,
    punctuation_training: PunctuationTraining,
) -> None:
    """Train a model that punctuates on text as people write it; started again, it goes on where it was stopped."""
    steps = recipe.load(file)
    try:
        from ..training import punctuation
    except ImportError as error:
        raise MissingExtra("training", error.name or "torch", "train") from error
    punctuation.train(steps, data, output, punctuation_training, _say, speech, start)


@app.command(no_args_is_help=True)
@takes_options(TuneOptions)
def tune(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Recordings with texts; never a test set.")],
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="Acoustic model: a name or a folder.")] = "en",
    lm: Annotated[Path | None, typer.Option("--lm", metavar="FILE", help="In place of the model's own.")] = None,
    rows: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Keep log-probabilities here; if it is there, the network does not run."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw a heat map (extra `plot`).")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; 0: one a core.", min=0)] = 0,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Write the best weights into the model's card.")
    ] = False,
    tune_options: TuneOptions,
) -> None:
    """Find the language-model weight and word bonus with the fewest word errors."""
    from ..audio.manifest import read_manifest
    from ..bundle.store import find
    from ..decoding import Sounding
    from ..evaluate import tune as search
    from ..pipeline import ModelOptions, Options, Recogniser

    if write_card and lm is not None:
        raise OptionError("--write-card with --lm: the card's weights belong to its own language model")
    bundle = find(model)
    lm_path, rescorer = lm or bundle.language_model_path, bundle.rescorer_path if lm is None else None
    if lm_path is None:
        raise OptionError(f"the model {model} has no language model: give one with --lm")
    points = search.grid(tune_options)
    with tempfile.TemporaryDirectory(prefix="transcribe-lm-") as folder:
        kept, lines = rows or Path(folder) / "rows.npz", read_manifest(manifest)
        if kept.exists() and search.load(kept).origin != search.origin(bundle, lines):
            raise InputError(
                f"{kept}: log-probabilities of another model or other lines; delete it, or name another file"
            )
        if not kept.exists():
            options = Options(model=ModelOptions(model=model, no_lm=True))
            with Recogniser(options) as recogniser:
                computed = search.compute_rows(
                    lines, recogniser, lambda id, why: _say(f"transcribe: {id}: left out: {why}")
                )
            search.save(computed, kept)
        sounding = Sounding.of(bundle.card.sounds, bundle.lexicon_path)
        jobs = jobs or os.cpu_count() or 1
        found = search.sweep(kept, bundle.card.alphabet, lm_path, points, jobs, sounding=sounding, rescorer=rescorer)
    top = search.best(found)
    _show(found, top)
    if picture is not None:
        search.plot(found, picture)
    if write_card:
        search.write_card(bundle.folder, top.weights)
        w = top.weights
        _say(f"{bundle.folder / 'card.json'}: α {w.lm_weight:g}, β {w.word_bonus:g}, T {w.temperature:g}")


def _show(points: list[Point], top: Point) -> None:
    """The grid as a table, the best row marked."""
    sources = sorted(top.counts)
    table = Table(title="word errors, %", title_justify="left")
    names = sources if len(sources) > 1 else []
    for name in ("α", "β", "T", "beam", "floor", "prune", "unknown", "neural", "all", *names, "× real time"):
        table.add_column(name, justify="right")
    for point in points:
        w, rates = point.weights, [point.words]
        rates += [point.counts[source] for source in names]
        cells = [f"{w.lm_weight:g}", f"{w.word_bonus:g}", f"{w.temperature:g}", f"{w.beam_width}"]
        cells += [
            f"{w.token_min_logp:g}",
            f"{w.beam_prune_logp:g}",
            f"{w.unknown_penalty:g}",
            f"{w.rescorer_weight:g}",
            *(f"{100 * counts.rate:.2f}" for counts in rates),
        ]
        cells.append(f"{point.audio_seconds / max(point.seconds, 1e-9):.0f}")
        table.add_row(*cells, style="bold" if point is top else None)
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140, highlight=False).print(table)
