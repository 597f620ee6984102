"""`transcribe export`: what is refused, what gives way, and what stays as it was when it fails."""

import json
import os

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from transcribe_cli.bundle.store import find, verify  # noqa: E402
from transcribe_cli.cli import run  # noqa: E402
from transcribe_cli.errors import ModelError, TrainingError  # noqa: E402
from transcribe_cli.evaluate.measure import rows  # noqa: E402
from transcribe_cli.lm import binary  # noqa: E402
from transcribe_cli.lm.build import BuildOptions, build  # noqa: E402
from transcribe_cli.outputs import umask  # noqa: E402
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser  # noqa: E402
from transcribe_cli.training import checkpoint, export, onnx_graph  # noqa: E402
from transcribe_cli.training import encoder as encoders  # noqa: E402
from transcribe_cli.training.losses import Teacher  # noqa: E402
from transcribe_cli.training.moonshine import MoonshineEncoder  # noqa: E402
from transcribe_cli.training.network import untrained  # noqa: E402
from transcribe_cli.training.options import DataOptions, NetworkOptions, RunOptions, to_dict  # noqa: E402
from transcribe_cli.training.restore import restore  # noqa: E402
from transcribe_cli.training.units import CHARACTERS  # noqa: E402
from transcribe_cli.training.units import build as build_units  # noqa: E402
from transcribe_cli.training.whisper import WhisperEncoder  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LETTERS = list(CHARACTERS.tokens)


def make(path, tokens=LETTERS, seed=1, change=lambda weights: None, data=None, **shape):
    """A checkpoint of a network that has learned nothing. data, shape: options, where they are not the usual ones."""
    torch.manual_seed(seed)
    options = NetworkOptions(**{"encoder": "conv", "conv_width": 12, "units": 10, "layers": 1, **shape})
    sounds = len(build_units("phoneme", []).alphabet) if options.auxiliary_layer else 0
    weights = untrained(options, len(tokens), sounds).state_dict()
    change(weights)
    run_options = to_dict(RunOptions(name="tiny", network=options, data=data or DataOptions()))
    checkpoint.save({"model": weights, "options": run_options, "tokens": tokens, "boundary": " "}, path)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a checkpoint and a language model."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.pt")
    binary.write(build(["a bad cab", "fed a head"], BuildOptions(order=2)).model, tmp_path / "words.bin")
    return tmp_path


def tree(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "weights that are no finite numbers"),
        (float("-inf"), "weights that are no finite numbers"),
        (3e38, "the network's outputs are no finite numbers"),
    ],
)
def test_a_network_that_gives_no_numbers_is_not_exported(place, value, said):
    def spoil(weights):
        weights["head.dense.weight"][3] = value

    make(place / "spoilt.pt", change=spoil)
    with pytest.raises(TrainingError, match=rf"spoilt\.pt: {said}.*choose another checkpoint"):
        export.export([place / "spoilt.pt"], place / "out", "1")
    assert not (place / "out").exists()


def test_what_float16_cannot_hold_is_exported_as_float32_alone(place):  # though a recurrent operator hides it
    def widen(weights):
        weights["encoder.convs.1.weight"][0, 0, 0] = 1e5

    make(place / "wide.pt", change=widen, conv_width=64)
    with pytest.raises(TrainingError, match=r"float16 cannot hold the largest weights .*: try --weights float32"):
        export.export([place / "wide.pt"], place / "out", "1")
    export.export([place / "wide.pt"], place / "out", "1", "float32")


@pytest.mark.parametrize(
    "other",
    [
        {"tokens": [LETTERS[0], *LETTERS[:0:-1]]},
        {"tokens": LETTERS[:-3]},
        {"data": DataOptions(units="syllable")},
        {"tokens": [*LETTERS[:-1], "ß"]},
    ],
    ids=["in another order", "fewer", "other units", "another letter"],
)
def test_what_writes_another_alphabet_is_not_averaged_nor_what_training_began_with(place, other):
    make(place / "b.pt", seed=2, **other)
    with pytest.raises(TrainingError, match="different alphabets or units cannot be averaged"):
        restore([place / "a.pt", place / "b.pt"])
    with pytest.raises(TrainingError, match=r"b\.pt: writes another alphabet or other units"):
        restore([place / "a.pt"], place / "b.pt")


def test_a_beginning_in_a_bundle_of_another_alphabet_is_refused(place):
    make(place / "b.pt", tokens=[LETTERS[0], *LETTERS[:0:-1]])
    export.export([place / "b.pt"], place / "b", "1", "float32")
    with pytest.raises(TrainingError, match="b: writes another alphabet"):
        restore([place / "a.pt"], place / "b")


