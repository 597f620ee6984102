"""`transcribe augment-preview AUDIO --out FOLDER`: hear and see what a config's augmentation does."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtra

app = typer.Typer(add_completion=False, rich_markup_mode=None)

KINDS = ("speed", "tempo", "pitch", "shift", "reverb", "noise", "volume", "clipping", "telephone", "codec")


@app.command(name="augment-preview")
def augment_preview(
    audio: Annotated[Path, typer.Argument(help="a recording")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of WAVs and a picture")],
    config: Annotated[Path | None, typer.Option(help="TOML config whose [augment] is heard; else the defaults")] = None,
    variants: Annotated[
        int,
        typer.Option(
            help="random variants, as many in loud noise, as many sounds without speech, after each kind alone", min=0
        ),
    ] = 4,
    seed: Annotated[int, typer.Option(help="seed")] = 1,
) -> None:
    """Write WAVs of each kind of augmentation alone, of the variants that training hears, and a picture."""
    try:
        import numpy as np
        import soundfile

        from ..features import FeatureRecipe, frames
        from ..training import augment, cache, options, plot, wordless
        from ..training.manifest import Utterance
    except ImportError as error:
        raise MissingExtra("augmentation", error.name or "torch", "train") from error
    chosen = options.load(config).augment if config is not None else options.AugmentOptions()
    samples = cache.Reader()(Utterance(audio, ""))
    settings = dataclasses.asdict(chosen)
    off = settings | dict.fromkeys(KINDS, 0.0)
    plans = [(kind, options.AugmentOptions(**(off | {kind: 1.0}))) for kind in KINDS]
    for name, plan in (("variant", chosen), ("noisy", augment.noisy(chosen)), ("wordless", chosen)):
        plans += [(f"{name}-{i + 1}", plan) for i in range(variants)]
    out.mkdir(parents=True, exist_ok=True)
    pictures = [("clean", frames(samples, FeatureRecipe()))]
    for i, (name, plan) in enumerate(plans):
        rng = np.random.default_rng([seed, i])
        if options.kind_of(name) == "wordless":
            changed, done = wordless.sound(len(samples), cache.RATE, plan, rng)
        else:
            changed, done = augment.augment(samples, cache.RATE, plan, rng)
        soundfile.write(out / f"{name}.wav", changed, cache.RATE, subtype="PCM_16")
        pictures.append((name, frames(changed, FeatureRecipe())))
        print(f"{name}.wav  " + (", ".join(f"{key} {value:.3g}" for key, value in done.items()) or "as it is"))
    if not plot.spectrograms(pictures, out / "spectrograms.png"):
        print("no picture: it needs matplotlib (pip install 'transcribe-cli[plot]')", file=sys.stderr)
