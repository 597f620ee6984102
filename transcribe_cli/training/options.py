"""Everything that a training run can be told, as frozen dataclasses read from a TOML file.

Each table of the file is one dataclass; a key that is not a field is refused. `{name}` in a path is replaced by the key
`name` of the table [paths], so that a config names no machine's folders: `--set paths.data=/corpora/mine`.
"""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..options import check, option


@dataclass(frozen=True, slots=True)
class AugmentOptions:
    """How training speech is changed: for each kind the probability a utterance gets it, and the range drawn from."""

    speed: float = option(0.6, "probability of another speed (pitch and pace)", minimum=0, maximum=1)
    speed_range: tuple[float, float] = option((0.9, 1.1), "speed factors")
    tempo: float = option(0.0, "probability of another pace at the same pitch", minimum=0, maximum=1)
    tempo_range: tuple[float, float] = option((0.85, 1.2), "tempo factors")
    pitch: float = option(0.0, "probability of another pitch at the same pace", minimum=0, maximum=1)
    pitch_semitones: tuple[float, float] = option((-2.5, 2.5), "semitones")
    shift: float = option(0.0, "probability of more silence before or after", minimum=0, maximum=1)
    shift_seconds: tuple[float, float] = option((-0.4, 0.4), "silence in front, or where negative behind")
    reverb: float = option(0.35, "probability of a simulated room", minimum=0, maximum=1)
    reverb_seconds: tuple[float, float] = option((0.12, 0.7), "time in which the room's sound falls by 60 dB")
    reverb_direct_db: tuple[float, float] = option((-2.0, 14.0), "direct sound over reverberation, dB")
    noise: float = option(0.6, "probability of added noise", minimum=0, maximum=1)
    noise_snr_db: tuple[float, float] = option((5.0, 30.0), "speech over noise, dB")
    noise_colour: tuple[float, float] = option((0.0, 2.0), "0 white, 1 pink, 2 brown")
    babble_share: float = option(0.35, "share of the noises that are other voices", minimum=0, maximum=1)
    noise_folder: str = option("", "recordings of noise: half of the noises that are no voices, else coloured")
    room_folder: str = option("", "impulse responses to draw from, in place of simulated rooms")
    volume: float = option(0.7, "probability of another level", minimum=0, maximum=1)
    volume_db: tuple[float, float] = option((-18.0, 6.0), "gain, dB")
    clipping: float = option(0.05, "probability of an overdriven microphone", minimum=0, maximum=1)
    clipping_share: tuple[float, float] = option((0.1, 0.6), "share of the peak cut off")
    telephone: float = option(0.15, "probability of a telephone line", minimum=0, maximum=1)
    telephone_high_hz: tuple[float, float] = option((2800.0, 3900.0), "upper edge of the line's band, Hz")
    codec: float = option(0.0, "probability of the Opus codec", minimum=0, maximum=1)
    codec_kilobits: tuple[float, float] = option((6.0, 24.0), "its rate, kbit/s")

    def __post_init__(self) -> None:
        check(self)


VARIANTS = ("clean", "augmented", "either", "noisy", "wordless")


def kind_of(variant: str) -> str:
    """What sort of variant it is, whichever of them: "augmented" of "augmented-2"."""
    return variant.partition("-")[0]


