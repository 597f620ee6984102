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


def packed_hama(tensors):
    """hama's tensor pack: index, values aligned to 16 bytes."""
    index, values = b"", b""
    for name, array in tensors.items():
        raw, kind = array.tobytes(), {np.dtype("f4"): 0, np.dtype("f2"): 1}[array.dtype]
        index += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BB", kind, array.ndim)
        index += struct.pack(f"<{array.ndim}I", *array.shape) + struct.pack("<QQ", len(values), len(raw))
        values += raw + b"\0" * (-len(raw) % 16)
    index = b"HAMAPK\x01\x02" + struct.pack("<I", len(tensors)) + index
    return index + b"\0" * (-len(index) % 16) + values


def test_a_hama_pack_is_read():
    tensors = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "bc": np.float32([1.5, -2])}
    found = extract.read_hama(packed_hama(tensors))
    assert list(found) == ["a", "bc"]
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_damaged_hama_pack_is_refused():
    data = packed_hama({"a": np.ones((2, 3), np.float16)})
    for broken in (b"", b"HAMAPK\x01\x02", data[:-14], b"x" + data):
        with pytest.raises(TrainingError):
            extract.read_hama(broken)


def test_hama_reads_whispers_features_as_it_read_its_own():
    rng = np.random.default_rng(0)
    tensors = {"onnx::Conv_801": rng.standard_normal((144, 80, 3)), "onnx::Conv_802": rng.standard_normal(144)}
    for block in range(4):
        for place, shape in zip((0, 1, 2, 6, 7, 8), ((2, 8), (8, 2), (2, 6), (2, 2), (2, 8), (8, 2)), strict=True):
            tensors[f"onnx::MatMul_{829 + 9 * block + place}"] = rng.standard_normal(shape)
        tensors[f"onnx::Conv_{804 + 3 * block}"] = rng.standard_normal((2, 1, 31))
        tensors[f"onnx::Conv_{805 + 3 * block}"] = rng.standard_normal(2)
        at = f"acoustic_model.model.blocks.{block}"
        for name, size in (("ffn1.fc1", 8), ("ffn1.fc2", 2), ("ffn2.fc1", 8), ("ffn2.fc2", 2), ("attn.out_proj", 2)):
            tensors[f"{at}.{name}.bias"] = rng.standard_normal(size)
        tensors[f"{at}.attn.in_proj_bias"] = rng.standard_normal(6)
        for name in ("ffn1.norm", "ffn2.norm", "attn_norm", "conv.norm", "norm"):
            for part in ("weight", "bias"):
                tensors[f"{at}.{name}.{part}"] = rng.standard_normal(2)
        for name, width in (("pointwise1", 4), ("pointwise2", 2)):
            tensors[f"{at}.conv.{name}.weight"] = rng.standard_normal((width, 2, 1))
            tensors[f"{at}.conv.{name}.bias"] = rng.standard_normal(width)
    found = extract.hama(packed_hama({name: array.astype(np.float32) for name, array in tensors.items()}))
    energies = rng.uniform(1e-6, 1e3, (80, 3))
    theirs = np.sum(tensors["onnx::Conv_801"] * np.log(energies), (1, 2)) + tensors["onnx::Conv_802"]
    ours = np.sum(found["conv.weight"] * ((np.log10(energies) + 4) / 4), (1, 2)) + found["conv.bias"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(found["blocks.2.key.weight"], tensors["onnx::MatMul_849"].T[2:4], rtol=1e-6)
    assert found["blocks.3.convolution.gate.weight"].shape == (4, 2)


def test_an_unknown_encoder_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"whisper-tiny\.en"):
        extract.extract("whisper-large", tmp_path / "x.npz")