def test_sounds_of_other_units_are_not_averaged(place):
    paths = [
        make(place / f"{units}.pt", data=DataOptions(auxiliary_units=units), auxiliary_layer=1, layers=2)
        for units in ("phoneme", "syllable")
    ]
    with pytest.raises(TrainingError, match="different alphabets or units"):
        restore(paths)


def test_weights_that_do_not_fit_are_told_in_one_line(place):
    def lose(weights):
        del weights["head.dense.bias"]

    make(place / "b.pt", change=lose)
    with pytest.raises(TrainingError, match="different weights cannot be averaged"):
        restore([place / "a.pt", place / "b.pt"])
    with pytest.raises(TrainingError, match="do not fit the network that it describes: choose another checkpoint"):
        restore([place / "b.pt"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model", "model: is a folder, not a checkpoint: it is a model already"),
        ("run", "run: is a folder, not a checkpoint: name one in it, such as run/average.pt"),
        ("bare", "bare: is a folder, not a checkpoint: name a .pt file"),
        ("unreadable.pt", "unreadable.pt: the checkpoint cannot be read (Too many levels"),
        ("half.pt", "half.pt is no checkpoint of this program or is damaged"),
        ("list.pt", "list.pt is no checkpoint of this program"),
        ("tensor.pt", "tensor.pt is no checkpoint of this program"),
        ("bare.pt", "bare.pt is no checkpoint of this program"),
        ("strange.pt", "strange.pt is no checkpoint of this program"),
    ],
)
def test_what_is_no_checkpoint_is_called_what_it_is_and_never_to_be_deleted(place, capsys, name, said):
    for folder in ("model", "run", "bare"):
        (place / folder).mkdir()
    (place / "model/card.json").touch()
    for path in ("run/average.pt", "run/last.pt"):
        (place / path).touch()
    (place / "unreadable.pt").symlink_to("unreadable.pt")
    whole = (place / "a.pt").read_bytes()
    (place / "half.pt").write_bytes(whole[: len(whole) // 2])
    state = checkpoint.load(place / "a.pt")
    things = {"list": [1, 2], "tensor": torch.zeros(3), "bare": state["model"], "strange": {**state, "model": {"a": 1}}}
    for key, value in things.items():
        torch.save(value, place / f"{key}.pt")
    assert run(["export", name, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "delete" not in error
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "words.bin"], "words.bin: is a file: choose a folder"),
        (["--out", "words.bin/out"], "words.bin/out: cannot be written"),
        (["--out", "notes"], "notes: holds a.txt and no model: choose another folder"),
        (["--out", "notes", "--overwrite"], "notes: holds a.txt and no model: choose another folder"),
        (["--out", "broken", "--overwrite"], "broken: the card is not JSON"),
        (["--out", "model"], "model: holds a model already: choose another folder, or give --overwrite"),
        (["--out", "model", "--overwrite", "--lm", "notes/a.txt"], "notes/a.txt: neither an ARPA file nor"),
        (["--out", "model", "--overwrite", "--lm", "nowhere"], "nowhere: no such language model"),
        (["--out", "model", "--overwrite", "--measure", "nowhere"], "nowhere: the manifest cannot be read"),
        (["--out", "model", "--overwrite", "--card", "nowhere"], "nowhere: the config cannot be read"),
        (["--out", "model", "--overwrite", "--card", "odd.toml"], "the card would not be readable (--card: windows"),
        (["--out", "model", "--overwrite", "--card", "date.toml"], "the card would not be readable"),
        (
            ["--out", "model", "--overwrite", "--noise-db", "41"],
            "--noise-db 41: feature noise_db 41.0 is not between 0 and 40",
        ),
        (
            ["--out", "model", "--overwrite", "--noise-db", "nan"],
            "--noise-db nan: feature noise_db nan is not between 0 and 40",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(place, capsys, arguments, said):
    for folder, name, text in (("notes", "a.txt", "words"), ("broken", "card.json", "{"), ("broken", "model.onnx", "")):
        (place / folder).mkdir(exist_ok=True)
        (place / folder / name).write_text(text)
    (place / "odd.toml").write_text("[card.windows]\nseconds = 1\ncontext_seconds = 9\n")
    (place / "date.toml").write_text("[card]\nmade = 2024-05-01\n")
    export.export([place / "a.pt"], place / "model", "1", language_model=place / "words.bin")
    make(place / "b.pt", seed=2)
    before = tree(place)
    assert run(["export", "b.pt", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert tree(place) == before


def test_a_new_folder_or_an_empty_one_needs_no_leave(place):
    (place / "empty").mkdir()
    for name in ("empty", "deep/new"):
        assert run(["export", "a.pt", "--out", name]) == 0
        assert verify(find(f"./{name}")) == {"model.onnx": True}
        assert os.stat(name).st_mode & 0o777 == 0o777 & ~umask()


def test_the_card_says_by_how_much_steady_noise_is_turned_down(place):
    def stir(weights):  # a graph names but one of weights that are alike
        for value in weights.values():
            value += 0.1 * torch.randn_like(value)

    make(place / "b.pt", change=stir)

    def noise_db(*arguments, of="b.pt"):
        assert run(["export", of, "--out", "out", "--overwrite", *arguments]) == 0
        return find("./out").card.features.noise_db

    assert noise_db() == 0
    assert noise_db("--start", "b.pt") == 0
    assert run(["export", "b.pt", "--out", "six", "--noise-db", "6"]) == 0
    assert noise_db("--start", "six") == 6
    assert noise_db("--start", "six", "--noise-db", "0") == 0
    assert noise_db("--noise-db", "9") == 9
    make(place / "c.pt", change=stir, data=DataOptions(noise_db=8))  # it learned from what is turned down
    assert noise_db(of="c.pt") == noise_db("--start", "six", of="c.pt") == 8
    assert noise_db("--noise-db", "5", of="c.pt") == 5


@pytest.fixture
def samples(place, monkeypatch):
    """A checkpoint of a network whose encoder reads samples, and what it is made of."""
    shape = {"encoder": "moonshine-tiny", "stack": 1, "rows": 1}
    facts = encoders.EncoderFacts(72, 2, 2, 0.024, "samples", None, "none", MoonshineEncoder)
    monkeypatch.setitem(encoders.FACTS, "moonshine-tiny", facts)
    make(place / "s.pt", **shape)
    return shape


@pytest.mark.parametrize("seconds", [0, 0.01, 1, 40])
def test_what_reads_samples_is_exported_and_reads_recordings_of_any_length(place, samples, seconds):
    sound = (0.1 * np.random.default_rng(0).standard_normal(int(16000 * seconds))).astype(np.float32)
    soundfile.write(place / "a.wav", sound, 16000)
    assert run(["export", "s.pt", "--out", "out"]) == 0
    card = find("./out").card
    assert (card.features.kind, card.features.hop, card.input.layout) == ("waveform", 128, "bn")
    with Recogniser(Options(model=ModelOptions(model="./out"))) as recogniser:
        assert len(rows(sound, recogniser)) == pytest.approx(seconds / 0.024, abs=2)
    assert run(["-m", "./out", "a.wav"]) == (0 if seconds else 1)


def test_noise_is_not_turned_down_where_there_are_no_bands(place, samples, capsys):
    assert run(["export", "s.pt", "--out", "out", "--noise-db", "6"]) == 2
    assert capsys.readouterr().err == (
        "transcribe: --noise-db 6: feature noise_db is for mel bands, not for a waveform\n"
    )
    assert not (place / "out").exists()


@pytest.mark.parametrize("ragged", [False, True])
def test_a_teacher_of_samples_says_what_its_network_says(place, samples, ragged):
    assert run(["export", "s.pt", "--out", "out", "--weights", "float32", *(["--ragged"] if ragged else [])]) == 0
    network, options, alphabet, _ = restore([place / "s.pt"])
    sound = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (2, 16000)).astype(np.float32))
    lengths = torch.tensor([16000, 9000])
    with torch.no_grad():
        log_probs, _, rows = network.both(sound, lengths)
    assert float(Teacher(place / "out", alphabet, options).loss(sound, lengths, log_probs, rows)) < 1e-3


def test_the_current_folder_can_be_the_models(place, monkeypatch, capsys):
    soundfile.write(place / "a.wav", np.zeros(16000), 16000)
    (place / "m.jsonl").write_text(json.dumps({"audio": "a.wav", "text": "a", "source": "here"}) + "\n")
    (place / "out").mkdir()
    monkeypatch.chdir(place / "out")
    assert run(["export", "../a.pt", "--out", ".", "--measure", "../m.jsonl"]) == 0
    assert "here                 1 utterances" in capsys.readouterr().out
    assert verify(find(str(place / "out"))) == {"model.onnx": True}


def test_a_model_that_gives_way_keeps_its_language_model_and_what_lies_beside(place):
    assert run(["export", "a.pt", "--out", "out", "--lm", "words.bin"]) == 0
    card = json.loads((place / "out/card.json").read_text())
    card["language_model"]["lm_weight"] = 0.7  # tuned meanwhile
    card["spellings"] = "mine.txt"  # taught
    (place / "out/mine.txt").write_text("Zoë\n", encoding="utf-8")
    (place / "out/card.json").write_text(json.dumps(card))
    (place / "out/LICENCE").write_text("free")
    before = (place / "out/model.onnx").read_bytes()
    make(place / "b.pt", seed=2)
    assert run(["export", "b.pt", "--out", "out", "--overwrite"]) == 0
    assert (place / "out/model.onnx").read_bytes() != before
    found = find("./out")
    assert found.card.language_model.lm_weight == 0.7
    assert found.spellings_path.read_text(encoding="utf-8") == "Zoë\n"
    assert verify(found) == {"model.onnx": True, "lm.bin": True}
    assert sorted(os.listdir("out")) == ["LICENCE", "card.json", "lm.bin", "mine.txt", "model.onnx"]
    assert [name for name in os.listdir() if name.startswith(".")] == []


@pytest.mark.parametrize("reason", ["its alphabet is another", "lm.bin is not there"])
def test_a_language_model_that_does_not_fit_is_left_behind_and_told(place, capsys, reason):
    export.export([place / "a.pt"], place / "out", "1", language_model=place / "words.bin")
    (place / "out/lm.json").write_text("{}")
    card = json.loads((place / "out/card.json").read_text())
    (place / "out/card.json").write_text(json.dumps({**card, "spellings": "mine.txt"}))
    (place / "out/mine.txt").write_text("Abba")
    if "alphabet" in reason:
        make(place / "a.pt", tokens=[LETTERS[0], *LETTERS[:0:-1]])
    else:
        (place / "out/lm.bin").unlink()
    assert run(["export", "a.pt", "--out", "out", "--overwrite"]) == 0
    assert f"out: the language model is not kept: {reason}; --lm gives one" in capsys.readouterr().err
    found = find("./out")
    assert found.card.language_model is None
    assert found.spellings_path is None
    assert verify(found) == {"model.onnx": True}
    assert sorted(os.listdir("out")) == ["card.json", "model.onnx"]


def test_an_export_that_fails_late_leaves_the_old_model(place, monkeypatch):
    export.export([place / "a.pt"], place / "out", "1", language_model=place / "words.bin")
    before = tree(place)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "attach", fail)
    with pytest.raises(OSError, match="out: cannot be written"):
        export.export([place / "a.pt"], place / "out", "2", overwrite=True)
    assert tree(place) == before


def test_no_number_is_no_small_difference(place):
    network = restore([place / "a.pt"])[0]
    onnx_graph.to_onnx(network, place / "x.onnx")
    with torch.no_grad():
        network.head.dense.bias[3] = float("nan")
    assert np.isnan(onnx_graph.compare(network, place / "x.onnx").largest)


@pytest.mark.parametrize("ragged", [False, True])
def test_what_is_longer_than_the_networks_longest_window_is_measured_too(place, monkeypatch, ragged):
    facts = encoders.EncoderFacts(16, 2, 2, 0.02, "mel", 30.0, "none", WhisperEncoder)
    monkeypatch.setitem(encoders.FACTS, "tiny", facts)
    make(place / "long.pt", encoder="tiny")
    soundfile.write(place / "a.wav", 0.1 * np.random.default_rng(1).standard_normal(16000 * 40), 16000)
    (place / "m.jsonl").write_text(json.dumps({"audio": "a.wav", "text": "a", "source": "here"}) + "\n")
    export.export([place / "long.pt"], place / "out", "1", ragged=ragged)
    heard, speed = export.measure_bundle(place / "out", place / "m.jsonl")
    assert heard.startswith("here                 1 utterances")
    assert "x real time on one core" in speed


@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_a_card_of_another_alphabet_is_refused_when_the_model_is_loaded(place, weights):
    export.export([place / "a.pt"], place / "out", "1", weights)
    card = json.loads((place / "out/card.json").read_text())
    del card["alphabet"]["tokens"][-1]
    (place / "out/card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=f"{len(LETTERS)} output tokens, the card's alphabet {len(LETTERS) - 1}"):
        Recogniser(Options(model=ModelOptions(model=str(place / "out"))))