@dataclass(frozen=True, slots=True)
class DataSet:
    """One set of manifests. variants: what of each utterance is used, each as an utterance of its own."""

    manifest: str = option("", "path or pattern of JSONL manifests")
    variants: tuple[str, ...] = option(
        ("clean",),
        "clean: as it is; augmented, augmented-2, …: a random variant; either: the one or the other; "
        "noisy, noisy-2, …: a random variant in loud noise; "
        "wordless, wordless-2, …: in its place a sound as long without speech, where nothing is to be written",
    )
    share: float = option(0.0, "part of an epoch's hours, in any unit; 0 for all sets: as large as they are", minimum=0)

    def __post_init__(self) -> None:
        check(self)
        for variant in self.variants:
            if kind_of(variant) not in VARIANTS:
                raise OptionError(f"there is no variant {variant!r}: choose among {', '.join(VARIANTS)} (or …-2, …-3)")


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What a run learns from and is measured on."""

    train: tuple[DataSet, ...] = option((), "training sets")
    dev: tuple[DataSet, ...] = option((), "sets the run is measured on")
    cache: str = option(
        "", "folder of cached encoder output, filled by `transcribe prepare --cache`; empty: from audio"
    )
    shard: int = option(128, "utterances a cache shard", minimum=1)
    max_seconds: float = option(24.0, "longer utterances are left out", minimum=0.5, maximum=30)
    seed: int = option(1, "seed of the augmentation", minimum=0)
    noise_db: float = option(
        0.0, "mel features have steady noise turned down by up to so much, in training and in the model's card; 0: not",
        minimum=0, maximum=40,
    )  # fmt: skip
    units: str = option("char", "what the model writes", choices=("char", "phoneme", "syllable", "word", "bpe"))
    units_size: int = option(500, "most units of a word or bpe inventory", minimum=30)
    auxiliary_units: str = option("phoneme", "what an auxiliary head writes", choices=("char", "phoneme", "syllable"))

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The network's shape."""

    encoder: str = option("whisper-tiny.en", "whisper-tiny.en, whisper-base, moonshine-tiny, hama, or conv")
    encoder_file: str = option("", "the encoder's .npz, made by `python -m transcribe_cli.training.extract`")
    merge: int = option(
        1, "neighbouring frames of a pretrained encoder averaged to one in front of a block", minimum=1, maximum=4
    )
    merge_before: int = option(0, "the block in front of which frames are merged; 0: the first", minimum=0)
    stack: int = option(2, "encoder frames joined to one recurrent step", minimum=1, maximum=8)
    rows: int = option(2, "output rows a recurrent step", minimum=1, maximum=8)
    norm: bool = option(False, "normalise the encoder's frames once more before the recurrent layers")
    cell: str = option("lstm", "recurrent cell", choices=("lstm", "gru"))
    layers: int = option(2, "recurrent layers", minimum=1, maximum=12)
    units: int = option(320, "units a layer and direction", minimum=8)
    bidirectional: bool = option(True, "whether layers also run backwards")
    residual: int = option(
        0, "recurrent layers from this one on add to what they read, at first nothing; 0: none", minimum=0, maximum=12
    )
    dropout: float = option(0.2, "dropout between layers", minimum=0, maximum=0.9)
    conv_strides: tuple[int, ...] = option((2, 2), "conv: strides of the convolutions in front", minimum=1, maximum=4)
    conv_width: int = option(256, "conv: channels", minimum=8)
    encoder_layers: int = option(0, "blocks of a pretrained encoder that are used; 0: all", minimum=0)
    mixture: bool = option(False, "a learned weighted mean of the encoder's blocks in place of the last")
    encoder_rate: float = option(0.0, "encoder's learning rate over the head's; 0: frozen", minimum=0, maximum=1)
    frozen_blocks: int = option(
        0, "with an encoder that is trained: its first blocks, which stay as they are and can be cached", minimum=0
    )
    encoder_decay: float = option(0.8, "learning rate of an encoder block over the next one's", minimum=0, maximum=1)
    auxiliary_layer: int = option(0, "recurrent layer that also feeds an auxiliary CTC head; 0: none", minimum=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """The optimisation."""

    epochs: int = option(10, "epochs", minimum=1)
    epoch_hours: float = option(0.0, "hours of speech an epoch; 0: all there is, once", minimum=0)
    minutes: float = option(
        0.0, "time to train: the learning rate follows the clock and the run ends; 0: epochs", minimum=0
    )
    dev_limit: int = option(
        0, "utterances a dev source measured after an epoch, the last measures all; 0: all", minimum=0
    )
    batch_seconds: float = option(140.0, "speech a batch, padding included", minimum=1)
    rate: float = option(2e-3, "highest learning rate", minimum=0)
    final_rate: float = option(2e-5, "learning rate at the end", minimum=0)
    warmup_steps: int = option(200, "steps of linear warm-up", minimum=0)
    weight_decay: float = option(1e-2, "AdamW's decoupled weight decay", minimum=0)
    clip: float = option(2.0, "largest norm of a step's gradient", minimum=0)
    time_masks: int = option(2, "stretches of frames hidden an utterance (at most one each 2 s)", minimum=0)
    time_mask_seconds: float = option(0.4, "longest hidden stretch", minimum=0)
    feature_masks: int = option(2, "bands of features hidden an utterance", minimum=0)
    feature_mask_share: float = option(0.1, "widest hidden band, as a share of the features", minimum=0, maximum=1)
    checkpoint_minutes: float = option(5.0, "minutes between checkpoints within an epoch", minimum=0)
    average: int = option(3, "epochs' weights averaged at the end", minimum=1)
    patience: int = option(0, "stop after that many epochs without a better CER; 0 never", minimum=0)
    threads: int = option(2, "CPU threads", minimum=1)
    seed: int = option(1, "seed of weights, order and masks", minimum=0)
    sorted_first: bool = option(False, "first epoch from short utterances to long ones (SortaGrad)")
    auxiliary_weight: float = option(0.3, "part of an auxiliary head's loss", minimum=0, maximum=1)
    consistency: float = option(
        0.0, "weight of the agreement of two views of each utterance, hidden in other places; 0: one view", minimum=0
    )
    teacher: str = option("", "bundle whose log-probabilities are learned too; needs training from audio")
    teacher_weight: float = option(0.5, "part of the teacher's loss", minimum=0, maximum=1)
    bfloat16: bool = option(False, "mixed precision; faster only where the processor has it, or on CUDA")
    device: str = option("cpu", "cpu, cuda or auto")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """A whole config."""

    name: str = option("model", "the model's name in its card")
    language: str = option("en", "language code in the card")
    data: DataOptions = DataOptions()
    augment: AugmentOptions = AugmentOptions()
    network: NetworkOptions = NetworkOptions()
    loop: LoopOptions = LoopOptions()
    card: dict[str, Any] = field(default_factory=dict)  # further keys of the card: trained_on, licences, …


def load(path: Path, overrides: tuple[str, ...] = ()) -> RunOptions:
    """A TOML config, with `table.key=value` overrides, → RunOptions.

    Raises OptionError on an unreadable file, an unknown key, or a value of the wrong kind.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: the config cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: not TOML: {error}") from error
    for override in overrides:
        _override(data, override)
    paths = {key: str(value) for key, value in data.pop("paths", {}).items()}
    options: RunOptions = _build(RunOptions, _fill(data, paths, str(path)), str(path))
    return options


def to_dict(options: RunOptions) -> dict[str, Any]:
    """Plain values, as stored in checkpoints and caches."""
    return dataclasses.asdict(options)


def from_dict(data: dict[str, Any], where: str) -> RunOptions:
    """The inverse of `to_dict`. Raises OptionError naming `where`."""
    options: RunOptions = _build(RunOptions, data, where)
    return options


def _override(data: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise OptionError(f"--set {text}: write it as table.key=value")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value  # a bare word is text
    *tables, last = key.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise OptionError(f"--set {text}: {table} is not a table")
    data[last] = parsed


def _fill(value: Any, paths: dict[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one, paths, where) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, paths, where) for one in value]
    if isinstance(value, str) and "{" in value:
        try:
            return value.format(**paths)
        except (KeyError, IndexError, ValueError) as error:
            raise OptionError(f"{where}: {value!r} uses a path that [paths] lacks ({error})") from error
    return value


def _build(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise OptionError(f"{where}: expected a table")
    hints = typing.get_type_hints(kind)
    unknown = [key for key in data if key not in hints]
    if unknown:
        raise OptionError(f"{where}: unknown key {unknown[0]!r}; known here: {', '.join(hints)}")
    return kind(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in data.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _value(typing.get_args(hint)[0], value, where)
    if origin is tuple:
        inner = typing.get_args(hint)
        if not isinstance(value, (list, tuple)):
            raise OptionError(f"{where} must be a list")
        if inner[-1] is not Ellipsis and len(inner) != len(value):
            raise OptionError(f"{where} must be a list of {len(inner)}")
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_value(kind, one, where) for kind, one in zip(kinds, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wanted = dict if origin is dict else hint
    if not isinstance(value, wanted) or (wanted in (int, float) and isinstance(value, bool)):
        raise OptionError(f"{where} must be {wanted.__name__}, not {value!r}")
    return value
