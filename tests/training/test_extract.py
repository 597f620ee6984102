"""Reading encoders out of other programs' model files."""

import struct

import numpy as np
import pytest

pytest.importorskip("torch")

from transcribe_cli.errors import TrainingError
from transcribe_cli.training import extract


def packed(variables, aliases=()):
    """A CTranslate2 file, version 6, of float16 arrays."""

    def text(value):
        raw = value.encode() + b"\0"
        return struct.pack("<H", len(raw)) + raw

    out = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<I", 1) + struct.pack("<I", len(variables))
    for name, array in variables.items():
        raw = array.astype(np.float16).tobytes()
        out += text(name) + struct.pack("<B", array.ndim) + b"".join(struct.pack("<I", n) for n in array.shape)
        out += struct.pack("<BI", 4, len(raw)) + raw
    out += struct.pack("<I", len(aliases))
    for alias, name in aliases:
        out += text(alias) + text(name)
    return out


def test_variables_and_aliases_are_read():
    found = extract.read_ctranslate2(packed({"a": np.arange(6.0).reshape(2, 3), "b": np.ones(1)}, [("c", "a")]))
    np.testing.assert_array_equal(found["c"], np.arange(6.0).reshape(2, 3))
    assert sorted(found) == ["a", "b", "c"]


def test_another_file_is_refused():
    for data in (b"", b"\x07\0\0\0", packed({"a": np.ones(3)})[:-9]):
        with pytest.raises(TrainingError):
            extract.read_ctranslate2(data)


def test_whisper_weights_get_our_names_and_projections_are_parted():
    rng = np.random.default_rng(0)
    shapes = {
        "conv1/weight": (4, 8, 3), "conv1/bias": (4,), "conv2/weight": (4, 4, 3), "conv2/bias": (4,),
        "layer_norm/gamma": (4,), "layer_norm/beta": (4,),
        "layer_0/self_attention/linear_0/weight": (12, 4), "layer_0/self_attention/linear_0/bias": (12,),
        "layer_0/self_attention/linear_1/weight": (4, 4), "layer_0/self_attention/linear_1/bias": (4,),
        "layer_0/self_attention/layer_norm/gamma": (4,), "layer_0/self_attention/layer_norm/beta": (4,),
        "layer_0/ffn/layer_norm/gamma": (4,), "layer_0/ffn/layer_norm/beta": (4,),
        "layer_0/ffn/linear_0/weight": (16, 4), "layer_0/ffn/linear_0/bias": (16,),
        "layer_0/ffn/linear_1/weight": (4, 16), "layer_0/ffn/linear_1/bias": (4,),
    }  # fmt: skip
    variables = {f"encoder/{name}": rng.standard_normal(shape) for name, shape in shapes.items()}
    found = extract.whisper(packed(variables))
    both = variables["encoder/layer_0/self_attention/linear_0/weight"].astype(np.float16)
    np.testing.assert_array_equal(found["blocks.0.value.weight"], both[8:])
    assert "blocks.0.key.bias" not in found
    assert found["blocks.0.fc2.weight"].shape == (4, 16)


def test_an_unknown_encoder_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"whisper-tiny\.en"):
        extract.extract("whisper-large", tmp_path / "x.npz")
