"""Is this installation well? Versions, model, processor, providers and a second of speech through the whole way.

Every check gives a `Finding`; what is broken says how it is mended. Nothing is changed and nothing leaves the machine.
Other libraries, and the rooms that load them, are imported within the checks: one that is broken is a finding too.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import __version__
from .errors import TranscribeError

DEFAULT = "en"  # as in `bundle.store`, which loads NumPy
GOOD, NOTE, BROKEN = "good", "note", "broken"
NEEDED = {  # distribution → module
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "typer": "typer",
    "rich": "rich",
    "ufal-kenlm": "kenlm",
}
ON_NUMPY = ("onnxruntime", "soundfile", "soxr")
EXTRAS = {  # extra → (module that tells whether it is there, what it adds)
    "media": ("av", "m4a, mp4, webm, mkv and the sound of any video"),
    "fast": ("ctc_beam_decoder", "a beam search in C++ for letters alone (`--no-lm`), about twice as fast"),
    "evaluate": ("whisper_normalizer", "Whisper's text normaliser for `transcribe evaluate`"),
    "figures": ("text_to_num", "numbers in figures: `--figures`"),
    "plot": ("matplotlib", "pictures: `transcribe inspect --plot`"),
    "gpu": ("", "NVIDIA GPUs through CUDA"),
    "ray": ("ray", "batches over a cluster: `--engine ray`"),
    "train": ("torch", "training, fine-tuning and export of models"),
}
TEST_SECONDS = 8.0  # of sound for the self-test: about a second's work where things are slow
TEST_RATE = 44100  # of its recording, which no model takes: it has to be resampled


@dataclass(frozen=True, slots=True)
class Finding:
    """state: good, note (worth knowing) or broken. cure: what to do, "" for nothing."""

    topic: str
    state: str
    what: str
    cure: str = ""


def examine(model: str, self_test: bool = True) -> Iterator[Finding]:
    """All checks one after the other; a check that fails is a finding, never an error."""
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("program", _program),
        ("packages", _packages),
        ("processor", _processor),
        ("models", lambda: _models(model)),
        ("providers", lambda: _providers(model)),
    ]
    if self_test:
        checks.append(("self-test", lambda: _self_test(model)))
    for topic, check in [*checks, ("extras", _extras)]:
        try:
            yield from check()
        except TranscribeError as error:
            yield Finding(topic, BROKEN, " ".join(str(error).split()), "install the package again, or see `models`")
        except ImportError as error:
            yield Finding(topic, BROKEN, _reason(error), "mend first what is broken of the packages")
        except Exception as error:  # whatever a broken installation throws is what is looked for
            yield Finding(topic, BROKEN, _reason(error), "install the package again")


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _program() -> Iterator[Finding]:
    libc = " ".join(platform.libc_ver()).strip()
    system = f"{platform.system()} {platform.machine()}{f', {libc}' if libc else ''}"
    yield Finding("program", GOOD, f"transcribe {__version__}, Python {platform.python_version()}, {system}")


def _packages() -> Iterator[Finding]:
    found = {name: _version(name) for name in NEEDED}
    # onnxruntime comes under other names too
    if found["onnxruntime"] is None and importlib.util.find_spec("onnxruntime") is not None:
        found["onnxruntime"] = _version("onnxruntime-gpu") or "of another build"
    lost = [name for name, version in found.items() if version is None]
    if lost:
        yield Finding("packages", BROKEN, f"not installed: {', '.join(lost)}", f"pip install {' '.join(lost)}")
    loaded = []
    for name in [name for name in found if name not in lost]:
        if name in ON_NUMPY and "numpy" not in sys.modules:  # its fault would be said of each of them again
            continue
        try:
            # by its name: which room may import it is another matter than whether it can be loaded
            module = importlib.import_module(NEEDED[name])
            inner = f" with libsndfile {module.__libsndfile_version__}" if name == "soundfile" else ""
            loaded.append(f"{name} {found[name]}{inner}")
        except Exception as error:  # a library of the system that lacks, or is too old
            what = f"{name} {found[name]} is installed and cannot be loaded: {_reason(error)}"
            yield Finding("packages", BROKEN, what, f"pip install --force-reinstall {name}")
    yield Finding("packages", GOOD, f"{', '.join(loaded) or 'none'} can be loaded")


def _processor() -> Iterator[Finding]:
    name, flags = processor()
    known = [shown for flag, shown in FLAGS.items() if flag in flags]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    what = f"{name or platform.machine()}, {usable} of {os.cpu_count()} cores usable"
    if flags:
        what += f", {', '.join(known) or 'none of AVX2, AVX-512, VNNI'}"
    yield Finding("processor", GOOD, what)
    if flags and "avx2" not in flags and platform.machine() in ("x86_64", "AMD64"):
        yield Finding("processor", NOTE, "no AVX2: the network will be several times slower", "use another processor")
    for name in ("OMP_NUM_THREADS", "ORT_NUM_THREADS"):
        if os.environ.get(name):
            yield Finding("processor", NOTE, f"${name} is {os.environ[name]}; the network's threads are --threads")


FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "asimd": "NEON",
    "asimddp": "dot product",
    "i8mm": "int8 matrices",
}


def processor() -> tuple[str, frozenset[str]]:
    """Name and flags as Linux tells them; ("", nothing) where it is not Linux or does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor(), frozenset()
    facts: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    return facts.get("model name", ""), frozenset((facts.get("flags") or facts.get("Features") or "").split())


