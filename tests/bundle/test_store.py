"""Bundles are found by name and path, and what is broken is named."""

import json
import os

import numpy as np
import onnx
import pytest
import toy_model

from transcribe_cli import config
from transcribe_cli.bundle import card as cards
from transcribe_cli.bundle import store
from transcribe_cli.bundle.session import Network, RuntimeOptions
from transcribe_cli.errors import DeviceError, ModelError, ModelNotFound


@pytest.fixture
def bundle(tmp_path):
    return toy_model.write_bundle(tmp_path / "models" / "toy")


def test_a_model_is_found_by_name_in_the_folders_the_environment_names(bundle, monkeypatch):
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(bundle.parent))
    assert store.find("toy").folder == bundle
    assert dict(store.names())["toy"] == bundle


def test_a_model_is_found_by_folder_and_by_graph(bundle):
    assert store.find(str(bundle)).card.name == "toy"
    assert store.find(str(bundle / "model.onnx")).card.name == "toy"


def test_a_lone_graph_carries_its_card(tmp_path):
    graph = toy_model.graph()
    onnx.helper.set_model_props(graph, {"card": json.dumps(toy_model.card())})
    onnx.save(graph, tmp_path / "lone.onnx")
    assert store.find(str(tmp_path / "lone.onnx")).card.id == "toy 1"


def test_a_folder_here_hides_a_known_name_only_where_it_is_a_model(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(bundle.parent))
    (tmp_path / "here" / "toy").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert store.find("toy").folder == bundle
    toy_model.write_bundle(tmp_path / "here" / "toy", version="2")
    assert store.find("toy").card.id == "toy 2"


def test_the_default_is_never_looked_for_in_the_current_folder(bundle, tmp_path, monkeypatch):
    known = toy_model.write_bundle(bundle.parent / store.DEFAULT)
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(bundle.parent))
    toy_model.write_bundle(tmp_path / "here" / store.DEFAULT, version="2")
    monkeypatch.chdir(tmp_path / "here")
    assert store.find().folder == known
    monkeypatch.setattr(store, "roots", lambda: [])
    with pytest.raises(ModelNotFound, match="no model named"):
        store.find()
    assert store.find(f"./{store.DEFAULT}").card.id == "toy 2"


def test_a_graph_of_a_bundle_brings_the_whole_bundle_whatever_its_metadata_says(bundle):
    graph = toy_model.graph()
    onnx.helper.set_model_props(graph, {"card": json.dumps(toy_model.card(version="lone"))})
    onnx.save(graph, bundle / "model.onnx")
    (bundle / "lm.bin").touch()
    (bundle / "card.json").write_text(json.dumps(toy_model.card(language_model={"file": "lm.bin"})))
    found = store.find(str(bundle / "model.onnx"))
    assert (found.card.id, found.language_model_path) == ("toy 1", bundle / "lm.bin")
    onnx.save(graph, bundle / "other.onnx")  # of which the card beside it does not speak
    assert store.find(str(bundle / "other.onnx")).card.id == "toy lone"


def test_a_graph_without_card_does_not_borrow_that_of_another_graph(bundle):
    onnx.save(toy_model.graph(), bundle / "other.onnx")
    with pytest.raises(ModelError, match=r"other\.onnx: no card in its metadata .*: it is of model\.onnx"):
        store.find(str(bundle / "other.onnx"))


def test_folders_that_cannot_be_looked_at_hold_no_models(bundle, tmp_path, monkeypatch):
    real = os.listdir, os.scandir

    def refused(call):
        def look(path=".", *rest):
            if os.fspath(path).endswith("shut"):
                raise PermissionError(13, "Permission denied")  # root may look into everything
            return call(path, *rest)

        return look

    monkeypatch.setattr(os, "listdir", refused(real[0]))
    monkeypatch.setattr(os, "scandir", refused(real[1]))
    (tmp_path / "shut").mkdir()
    monkeypatch.setenv("TRANSCRIBE_MODELS", f"{tmp_path / 'shut'}:{'n' * 300}:{bundle.parent}")
    monkeypatch.setenv("XDG_DATA_HOME", "n" * 300)
    assert store.find("toy").folder == bundle


