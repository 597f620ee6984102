"""A model that needs no training: each letter is a tone, silence the blank; and sound that spells words."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LETTERS = " abcdefgh"
TOKENS = ["<blank>", *LETTERS]
BANDS = [6 + 8 * i for i in range(len(LETTERS))]  # mel band of each letter's tone


def tone_hz(letter: str) -> float:
    """The frequency in the middle of the letter's mel band (Slaney's scale, 80 bands up to 8 kHz)."""
    mel_top = 15 + np.log(8.0) / (np.log(6.4) / 27)
    mel = mel_top * (BANDS[LETTERS.index(letter)] + 1) / 81
    return float(mel * 200 / 3 if mel < 15 else 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def sound(text: str, rate: int = 16000, letter_seconds: float = 0.1, gap_seconds: float = 0.06) -> np.ndarray:
    """(n,) float32: the text spelled in tones; a dot is half a second of silence."""
    parts = [np.zeros(int(0.2 * rate), np.float32)]
    for letter in text:
        if letter == ".":
            parts.append(np.zeros(rate // 2, np.float32))
            continue
        t = np.arange(int(letter_seconds * rate)) / rate
        parts.append((0.3 * np.sin(2 * np.pi * tone_hz(letter) * t) * np.hanning(len(t)) ** 0.3).astype(np.float32))
        parts.append(np.zeros(int(gap_seconds * rate), np.float32))
    return np.concatenate([*parts, np.zeros(int(0.2 * rate), np.float32)])


def card(**changes: object) -> dict:
    """The card as JSON has it."""
    return {
        "format": 1,
        "name": "toy",
        "version": "1",
        "language": "xx",
        "sample_rate": 16000,
        "features": {"kind": "log-mel", "range_below_max": None},
        "input": {"name": "mel", "layout": "bft"},
        "output": {"name": "log_probs", "frame_seconds": 0.02},
        "alphabet": {"tokens": TOKENS, "blank": 0, "boundary": " "},
        "windows": {"seconds": 6.0, "context_seconds": 0.5},
        **changes,
    }


def graph() -> onnx.ModelProto:
    """log_probs = log_softmax(40 · (mel − threshold) of the letters' bands, blank 0), every second frame."""
    weights = np.zeros((80, len(TOKENS)), np.float32)
    bias = np.zeros(len(TOKENS), np.float32)
    for i, band in enumerate(BANDS):
        weights[band, i + 1], bias[i + 1] = 40.0, -40.0 * 0.85
    nodes = [
        helper.make_node("Transpose", ["mel"], ["btf"], perm=[0, 2, 1]),
        helper.make_node("Slice", ["btf", "zero", "end", "one", "two"], ["half"]),
        helper.make_node("MatMul", ["half", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["log_probs"], axis=2),
    ]
    constants = {"zero": [0], "end": [1 << 40], "one": [1], "two": [2]}
    tensors = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
    tensors += [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    inputs = [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", 80, "frames"])]
    outputs = [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["batch", "rows", len(TOKENS)])]
    model = helper.make_model(
        helper.make_graph(nodes, "toy", inputs, outputs, tensors), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    return model


def write_bundle(folder: Path, **changes: object) -> Path:
    """A model folder that `--model` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(graph(), folder / "model.onnx")
    (folder / "card.json").write_text(json.dumps(card(**changes)))
    return folder


def speak(path: Path, text: str) -> Path:
    """A recording of the text; folders are made."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(text), 16000)
    return path
