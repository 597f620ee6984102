"""What onnxruntime can run on here, and whether it does: a provider that is listed may still fall back to the CPU.

onnxruntime says only on its own log why a provider could not be used; the causes below are looked for one by one.
"""

import ctypes
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from .store import Bundle

CUDA = "CUDAExecutionProvider"
DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
# what the CUDA provider of onnxruntime 1.19 and later is linked with
LIBRARIES = ("libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcufft.so.11", "libcurand.so.10")
CUDNN = "libcudnn.so.9"


@dataclass(frozen=True, slots=True)
class Providers:
    """available: what this onnxruntime was built with; in_use: what a session of a model really runs on, in order of
    preference; installed: its distributions with versions; cause, cure: why CUDA is not in use and what to do, None
    where it is; broken: CUDA is offered and fails."""

    available: tuple[str, ...]
    in_use: tuple[str, ...]
    installed: tuple[str, ...]
    cause: str | None
    cure: str | None
    broken: bool


def look(bundle: Bundle) -> Providers:
    """Opens the model with every provider that could run it. Raises ModelError where it cannot be loaded at all."""
    import onnxruntime

    from .session import open_graph

    available = tuple(onnxruntime.get_available_providers())
    wanted = [name for name in (CUDA, "CPUExecutionProvider") if name in available]
    in_use = tuple(open_graph(bundle.graph_path, wanted or ["CPUExecutionProvider"], 1).get_providers())
    installed = tuple(f"{name} {version}" for name in DISTRIBUTIONS if (version := _version(name)))
    if CUDA in in_use:
        return Providers(available, in_use, installed, None, None, False)
    cause, cure = why_not_cuda(CUDA in available, installed)
    return Providers(available, in_use, installed, cause, cure, CUDA in available)


def why_not_cuda(offered: bool, installed: tuple[str, ...]) -> tuple[str, str]:
    """The cause and the cure. offered: onnxruntime lists the CUDA provider; installed: its distributions."""
    gpu = any(name.startswith("onnxruntime-gpu ") for name in installed)
    driver = _loads("libcuda.so.1") or _loads("nvcuda.dll")
    if not driver:
        cure = "install NVIDIA's driver" if gpu else "nothing, unless this machine has an NVIDIA GPU"
        if Path("/.dockerenv").exists() and gpu:
            cure += ", or start the container with --gpus all"
        return "no NVIDIA driver can be loaded (libcuda.so.1)", cure
    if not offered:
        if gpu and any(name.startswith("onnxruntime ") for name in installed):
            return (
                "onnxruntime and onnxruntime-gpu are both installed, and the CPU's files have replaced the GPU's",
                "pip uninstall onnxruntime onnxruntime-gpu, then pip install 'transcribe-cli[gpu]' and reinstall "
                "onnxruntime-gpu last",
            )
        return (
            "this onnxruntime is built for the CPU",
            "pip uninstall onnxruntime, then pip install 'transcribe-cli[gpu]'",
        )
    lost = [name for name in LIBRARIES if not _loads(name)]
    if lost:
        return (
            f"CUDA 12 is not complete: {', '.join(lost)} cannot be loaded",
            "pip install 'onnxruntime-gpu[cuda,cudnn]', or put CUDA 12's lib64 into LD_LIBRARY_PATH",
        )
    if not _loads(CUDNN):
        return (
            f"cuDNN 9 cannot be loaded ({CUDNN})",
            "pip install nvidia-cudnn-cu12, or put its folder into LD_LIBRARY_PATH",
        )
    return (
        "the provider was offered and refused the model, though its libraries can be loaded",
        "see that nvidia-smi lists a GPU with free memory, and that the driver is at least as new as CUDA 12 asks",
    )


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _loads(library: str) -> bool:
    """Whether the system's loader finds it, or one of NVIDIA's wheels brings it."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return any(folder.glob(f"*/lib/{library}") for folder in _wheels())
    return True


def _wheels() -> list[Path]:
    found = importlib.util.find_spec("nvidia")
    return [Path(folder) for folder in (found.submodule_search_locations or [])] if found is not None else []
