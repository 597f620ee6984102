"""Encoders and heads: a ragged batch equals single utterances, in every variant."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from transcribe_cli.errors import TrainingError  # noqa: E402
from transcribe_cli.training import encoder as encoders  # noqa: E402
from transcribe_cli.training import loop  # noqa: E402
from transcribe_cli.training import network as networks  # noqa: E402
from transcribe_cli.training.blocks import merged  # noqa: E402
from transcribe_cli.training.conformer import ConformerEncoder, shortened  # noqa: E402
from transcribe_cli.training.moonshine import MoonshineEncoder  # noqa: E402
from transcribe_cli.training.options import NetworkOptions  # noqa: E402
from transcribe_cli.training.whisper import WhisperEncoder  # noqa: E402

SMALL = NetworkOptions(encoder="conv", conv_width=12, conv_strides=(2, 2), units=8, stack=1, rows=2, dropout=0.3)


def assert_ragged_equals_single(module, inputs, sizes):
    """Garbage behind the valid part must not matter."""
    lengths = torch.tensor(sizes)
    with torch.inference_mode():
        batch, out_lengths = module(inputs, lengths)
        for i, size in enumerate(sizes):
            single, single_length = module(inputs[i : i + 1, ..., :size], torch.tensor([size]))
            n = int(out_lengths[i])
            assert n == int(single_length[0]) == single.shape[1]
            torch.testing.assert_close(batch[i, :n], single[0], atol=2e-5, rtol=0)


MERGES = [(1, 0), (2, 0), (3, 1)]  # frames merged, in front of which block


@pytest.mark.parametrize("merging", MERGES)
def test_a_ragged_batch_equals_single_utterances_in_whisper(merging):
    torch.manual_seed(1)
    module = WhisperEncoder(24, 2, 3, *merging, bands=7, positions=60).eval()
    assert_ragged_equals_single(module, torch.randn(3, 7, 101), [101, 40, 33])


@pytest.mark.parametrize("merging", MERGES)
def test_a_ragged_batch_equals_single_utterances_in_moonshine(merging):
    torch.manual_seed(1)
    module = MoonshineEncoder(24, 2, 3, *merging, rotary=4).eval()
    assert_ragged_equals_single(module, torch.randn(3, 9000), [9000, 5000, 3333])


@pytest.mark.parametrize("merging", MERGES)
def test_a_ragged_batch_equals_single_utterances_in_the_conformer(merging):
    torch.manual_seed(1)
    module = ConformerEncoder(24, 2, 3, *merging, bands=7).eval()
    assert_ragged_equals_single(module, torch.randn(3, 7, 101), [101, 40, 33])


def test_merged_frames_are_means_and_the_last_one_of_what_is_left():
    x = torch.tensor([[[1.0], [3.0], [5.0], [7.0], [9.0]], [[2.0], [4.0], [8.0], [99.0], [99.0]]])
    means, lengths = merged(x, torch.tensor([5, 3]), 2)
    assert means[0, :, 0].tolist() == [2, 6, 9]
    assert means[1, :2, 0].tolist() == [3, 8]
    assert lengths.tolist() == [3, 2]
    torch.testing.assert_close(merged(x[:1], None, 2)[0], means[:1])


def test_a_shortened_filter_does_the_same_to_what_is_linear_between_merged_frames():
    rng = torch.Generator().manual_seed(2)
    kernel = torch.randn(3, 1, 31, generator=rng)
    slow = torch.randn(1, 3, 80, generator=rng)
    places = torch.arange(0, 159) / 2
    below = places.floor().long().clamp(max=78)
    fast = slow[..., below] * (1 - (places - below)) + slow[..., below + 1] * (places - below)
    half = shortened(kernel, 2)
    assert half.shape == (3, 1, 17)
    wanted = torch.nn.functional.conv1d(fast, kernel, padding=15, groups=3)[..., ::2]
    found = torch.nn.functional.conv1d(slow, half, padding=8, groups=3)
    torch.testing.assert_close(found[..., 10:-10], wanted[..., 10:-10], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cell": "gru"},
        {"norm": True},
        {"bidirectional": False},
        {"stack": 2, "rows": 2},
        {"stack": 3, "rows": 1, "layers": 3},
        {"layers": 3, "residual": 2},
        {"conv_strides": (2,)},
        {"conv_strides": (3, 2, 1)},
    ],
)
def test_a_ragged_batch_equals_single_utterances_in_the_whole_network(change):
    torch.manual_seed(1)
    module = networks.untrained(dataclasses.replace(SMALL, **change), tokens=5).eval()
    assert_ragged_equals_single(module, torch.randn(3, 80, 131), [131, 130, 47])


def test_rows_are_natural_log_probabilities():
    module = networks.untrained(SMALL, tokens=5).eval()
    log_probs, rows = module(torch.randn(2, 80, 60), torch.tensor([60, 31]))
    torch.testing.assert_close(log_probs.exp().sum(2), torch.ones(2, log_probs.shape[1]))
    assert rows.tolist() == [30, 16]


def test_an_auxiliary_head_reads_a_middle_layer():
    shape = dataclasses.replace(SMALL, layers=2, auxiliary_layer=1)
    module = networks.untrained(shape, tokens=5, auxiliary_tokens=9)
    main, middle, rows = module.both(torch.randn(2, 80, 60), torch.tensor([60, 31]))
    assert main.shape == (2, 30, 5)
    assert middle.shape == (2, 30, 9)
    assert rows.tolist() == [30, 16]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_layer_that_adds_begins_by_adding_nothing_and_learns(cell):
    small = dataclasses.replace(SMALL, cell=cell, dropout=0.0)
    deeper = dataclasses.replace(small, layers=4, residual=3)
    torch.manual_seed(4)
    before, after = networks.untrained(small, tokens=5), networks.untrained(deeper, tokens=5)
    assert loop.begin_with(after, before.state_dict()) == len(before.state_dict())
    inputs, lengths = torch.randn(2, 80, 60), torch.tensor([60, 31])
    torch.testing.assert_close(after(inputs, lengths)[0], before(inputs, lengths)[0])
    rates = torch.optim.SGD(after.parameters(), lr=1.0)
    after(inputs, lengths)[0][..., 1].sum().backward()
    rates.step()
    for layer in after.head.layers[2:]:
        assert layer(torch.randn(1, 9, 16), torch.tensor([9])).abs().max() > 1e-4
    with pytest.raises(TrainingError, match="begin at 2"):
        networks.untrained(dataclasses.replace(small, residual=1), tokens=5)


def test_a_frozen_encoder_gets_no_gradient_and_a_trained_one_does():
    for rate in (0.0, 0.1):
        shape = dataclasses.replace(SMALL, encoder="whisper-tiny.en", encoder_rate=rate)
        tiny = WhisperEncoder(16, 2, 2, positions=60)
        module = networks.Recogniser(tiny, networks.Head(16, 5, shape), shape)
        module(torch.randn(1, 80, 50), torch.tensor([50]))[0].sum().backward()
        assert (tiny.conv1.weight.grad is None) == (rate == 0)
        assert module.head.dense.weight.grad is not None


def test_a_mixture_of_layers_begins_as_their_mean_and_is_learned():
    shape = dataclasses.replace(SMALL, encoder="whisper-tiny.en", mixture=True)
    tiny = WhisperEncoder(16, 2, 2, positions=60).eval()
    module = networks.Recogniser(tiny, networks.Head(16, 5, shape), shape)
    mel, lengths = torch.randn(1, 80, 50), torch.tensor([50])
    outputs, _ = tiny.layers(mel, lengths)
    expected = (tiny.norm(outputs[0]) + tiny.norm(outputs[1])) / 2
    torch.testing.assert_close(module.encode(mel, lengths)[0], expected)
    module(mel, lengths)[0][0, 0, 0].backward()
    assert module.mixture.grad.abs().sum() > 0
    assert tiny.conv1.weight.grad is None


def test_turning_round_keeps_padding_behind():
    x = torch.arange(8.0).reshape(2, 4, 1)
    turned = networks.reverse(x, torch.tensor([4, 2]))
    assert turned[0, :, 0].tolist() == [3, 2, 1, 0]
    assert turned[1, :2, 0].tolist() == [5, 4]
    torch.testing.assert_close(networks.reverse(turned, torch.tensor([4, 2])), x)


def test_an_unknown_encoder_is_named_with_those_that_are_known():
    with pytest.raises(networks.TrainingError, match=r"whisper-tiny\.en"):
        networks.untrained(dataclasses.replace(SMALL, encoder="wav2vec"), tokens=5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"merge": 2, "merge_before": 4}, "blocks 0 to 3"),
        ({"merge": 2, "merge_before": 2, "encoder_layers": 2}, "blocks 0 to 1"),
        ({"merge": 2, "merge_before": 1, "mixture": True}, "must be 0"),
        ({"frozen_blocks": 4}, "at least one of 4 blocks"),
        ({"encoder_layers": 5}, "has 4"),
    ],
)
def test_blocks_that_an_encoder_has_not_are_refused_for_a_head_alone_too(change, named):
    shape = dataclasses.replace(SMALL, encoder="whisper-tiny.en", **change)
    for build in (networks.facts, lambda shape: networks.untrained(shape, tokens=5)):
        with pytest.raises(TrainingError, match=named):
            build(shape)


def test_a_missing_encoder_file_says_how_to_make_it(tmp_path):
    with pytest.raises(networks.TrainingError, match=r"transcribe_cli\.training\.extract"):
        encoders.load("whisper-tiny.en", tmp_path / "none.npz")
