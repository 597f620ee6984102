"""Pretrained speech encoders rebuilt in PyTorch: log-mel frames or samples in, hidden frames out.

`load(name, path)` reads a `.npz` of float arrays (see `extract.py`) into the module of that name. Every encoder takes
(input, lengths) and gives (hidden, lengths): hidden (batch, frames, dimension) float32. A padded batch with its lengths
equals the single utterances: padding is masked in every convolution, statistic and attention.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import TrainingError
from .conformer import ConformerEncoder
from .moonshine import MoonshineEncoder
from .whisper import WhisperEncoder


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What the rest of the training needs to know of an encoder."""

    dimension: int
    layers: int
    heads: int
    frame_seconds: float
    input: str  # "mel" or "samples"
    max_seconds: float | None
    licence: str
    kind: type


FACTS = {
    "whisper-tiny.en": EncoderFacts(384, 4, 6, 0.02, "mel", 30.0, "MIT, OpenAI", WhisperEncoder),
    "whisper-base": EncoderFacts(512, 6, 8, 0.02, "mel", 30.0, "MIT, OpenAI", WhisperEncoder),
    "moonshine-tiny": EncoderFacts(288, 6, 8, 384 / 16000, "samples", None, "MIT, Moonshine AI", MoonshineEncoder),
    "hama": EncoderFacts(144, 4, 4, 0.02, "mel", None, "Apache-2.0, hama contributors", ConformerEncoder),
}


Encoder = WhisperEncoder | MoonshineEncoder | ConformerEncoder

# names in the extracted files → names here
_RENAMED = {
    "pos": "positions",
    "ln_post": "norm",
    "groupnorm": "group_norm",
    "attn_ln": "attention_norm",
    "mlp_ln": "feed_norm",
    "fc1": "feed_in",
    "fc2": "feed_out",
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "out": "attention.out",
}


def build(name: str, merge: int = 1, before: int = 0) -> Encoder:
    """An encoder of that architecture with random weights; merge, before: see `blocks.Stack`.

    Raises TrainingError on an unknown name.
    """
    if name not in FACTS:
        raise TrainingError(f"unknown encoder {name!r}: choose one of {', '.join(FACTS)}, or conv")
    facts = FACTS[name]
    encoder: Encoder = facts.kind(facts.dimension, facts.layers, facts.heads, merge, before)
    return encoder


def load(name: str, path: Path, layers: int = 0, merge: int = 1, before: int = 0) -> Encoder:
    """The encoder with its pretrained weights, in evaluation mode; layers: blocks to keep, 0 for all.

    Raises TrainingError when the file is missing or holds other weights.
    """
    encoder = build(name, merge, before)
    try:
        with np.load(path) as arrays:
            state = {
                ".".join(_RENAMED.get(part, part) for part in key.split(".")): torch.from_numpy(
                    arrays[key].astype(np.float32)
                )
                for key in arrays.files
                if not key.startswith("_")
            }
        if isinstance(encoder, ConformerEncoder):
            state = encoder.adapted(state)
        encoder.load_state_dict(state, strict=True)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: no such encoder file; make it with: python -m transcribe_cli.training.extract {name} --out {path}"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} does not hold the weights of {name}: {str(error).splitlines()[0]}") from error
    if layers:
        encoder.blocks = encoder.blocks[:layers]
    return encoder.eval()
