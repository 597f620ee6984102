"""Offline speech recognition: sound in, timed words out.

from transcribe_cli import Transcriber
print(Transcriber().transcribe("talk.wav").text)
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["Transcriber", "Transcript", "__version__"]

if TYPE_CHECKING:
    from .api import Transcriber
    from .transcript import Transcript


def __getattr__(name: str) -> object:
    # The public names are loaded when first asked for: `transcribe --help` must not pay for onnxruntime.
    if name == "Transcriber":
        from .api import Transcriber

        return Transcriber
    if name == "Transcript":
        from .transcript import Transcript

        return Transcript
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
