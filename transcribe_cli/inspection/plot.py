"""A picture of a recording: its waveform, what the model is shown of it, and what the model makes of that.

Three panels over one axis of time: the waveform with the words, the mel spectrogram, and the log-probability of every
token in every row of the network's output, with the aligned characters on the tokens where they were emitted.
"""

import io
import itertools
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import audio, emission, features
from ..alignment.forced import AlignedWord, TextWord, align_text
from ..alignment.script import as_written, read_aloud
from ..audio.options import AudioOptions
from ..bundle.card import Card
from ..errors import AudioError, InputError, MissingExtra, OptionError
from ..outputs import write_atomically
from ..pipeline import ModelOptions, Options, Recogniser

Floats = NDArray[np.float32]

LONGEST_SECONDS = 60.0
INCHES_A_SECOND, NARROWEST, WIDEST = 1.6, 10.0, 48.0
LETTERS_FROM = 1.1  # inches a second; in less, letters would lie on each other
FAINT = -8.0  # log-probability from which a cell is not black; e⁻⁸ is one in three thousand
KINDS = (".png", ".svg", ".pdf")
log = logging.getLogger("transcribe_cli.inspection")


def check_picture(target: Path) -> None:
    """Raises OptionError where a name is none of a picture, MissingExtra without matplotlib."""
    if target.suffix.lower() not in KINDS:
        raise OptionError(f"{target}: a picture's name ends in {', '.join(KINDS)}")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtra("drawing a picture", "matplotlib", "plot") from error


def draw(path: str | Path, target: Path, options: AudioOptions, model: str, text: str | None = None) -> None:
    """Draws the first minute of what `options` ask for into `target` (png, svg or pdf).

    text: what is said, where it is known; otherwise what the recogniser hears.
    Raises what `check_picture` and reading the recording raise.
    """
    check_picture(target)
    from matplotlib.figure import Figure

    with Recogniser(Options(model=ModelOptions(model=model), audio=options)) as recogniser:
        card = recogniser.bundle.card
        samples = _first(path, card, options)
        rows = np.concatenate(list(emission.rows([samples], recogniser.network, recogniser.options.windows)))
        rows = card.letters(rows)
        words = _words(samples, rows, recogniser, text)
    seconds = len(samples) / card.sample_rate
    inches = min(max(INCHES_A_SECOND * seconds, NARROWEST), WIDEST)
    figure = Figure(figsize=(inches, 9.0), layout="constrained")
    wave, mel, heat = figure.subplots(3, 1, sharex=True, height_ratios=(1.0, 1.3, 2.2))
    begin = options.start
    title = f"{audio_name(path)} – model {card.id}" + ("" if text is None else ", text given")
    figure.suptitle(_plain(title), x=0.01, ha="left", fontsize=11)
    _draw_wave(wave, samples, words, begin, card)
    _draw_mel(mel, samples, begin, card)
    image = _draw_heat(heat, rows, words, begin, card, inches / seconds >= LETTERS_FROM)
    figure.colorbar(image, ax=heat, label="log-probability", pad=0.005, aspect=30, fraction=0.02)
    heat.set_xlabel("seconds")
    heat.set_xlim(begin, begin + seconds)
    with io.BytesIO() as file:
        figure.savefig(file, format=target.suffix[1:].lower(), dpi=110)
        write_atomically(target, file.getvalue())


def audio_name(path: str | Path) -> str:
    """The file's own name, printable whatever bytes it holds."""
    return Path(path).name.encode("utf-8", "replace").decode()


def _first(path: str | Path, card: Card, options: AudioOptions) -> Floats:
    blocks, n, most = [], 0, int(LONGEST_SECONDS * card.sample_rate)
    for block in audio.stream(path, card.sample_rate, options):
        blocks.append(block)
        n += len(block)
        if n > most:
            log.warning("%s: the first %g s are drawn; choose others with --start", path, LONGEST_SECONDS)
            break
    samples = np.concatenate(blocks)[:most]
    if len(samples) < card.sample_rate // 10:
        raise AudioError(f"{path}: {len(samples) / card.sample_rate:.3f} s are too short for a picture")
    return samples


def _words(samples: Floats, rows: Floats, recogniser: Recogniser, text: str | None) -> list[AlignedWord]:
    """Words with their units, in seconds from the first sample."""
    card = recogniser.bundle.card
    if text is None:
        heard = recogniser.transcribe(samples).words
        told = align_text(
            [(rows, 0.0)], [TextWord(w.text, w.text) for w in heard], card.alphabet, card.output.frame_seconds
        )
    else:
        script = read_aloud(text.splitlines(), card.alphabet, card.language)
        if not script.n_letters:
            raise InputError("--text: holds no word that the model can spell")
        aligned = align_text([(rows, 0.0)], script.words, card.alphabet, card.output.frame_seconds)
        told = as_written(aligned, script)
    return [one for one in told if isinstance(one, AlignedWord) and one.supported]