def test_a_user_without_a_home_has_no_models_and_no_settings_there(bundle, monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", nobody)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(bundle.parent))
    assert store.find("toy").folder == bundle
    assert config.user_config_path() is None
    assert config.load(None) == []


@pytest.mark.parametrize("name", ["n" * 300, "./" + "n" * 300, "n" * 300 + ".onnx"])
def test_a_name_that_no_file_can_have_is_one_line(name):
    with pytest.raises(ModelError, match=r"no model named|cannot be looked at \(File name too long"):
        store.find(name)


def test_an_unknown_name_lists_the_known_ones(bundle, monkeypatch):
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(bundle.parent))
    with pytest.raises(ModelNotFound, match="toy"):
        store.find("nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"sample_rate": "fast"}, "whole number"),
        ({"graph": "../model.onnx"}, "plain file name"),
        ({"graph": "other.onnx"}, "not in the folder"),
        ({"language_model": {"file": "/etc/passwd"}}, "plain file name"),
        ({"language_model": {"file": "card.json", "rescorer": "../r.onnx"}}, "plain file name"),
        ({"language_model": {"file": "card.json", "rescorer": "r.onnx"}}, r"r\.onnx, which is not in the folder"),
        ({"features": {"kind": "smell"}}, "smell"),
        ({"windows": {"seconds": 1.0, "context_seconds": 3.0}}, "cannot hold"),
        ({"alphabet": {"tokens": ["a", "a", "a"]}}, "twice"),
        ({"output": {"name": "log_probs", "frame_seconds": 0}}, "frame_seconds"),
        ({"input": {"name": "mel", "layout": "spiral"}}, "layout"),
        ({"confidence_temperature": 0}, "temperature"),
    ],
)
def test_a_broken_card_is_named(tmp_path, change, message):
    folder = toy_model.write_bundle(tmp_path / "toy", **change)
    with pytest.raises(ModelError, match=message):
        store.find(str(folder))


def test_a_card_that_is_not_json_or_not_there_is_named(bundle):
    (bundle / "card.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        store.find(str(bundle))
    (bundle / "card.json").unlink()
    with pytest.raises(ModelError, match=r"no card\.json"):
        store.find(str(bundle))


def test_what_a_card_says_beyond_our_knowledge_is_kept():
    card = cards.from_dict(toy_model.card(licence="MIT"), "here")
    assert card.extra == {"licence": "MIT"}


def test_a_card_may_tell_of_sounds_and_how_words_sound(tmp_path):
    sounds = {"tokens": ["<blank>", "|", "AA"], "boundary": "|"}
    card = cards.from_dict(toy_model.card(sounds=sounds, lexicon="words.gz"), "here")
    assert (card.columns, card.lexicon) == (len(card.alphabet) + 3, "words.gz")
    assert card.letters(np.zeros((2, card.columns), np.float32)).shape == (2, len(card.alphabet))
    with pytest.raises(ModelError, match=r"words\.gz, which is not"):
        store.find(str(toy_model.write_bundle(tmp_path / "toy", lexicon="words.gz")))
    with pytest.raises(ModelError, match="plain file name"):
        cards.from_dict(toy_model.card(lexicon="../words.gz"), "here")
    logits = {"name": "log_probs", "frame_seconds": 0.02, "scores": "logits"}
    with pytest.raises(ModelError, match="must give log_probs"):
        cards.from_dict(toy_model.card(sounds=sounds, output=logits), "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": {"tokens": ["<blank>", "a"]}}, "10 output tokens"),
        ({"sounds": {"tokens": ["<blank>", "AA"]}}, "10 output tokens"),
        ({"input": {"name": "sound"}}, "inputs are"),
        ({"output": {"name": "words", "frame_seconds": 0.02}}, "no output 'words'"),
        ({"features": {"kind": "log-mel", "bands": 40}}, "80 features"),
    ],
)
def test_a_card_that_disagrees_with_its_graph_is_refused(tmp_path, change, message):
    bundle = store.find(str(toy_model.write_bundle(tmp_path / "toy", **change)))
    with pytest.raises(ModelError, match=message):
        Network(bundle, RuntimeOptions(device="cpu"))


def test_a_truncated_graph_is_a_named_error(bundle):
    graph = bundle / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:300])
    with pytest.raises(ModelError, match="cannot load"):
        Network(store.find(str(bundle)), RuntimeOptions(device="cpu"))


def test_windows_give_the_same_rows_alone_and_side_by_side(bundle):
    network = Network(store.find(str(bundle)), RuntimeOptions(device="cpu", threads=3))
    rng = np.random.default_rng(0)
    windows = [rng.normal(size=(n, 80)).astype(np.float32) for n in (7, 100, 31, 1, 64)]
    together = [future.result() for future in [network.submit(w) for w in windows]]
    for window, rows in zip(windows, together, strict=True):
        assert rows.shape == (-(-len(window) // 2), 10)
        assert np.array_equal(rows, network.submit(window).result())
        np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, atol=1e-5)
    network.close()


def test_cuda_that_is_not_there_is_said(bundle):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceError, match="--device cpu"):
        Network(store.find(str(bundle)), RuntimeOptions(device="cuda"))


def test_checksums_tell_a_changed_file(tmp_path):
    import hashlib

    folder = toy_model.write_bundle(tmp_path / "toy")
    good = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    toy_model.write_bundle(folder, checksums={"model.onnx": good, "card.md": "0" * 64})
    assert store.verify(store.find(str(folder))) == {"model.onnx": True, "card.md": False}