def _models(model: str) -> Iterator[Finding]:
    from . import punctuation
    from .bundle import store

    chosen = store.find(model)
    found = [(name, str(folder)) for name, folder in store.names()]
    if str(chosen.folder) not in (folder for _, folder in found):
        found.insert(0, (model, model))
    for name, where in found:
        try:
            bundle = store.find(where)
        except TranscribeError as error:
            yield Finding("models", BROKEN, " ".join(str(error).split()), "copy or export this model again")
            continue
        checked = store.verify(bundle)
        damaged = [file for file, whole in checked.items() if not whole]
        if damaged:
            what = f"{name}: {', '.join(damaged)} is not what its card says ({bundle.folder})"
            yield Finding("models", BROKEN, what, "copy or export this model again")
        elif not checked:
            yield Finding("models", NOTE, f"{name} ({bundle.card.id}): its card has no checksums", "")
        else:
            yield Finding("models", GOOD, f"{name} ({bundle.card.id}): {len(checked)} files whole, {bundle.folder}")
    for language, path in punctuation.known().items():
        try:
            punctuation.Punctuator(path)
            yield Finding("models", GOOD, f"{language}: sentences (--punctuate), {path}")
        except TranscribeError as error:
            yield Finding("models", BROKEN, " ".join(str(error).split()), "copy or train this model again")


def _providers(model: str) -> Iterator[Finding]:
    from .bundle import store
    from .bundle.providers import look

    found = look(store.find(model))
    yield Finding("providers", GOOD, f"in use: {_short(found.in_use)}; offered: {_short(found.available)}")
    if found.cause is not None:
        what = f"{'CUDA is offered and falls back to the CPU' if found.broken else 'no CUDA'}: {found.cause}"
        yield Finding("providers", BROKEN if found.broken else NOTE, what, found.cure or "")


def _self_test(model: str) -> Iterator[Finding]:
    import numpy as np

    from .pipeline import ModelOptions, Options, Recogniser

    begun = time.perf_counter()
    with (
        Recogniser(Options(model=ModelOptions(model=model))) as recogniser,
        tempfile.TemporaryDirectory(prefix="transcribe-doctor-") as folder,
    ):
        loaded = time.perf_counter() - begun
        path = Path(folder) / "noise.wav"
        noise = np.random.default_rng(0).normal(scale=0.02 * 32768, size=int(TEST_SECONDS * TEST_RATE))
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, TEST_RATE, 0, "NONE", ""))
            file.writeframes(noise.astype("<i2").tobytes())
        recogniser.transcribe(np.zeros(recogniser.bundle.card.sample_rate // 2, np.float32))  # the first makes plans
        begun = time.perf_counter()
        heard = recogniser.transcribe(path).duration_seconds
        spent = time.perf_counter() - begun
        network = recogniser.network
        where = f"{network.device}, {network.threads} threads"
    if abs(heard - TEST_SECONDS) > 0.01:
        what = f"of a recording of {TEST_SECONDS:.0f} s, {heard:.2f} s were read"
        yield Finding("self-test", BROKEN, what, "pip install --force-reinstall soundfile soxr")
        return
    yield Finding(
        "self-test",
        GOOD,
        f"loaded in {loaded:.2f} s; a WAV of {TEST_SECONDS:.0f} s in {spent:.2f} s on {where}: "
        f"{TEST_SECONDS / spent:.0f} × real time (one window, so one thread)",
    )


def _extras() -> Iterator[Finding]:
    for extra, (module, adds) in EXTRAS.items():
        there = _version("onnxruntime-gpu") is not None if not module else importlib.util.find_spec(module) is not None
        if there:
            yield Finding("extras", GOOD, f"{extra}: {adds}")
        else:
            yield Finding("extras", NOTE, f"{extra} is not installed: {adds}", f"pip install 'transcribe-cli[{extra}]'")


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _short(providers: tuple[str, ...]) -> str:
    return ", ".join(name.removesuffix("ExecutionProvider") for name in providers) or "none"


def healthy(findings: list[Finding]) -> bool:
    """Whether nothing is broken."""
    return all(one.state != BROKEN for one in findings)