def _draw_wave(axes: Any, samples: Floats, words: list[AlignedWord], begin: float, card: Card) -> None:
    # lowest and highest sample of each of a few thousand columns: what a line through all samples would look like
    step = max(1, len(samples) // 4000)
    whole = len(samples) // step * step
    parts = samples[:whole].reshape(-1, step)
    times = begin + (np.arange(len(parts)) + 0.5) * step / card.sample_rate
    top = max(float(np.abs(samples).max()), 1e-4)
    axes.fill_between(times, parts.min(axis=1), parts.max(axis=1), color="#2b6cb0", linewidth=0.3, edgecolor="#2b6cb0")
    axes.set_ylim(-1.1 * top, 1.75 * top)
    axes.set_yticks([-top, 0.0, top], [f"{-top:.2g}", "0", f"{top:.2g}"])
    axes.set_ylabel("waveform")
    for k, one in enumerate(words):
        left, right = begin + one.word.start_seconds, begin + one.word.end_seconds
        axes.axvspan(left, right, color="#dd6b20" if k % 2 else "#718096", alpha=0.16, linewidth=0)
        axes.text((left + right) / 2, (1.45, 1.2)[k % 2] * top, _plain(one.word.text), ha="center", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_mel(axes: Any, samples: Floats, begin: float, card: Card) -> None:
    recipe = card.features if card.features.kind != "waveform" else features.FeatureRecipe()
    raw = features.frames(samples, recipe)
    level = (10 if recipe.log == "log10" else 10 / math.log(10)) * raw
    high = float(level.max())
    extent = (begin, begin + len(raw) * recipe.hop_seconds, -0.5, recipe.bands - 0.5)
    axes.imshow(
        level.T, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=high - 80, vmax=high,
        interpolation="nearest",
    )  # fmt: skip
    centres = features.mel_filters(recipe).argmax(axis=0) * recipe.sample_rate / recipe.fft
    marks = [hz for hz in (250, 500, 1000, 2000, 4000, 8000) if hz <= centres[-1]]
    axes.set_yticks([int(np.abs(centres - hz).argmin()) for hz in marks], [f"{hz / 1000:g}" for hz in marks])
    axes.set_ylabel("mel bands, kHz")


def _draw_heat(axes: Any, rows: Floats, words: list[AlignedWord], begin: float, card: Card, letters: bool) -> Any:
    alphabet, frame = card.alphabet, card.output.frame_seconds
    # blank and boundary at the bottom, then the alphabet's own order upwards
    order = [alphabet.blank, *(i for i in range(len(alphabet)) if i != alphabet.blank)]
    place = {token: k for k, token in enumerate(order)}
    names = {alphabet.blank: "blank", alphabet.boundary_id: "space"}
    extent = (begin, begin + len(rows) * frame, -0.5, len(order) - 0.5)
    image = axes.imshow(
        np.maximum(rows[:, order], FAINT).T, origin="lower", aspect="auto", extent=extent, cmap="viridis",
        vmin=FAINT, vmax=0, interpolation="nearest",
    )  # fmt: skip
    if len(order) <= 60:
        axes.set_yticks(range(len(order)), [_plain(names.get(i, alphabet.tokens[i])) for i in order], fontsize=7)
    axes.set_ylabel("tokens")
    axes.set_ylim(-0.5, len(order) + 1.5)
    axes.set_facecolor("white")
    index = {token: i for i, token in enumerate(alphabet.tokens) if i != alphabet.blank}
    for one in words:
        units = [(begin + (u.start_seconds + u.end_seconds) / 2, place[index[u.text]], u.text) for u in one.units]
        for (x, y, _), (x2, y2, _) in itertools.pairwise(units):
            axes.plot((x, x2), (y, y2), color="white", linewidth=0.6, alpha=0.55)
        for x, y, token in units:
            if letters:
                axes.text(x, len(order) + 0.1, _plain(token), ha="center", fontsize=8)
            axes.plot(x, y, "o", markersize=5, markerfacecolor="none", markeredgecolor="#ff5a36", markeredgewidth=1.1)
    axes.spines[["top", "right"]].set_visible(False)
    return image


def _plain(text: str) -> str:
    """Text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")
