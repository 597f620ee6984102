"""Every error this package raises on purpose, in one tree.

    TranscribeError                 base; str() is one line that says what is wrong and what to try
    ├── InputError                  a recording, text or list that cannot be read
    │   ├── InputNotFound           also FileNotFoundError
    │   ├── AudioError              also ValueError: unreadable, damaged or senseless audio
    │   └── ManifestError           also ValueError: a broken manifest line
    ├── OutputError                 also OSError: a result that cannot be written
    ├── ModelError                  also ValueError: a bundle that is missing, damaged or contradicts itself
    │   └── ModelNotFound
    ├── LanguageModelError          also ValueError: a corrupt, empty or unfitting language model
    ├── HotwordError                also ValueError: a hotword that the alphabet cannot spell
    ├── OptionError                 also ValueError: an option, config key or value that makes no sense
    ├── DeviceError                 also RuntimeError: a device that was asked for and is not there
    ├── MissingExtra                also ImportError: an optional dependency that is not installed
    ├── CTCError                    also ValueError: a precondition of the CTC algebra does not hold
    └── TrainingError               also RuntimeError: training data or a run that cannot go on

Errors are raised where the fact is known, `from` their cause, and turned into a message and an exit code once, in
`cli/`. Leaves also inherit the standard library's twin, so that library users may catch either.
"""


class TranscribeError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one line that says what to try."""


class InputError(TranscribeError):
    """A recording, text or list that cannot be read."""


class InputNotFound(InputError, FileNotFoundError):
    """A path that does not exist."""

    # FileNotFoundError would print its arguments as "[Errno …]"
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class AudioError(InputError, ValueError):
    """Audio that cannot be decoded, is damaged, or has senseless dimensions."""


class ManifestError(InputError, ValueError):
    """A manifest line that is not what a manifest line must be."""


class OutputError(TranscribeError, OSError):
    """A result that cannot be written."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ModelError(TranscribeError, ValueError):
    """A model bundle that is missing a part, damaged, or contradicts itself."""


class ModelNotFound(ModelError):
    """No bundle of that name or at that path."""


class LanguageModelError(TranscribeError, ValueError):
    """A language model that is corrupt, empty, or does not fit the acoustic model."""


class HotwordError(TranscribeError, ValueError):
    """A hotword that the model's alphabet cannot spell."""


class OptionError(TranscribeError, ValueError):
    """An option, environment variable or config key with a name or value that makes no sense."""


class DeviceError(TranscribeError, RuntimeError):
    """A device that was asked for and cannot be used."""


class MissingExtra(TranscribeError, ImportError):
    """An optional dependency that is not installed.

    Args:
        purpose: what was about to be done, as the start of a sentence ("reading talk.mp4").
        package: the missing package's name.
        extra: the extra of this package that brings it.
    """

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'transcribe-cli[{extra}]'")
        self.package, self.extra = package, extra


class CTCError(TranscribeError, ValueError):
    """A precondition of the CTC algebra does not hold (rows that do not sum to one, a label out of range, …)."""


class TrainingError(TranscribeError, RuntimeError):
    """Training data that cannot be used, or a run that cannot go on."""
