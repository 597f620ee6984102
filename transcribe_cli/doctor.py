"""Is this installation well? Versions, model, processor, providers and a second of speech through the whole way.

Every check gives a `Finding`; what is broken says how it is mended. Nothing is changed and nothing leaves the machine.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import __version__
from .bundle import store
from .bundle.providers import look
from .bundle.session import RuntimeOptions, usable_cores
from .errors import TranscribeError
from .pipeline import ModelOptions, Options, Recogniser

GOOD, NOTE, BROKEN = "good", "note", "broken"
NEEDED = ("numpy", "onnxruntime", "soundfile", "soxr", "typer", "rich", "ufal-kenlm")
EXTRAS = {  # extra → (module that tells whether it is there, what it adds)
    "media": ("av", "m4a, mp4, webm, mkv and the sound of any video"),
    "fast": ("ctc_beam_decoder", "a beam search in C++ for letters alone (`--no-lm`), about twice as fast"),
    "evaluate": ("whisper_normalizer", "Whisper's text normaliser for `transcribe evaluate`"),
    "plot": ("matplotlib", "pictures: `transcribe inspect --plot`"),
    "gpu": ("", "NVIDIA GPUs through CUDA"),
    "ray": ("ray", "batches over a cluster: `--engine ray`"),
    "train": ("torch", "training, fine-tuning and export of models"),
}
TEST_SECONDS = 8.0  # of sound for the self-test: about a second's work where things are slow


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
        except Exception as error:  # whatever a broken installation throws is what is looked for
            reason = f"{type(error).__name__}: {error}"
            yield Finding(topic, BROKEN, " ".join(reason.split())[:200], "install the package again")


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
    there = ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)
    yield Finding("packages", GOOD, there)
    # named, not imported: which room may use them is another matter than whether they can be loaded
    importlib.import_module("kenlm")
    soundfile = importlib.import_module("soundfile")
    yield Finding("packages", GOOD, f"libsndfile {soundfile.__libsndfile_version__} opens, kenlm opens")


def _processor() -> Iterator[Finding]:
    name, flags = processor()
    known = [shown for flag, shown in FLAGS.items() if flag in flags]
    what = f"{name or platform.machine()}, {usable_cores()} of {os.cpu_count()} cores usable"
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


def _providers(model: str) -> Iterator[Finding]:
    found = look(store.find(model))
    yield Finding("providers", GOOD, f"in use: {_short(found.in_use)}; offered: {_short(found.available)}")
    if found.cause is not None:
        what = f"{'CUDA is offered and falls back to the CPU' if found.broken else 'no CUDA'}: {found.cause}"
        yield Finding("providers", BROKEN if found.broken else NOTE, what, found.cure or "")


def _self_test(model: str) -> Iterator[Finding]:
    begun = time.perf_counter()
    options = Options(model=ModelOptions(model=model), runtime=RuntimeOptions())
    with Recogniser(options) as recogniser:
        loaded = time.perf_counter() - begun
        rate = recogniser.bundle.card.sample_rate
        noise = np.random.default_rng(0).normal(scale=0.02, size=int(TEST_SECONDS * rate)).astype(np.float32)
        recogniser.transcribe(noise[: rate // 2])  # the first run makes plans
        begun = time.perf_counter()
        recogniser.transcribe(noise)
        spent = time.perf_counter() - begun
        network = recogniser.network
        where = f"{network.device}, {network.threads} threads"
    yield Finding(
        "self-test",
        GOOD,
        f"loaded in {loaded:.2f} s; {TEST_SECONDS:.0f} s of sound in {spent:.2f} s on {where}: "
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
