"""`transcribe adapt`: teach a model your words from plain text."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ..adapt import Adaptation, AdaptOptions
from ..adapt import adapt as adapt_model
from ..audio.manifest import read_manifest
from ..bundle.store import DEFAULT, find
from ..decoding import Sounding
from ..evaluate import tune
from ..evaluate.edits import Counts
from ..pipeline import ModelOptions, Options, Recogniser
from .flags import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode=None)
SHOWN = 12  # words of a list that are printed; all of them stand in adaptation.json


@app.command(no_args_is_help=True)
@takes_options(AdaptOptions)
def adapt(
    notes: Annotated[list[Path], typer.Argument(metavar="NOTES…", help="Texts: .txt .md .srt .vtt .docx, or folders.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the new model.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Model to start from: a name or a folder.")] = DEFAULT,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your recordings with texts: measure before and after on them.")
    ] = None,
    canary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other recordings with texts, which must not get worse.")
    ] = None,
    adapt_options: AdaptOptions,
) -> None:
    """Teach a model your words from plain text; no recordings needed.

    \b
      transcribe adapt notes/ -o my-model
      transcribe talk.wav --model ./my-model

    The new folder is a model like any other. hotwords.txt in it proposes words for --hotwords-file.
    """
    for path in (manifest, canary):
        if path is not None:
            read_manifest(path)  # refuses what is none before the work
    made = adapt_model(notes, output, model, adapt_options, _say)
    _tell(made)
    for name, path in (("your recordings", manifest), ("the canary recordings", canary)):
        if path is not None:
            before, after = prove(path, model, output)
            _say(f"word errors on {name}: {100 * before.rate:.1f} % before, {100 * after.rate:.1f} % after")
            # a word or two, or one in a hundred, is chance
            if after.errors - before.errors > max(2, before.reference / 100):
                _say(f"  worse than before: try a smaller --weight than {made.weight:.2f}, or more text")
    place = output if output.is_absolute() else f"./{output}"
    _say(f"use it: transcribe talk.wav --model {place}")


def prove(manifest: Path, model: str, adapted: Path) -> tuple[Counts, Counts]:
    """Word errors on labelled recordings with the old and the new language model; the network runs once."""
    bundle = find(model)
    entry = bundle.card.language_model
    assert entry is not None
    assert bundle.language_model_path is not None
    weights = tune.standard(entry)
    sounding = Sounding.of(bundle.card.sounds, bundle.lexicon_path)
    with (
        tempfile.TemporaryDirectory(prefix="transcribe-adapt-") as folder,
        Recogniser(Options(model=ModelOptions(model=model, no_lm=True))) as recogniser,
    ):
        kept = Path(folder) / "rows.npz"
        failed = lambda id, why: _say(f"transcribe: {id}: left out: {why}")  # noqa: E731
        tune.save(tune.compute_rows(read_manifest(manifest), recogniser, failed), kept)
        before, after = (
            tune.sweep(kept, bundle.card.alphabet, path, [weights], sounding=sounding, rescorer=bundle.rescorer_path)[
                0
            ].words
            for path in (bundle.language_model_path, adapted / entry.file)
        )
    return before, after


def _tell(made: Adaptation) -> None:
    if made.new_words:
        _say(f"new words ({len(made.new_words)}): {_listed([word for word, _ in made.new_words])}")
    if made.texts.unspellable:
        lacking = [f"{word} ({letters})" for word, letters in made.texts.unspellable]
        _say(f"words that the model cannot spell ({len(lacking)}): {_listed(lacking)}")
    if made.texts.n_unreadable:
        _say(f"sentences left out, as they cannot be read aloud (addresses, code, …): {made.texts.n_unreadable}")
    if made.hotwords:
        _say(f"proposed hotwords: {_listed([word for word, _ in made.hotwords])}")
    if made.spellings:
        _say(f"written as in the texts by --punctuate: {_listed(list(made.spellings))}")
    general = made.report["perplexity_of_general_text"]
    _say(f"perplexity of general text: {general['before']:g} before, {general['after']:g} after")


def _listed(words: list[str]) -> str:
    return ", ".join(words[:SHOWN]) + (", …" if len(words) > SHOWN else "")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
