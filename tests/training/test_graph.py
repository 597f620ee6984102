"""The graph that runs one window at a time: equal to PyTorch, whatever the network's shape, and read back whole."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from transcribe_cli.training import encoder as encoders  # noqa: E402
from transcribe_cli.training import onnx_graph, weights  # noqa: E402
from transcribe_cli.training.conformer import ConformerEncoder  # noqa: E402
from transcribe_cli.training.graph import ConvAsMatrix  # noqa: E402
from transcribe_cli.training.moonshine import MoonshineEncoder  # noqa: E402
from transcribe_cli.training.network import untrained  # noqa: E402
from transcribe_cli.training.options import NetworkOptions  # noqa: E402
from transcribe_cli.training.whisper import WhisperEncoder  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHAPES = {
    "whisper": {},
    "one direction, three frames a step": {"bidirectional": False, "stack": 3, "rows": 3},
    "gru": {"cell": "gru"},
    "a third layer that adds": {"layers": 3, "residual": 3},
    "letters, and sounds of the first layer": {"layers": 2, "auxiliary_layer": 1},
    "norm and mixture": {"norm": True, "mixture": True},
    "convolutions": {"encoder": "conv", "conv_width": 12},
    "merged frames": {"merge": 2, "stack": 1},
    "merged between blocks": {"merge": 2, "merge_before": 1, "stack": 1},
    "conformer": {"encoder": "tiny-conformer"},
    "conformer, merged frames": {"encoder": "tiny-conformer", "merge": 3, "merge_before": 1, "stack": 1},
    "samples": {"encoder": "tiny-moonshine"},
    "samples, merged frames": {"encoder": "tiny-moonshine", "merge": 2, "merge_before": 1, "stack": 1, "rows": 2},
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    for name, kind in (("tiny", WhisperEncoder), ("tiny-conformer", ConformerEncoder)):
        monkeypatch.setitem(encoders.FACTS, name, encoders.EncoderFacts(16, 2, 2, 0.02, "mel", 30.0, "none", kind))
    samples = encoders.EncoderFacts(72, 2, 2, 0.024, "samples", None, "none", MoonshineEncoder)  # 36 a head, 32 turned
    monkeypatch.setitem(encoders.FACTS, "tiny-moonshine", samples)


def network(**shape):
    torch.manual_seed(5)
    made = untrained(NetworkOptions(**{"encoder": "tiny", "units": 10, **shape}), tokens=7, auxiliary_tokens=4).eval()
    with torch.no_grad():
        for value in made.parameters():  # trained: no two normalisations are alike, so each keeps its name
            value += 0.1 * torch.randn_like(value)
    return made


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_graph_says_what_pytorch_says(tmp_path, shape, ragged):
    ours = network(**shape)
    onnx_graph.to_onnx(ours, tmp_path / "x.onnx", ragged)
    assert onnx_graph.compare(ours, tmp_path / "x.onnx").largest < 1e-5
    inputs = [one.name for one in onnx_graph.session(tmp_path / "x.onnx").get_inputs()]
    name = "samples" if "moonshine" in shape.get("encoder", "") else "mel"
    assert inputs == ([name, "lengths"] if ragged else [name])


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("int8", "near"), [(False, 1e-6), (True, 0.02)])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_all_weights_are_read_back(tmp_path, shape, int8, near, ragged):
    ours = network(**shape)
    onnx_graph.to_onnx(ours, tmp_path / "x.onnx", ragged)
    if int8:
        onnx_graph.quantise(tmp_path / "x.onnx", tmp_path / "x.onnx")
    found = weights.read(tmp_path / "x.onnx")
    for name, value in ours.state_dict().items():
        if name != "mixture":  # the graph holds its softmax
            torch.testing.assert_close(found[name], value, atol=near * max(1.0, float(value.abs().max())), rtol=0)


def test_a_batch_of_equal_windows_is_each_window_alone(tmp_path):
    onnx_graph.to_onnx(network(), tmp_path / "x.onnx")
    graph = onnx_graph.session(tmp_path / "x.onnx")
    mel = np.random.default_rng(1).normal(0, 0.5, (3, 80, 131)).astype(np.float32)
    together = graph.run(None, {"mel": mel})[0]
    for one, rows in zip(mel, together, strict=True):
        np.testing.assert_allclose(graph.run(None, {"mel": one[None]})[0][0], rows, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 9, 10])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_as_a_matrix_is_that_convolution(frames, stride):
    conv = torch.nn.Conv1d(5, 4, 3, stride=stride, padding=1)
    x = torch.randn(2, frames, 5)
    with torch.inference_mode():
        torch.testing.assert_close(ConvAsMatrix(conv)(x), conv(x.transpose(1, 2)).transpose(1, 2))


@pytest.mark.parametrize("n", [1, 894, 895, 1278, 1279])
def test_samples_too_few_for_a_frame_are_filled_up_to_one(tmp_path, n):
    ours = network(encoder="tiny-moonshine", stack=1, rows=1)
    onnx_graph.to_onnx(ours, tmp_path / "x.onnx")
    sound = np.random.default_rng(1).normal(0, 0.1, (1, n)).astype(np.float32)
    found = onnx_graph.session(tmp_path / "x.onnx").run(None, {"samples": sound})[0]
    filled = torch.from_numpy(np.pad(sound, ((0, 0), (0, max(0, 895 - n)))))
    with torch.inference_mode():
        wanted = ours(filled, torch.tensor([filled.shape[1]]))[0].numpy()
    assert found.shape == (1, 2 if n == 1279 else 1, 7)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
