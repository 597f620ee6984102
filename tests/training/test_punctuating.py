"""What punctuates: its text, its network, its graph, and a training after which sentences are whole."""

import json
import random

import numpy as np
import pytest
import toy_punctuation

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("sentencepiece")

from stirred import stirred  # noqa: E402

from transcribe_cli.cli import run  # noqa: E402
from transcribe_cli.errors import TrainingError  # noqa: E402
from transcribe_cli.lm import recipe as recipes  # noqa: E402
from transcribe_cli.lm.pieces import END  # noqa: E402
from transcribe_cli.punctuation import CASES, SIGNS, Punctuator, punctuated, written  # noqa: E402
from transcribe_cli.training import (  # noqa: E402
    checkpoint,
    language_graph,
    language_text,
    punctuation,
    punctuation_export,
    punctuation_pauses,
)
from transcribe_cli.training import punctuation_text as text  # noqa: E402
from transcribe_cli.training.language_network import PunctuationNetwork  # noqa: E402
from transcribe_cli.training.language_options import PunctuationTraining  # noqa: E402
from transcribe_cli.transcript import Segment, Word  # noqa: E402

RECIPE = """
name = "toy"
tune = []
held_out = 4

[[component]]
name = "all"
sources = [{ file = "one", licence = "CC0", origin = "here" }, { file = "two", licence = "MIT", origin = "there" }]
"""
PIECES = 28
SMALL = PunctuationTraining(
    pieces=PIECES, width=24, layers=2, heads=3, steps=200, batch_size=8, warmup_steps=3, save_steps=50, rate=0.02,
    threads=1, bfloat16=False, compile=False,
)  # fmt: skip
NAMES, VERBS = ("Ann", "Bob", "NASA", "Winter"), ("sees", "takes", "likes", "hammers")


def sentences(n, seed):
    """A question begins with "does"; behind "well" stands a comma; names have capitals."""
    draw = random.Random(seed).choice
    found = []
    for _ in range(n):
        start, end = draw((("Well, ", "."), ("Does ", "?"), ("", ".")))
        found.append(f"{start}{draw(NAMES)} {draw(VERBS)}{end}")
    return found


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "text").mkdir(parents=True)
    for seed, name in enumerate(("one", "two")):
        (folder / "text" / f"{name}.txt").write_text("\n".join(sentences(600, seed)))
    (tmp_path / "punctuation.toml").write_text(RECIPE)
    return folder


@pytest.fixture
def recipe(data):
    return recipes.load(data.parent / "punctuation.toml")


@pytest.fixture(scope="module")
def network():
    """One that has learned nothing, but of which every part counts."""
    return stirred(lambda: PunctuationNetwork(len(INVENTORY), width=24, layers=2, heads=3, inner=96))


INVENTORY = tuple((name, 0.0) for name in language_text.SPECIAL) + tuple(
    (piece, -float(i))
    for i, piece in enumerate(f"{a}{end}" for a in "abcdefghijklmnopqrstuvwxyz'" for end in ("", END))
)


def as_marked(line):
    """What a line's marks say, put together again; # where the end of the line tells nothing."""
    found = text.marked(line)
    if found is None:
        return None
    signs = (*SIGNS, *["?!"] * 3, "#")
    return " ".join(written(word, signs[mark >> 2], CASES[mark & 3]) for word, mark in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Yes, he did.", "Yes, he did."),
        ('"Yes," he said, "I did!"', "Yes, he said, I did."),
        ("Did it close; or not?", "Did it close, or not?"),
        ("It closed \u2014 didn\u2019t it?", "It closed, didn't it?"),
        ("It closed--didn't it?", "It closed, didn't it?"),
        ("Mr. Smith met Dr. Who.", "Mister Smith met Doctor Who."),
        ("The U.S. office of NASA's is well-known, e.g. in Rome.",
         "The US office of NASA's is well known, for example in Rome.".replace("US", "U S")),
        ("I paid 12% of the 1,000, not $5.", "I paid twelve percent of the one thousand, not five dollars."),
        ("About $8.1 million, I think.", "About eight point one million dollars, I think."),
        ("Hm... I see... and then... He went.", "Hm, I see, and then. He went."),
        ("We left at 3 p.m. and ate.", "We left at three p m and ate."),
        ("Yeah , I think so .", "Yeah, I think so."),
        ("What is this (again)?", "What is this again?"),
        ("And/or not: both.", "And or not, both."),
        ("no end at all", "no end at all#"),
        ("it stops at a comma,", "it stops at a comma#"),
        ("'Tis late.", "'Tis late."),
        ("CHAPTER ONE", None),
        ("See www.example.com for more.", None),
        ("\u041f\u0440\u0438\u0432\u0435\u0442.", None),
        ("...", ""),
    ],
)  # fmt: skip
def test_sentences_become_marked_words(line, expected):
    assert as_marked(line) == expected


def test_text_is_prepared_once(recipe, data, tmp_path):
    said = []
    made = text.prepare(recipe, data, tmp_path / "work", PIECES, said.append)
    assert sum(made.words.values()) == sum(len(line.split()) for lines in map(lines_of, (0, 1)) for line in lines)
    assert not any("already" in line for line in said)
    again = text.prepare(recipe, data, tmp_path / "work", PIECES, said.append)
    assert "already" in said[-1]
    for name, lines in made.train.items():
        np.testing.assert_array_equal(lines.marks, again.train[name].marks)
    assert again.report.keys() == made.report.keys() == {"one", "two"}


def lines_of(seed):
    """The lines of a text that are learned from: of four blocks of fifty the third is held out."""
    return [line for i, line in enumerate(sentences(600, seed)) if i // 50 % 4 != 2]


def words_of(pieces, signs, cases, inventory):
    """A row's words with what is asked of each; "|" where speech begins or ends."""
    found, word = [], ""
    for piece, sign, case in zip(pieces, signs, cases, strict=True):
        name = inventory[piece][0]
        if name in language_text.SPECIAL:
            assert (sign, case, word) == (-1, -1, "")
            found.append("|" if name == "<s>" else "~")
            continue
        word += name
        if name.endswith(END):
            found.append(written(word.removesuffix(END), SIGNS[sign], CASES[case]))
            word = ""
        else:
            assert (sign, case) == (-1, -1)
    return found


def test_rows_are_stretches_of_the_text_with_what_is_said_of_each_word(recipe, data, tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_MISHEARD", 0.0)
    made = text.prepare(recipe, data, tmp_path / "work", PIECES, lambda _: None)
    rows = text.Rows(made, 8, 5)
    told = {" ".join(lines_of(seed)) + " " + " ".join(lines_of(seed)) for seed in (0, 1)}
    starts, breaks = set(), 0
    for step in range(8):
        pieces, signs, cases = rows(step)
        assert pieces.size == 8 * 64
        np.testing.assert_array_equal(rows(step), [pieces, signs, cases])
        for row in zip(pieces, signs, cases, strict=True):
            first, *words = words_of(*row, made.inventory)
            starts.add(first)
            if first == "|":
                assert words[0][0].isupper()
            breaks += "|" in words
            spoken = " ".join(word for word in words if word != "|")
            assert any(spoken in one for one in told), spoken
            for i, word in enumerate(words):
                assert word != "|" or words[i - 1][-1] in ".?", "speech ends with a sentence"
    assert starts == {"|", "~"}
    assert 10 < breaks < 90


def test_some_pieces_are_misheard_and_words_stay_words(recipe, data, tmp_path, monkeypatch):
    made = text.prepare(recipe, data, tmp_path / "work", PIECES, lambda _: None)
    heard = text.Rows(made, 64, 5)(0)
    monkeypatch.setattr(text, "_MISHEARD", 0.0)
    true = text.Rows(made, 64, 5)(0)
    np.testing.assert_array_equal(heard[1:], true[1:])
    ends = np.array([piece.endswith(END) for piece, _ in made.inventory])
    np.testing.assert_array_equal(ends[heard[0]], ends[true[0]])
    assert 0.005 < (heard[0] != true[0]).mean() < 0.04


def test_too_little_text_is_told(recipe, data, tmp_path):
    for name in ("one", "two"):
        (data / "text" / f"{name}.txt").write_text("It is the quick brown fox. Was it?\n" * 3)
    made = text.prepare(recipe, data, tmp_path / "work", 27, lambda _: None)
    with pytest.raises(TrainingError, match="too little text"):
        text.Rows(made, 8, 5)


def test_a_place_knows_both_sides(network):
    one = torch.randint(0, len(INVENTORY), (3, 11))
    other = one.clone()
    other[:, 6] = (one[:, 6] + 1) % PIECES
    with torch.no_grad():
        apart = (network(one) - network(other)).abs().amax((0, 2))
    assert (apart > 1e-4).all()


def test_loss_is_that_of_the_places_that_are_asked_for(network):
    rows = torch.stack([torch.randint(0, len(INVENTORY), (2, 9)), torch.full((2, 9), -1), torch.full((2, 9), -1)])
    rows[1, 0, 3], rows[2, 1, 4], rows[2, 0, 0] = 2, 1, 0
    with torch.no_grad():
        signs, cases = (one.log_softmax(-1) for one in network.scores(network(rows[0])))
        wanted = -signs[0, 3, 2] - (cases[1, 4, 1] + cases[0, 0, 0]) / 2
        torch.testing.assert_close(network.loss(rows), wanted)


def test_graph_is_the_network_and_the_program_reads_it(network, tmp_path):
    path, rng = tmp_path / "p.onnx", np.random.default_rng(2)
    pieces = rng.integers(3, len(INVENTORY), 300).astype(np.uint16)
    lines = language_text.Lines(pieces, np.arange(0, 300, 10), rng.integers(0, 12, 300).astype(np.uint8))
    (plain, small) = punctuation_export.export(network, INVENTORY, path, {"one": lines})["one"]
    assert plain == punctuation_export.score(lines, punctuation_export.of_network(network))
    for sign in (*SIGNS[1:], "capitals"):
        assert abs(plain[sign].said - small[sign].said) < 0.1 * 300
    punctuator = Punctuator(path)
    words = ["ab", "xyz", "q", "don't", "é"]
    row = [0, *(i for word in words for i in punctuator._graph.pieces.of(word)), 0]
    asked = np.cumsum([len(punctuator._graph.pieces.of(word)) for word in words])
    ours = punctuator.log_probs(words, 0, len(words), True, True)
    for said, theirs in zip(ours, network.scores(network(torch.tensor([row]))), strict=True):
        wanted = theirs[0].log_softmax(-1).detach().numpy()[asked]
        assert np.abs(said - wanted).max() < 0.2, "eight bits"


def test_graph_that_differs_is_not_written(network, tmp_path, monkeypatch):
    other = PunctuationNetwork(len(INVENTORY), width=24, layers=2, heads=3, inner=96)
    monkeypatch.setattr(punctuation_export, "build", lambda _, integers: language_graph.build(other, integers))
    with pytest.raises(TrainingError, match="differs from PyTorch"):
        punctuation_export.export(network, INVENTORY, tmp_path / "p.onnx", {})
    assert not (tmp_path / "p.onnx").exists()


def test_scores_are_counted_as_the_definition_has_it():
    found = punctuation_export.Found(3, 5, 4)
    assert found.f1 == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4))
    assert punctuation_export.Found().f1 == 0
    assert punctuation_export.total({"a": dict.fromkeys((*SIGNS[1:], "capitals"), found), "b": {
        name: punctuation_export.Found(1, 1, 1) for name in (*SIGNS[1:], "capitals")
    }})["?"] == punctuation_export.Found(4, 6, 5)  # fmt: skip


def test_what_was_learned_is_written_and_a_stopped_training_goes_on(recipe, data, tmp_path):
    said = []
    card = punctuation.train(recipe, data, tmp_path / "out", SMALL, said.append)
    assert min(min(one.values()) for one in card["held_out_f1"].values()) > 80, said
    assert card["corpora"][0]["licence"] == "CC0"
    assert json.loads((tmp_path / "out" / "punctuation.json").read_text()) == json.loads(json.dumps(card))
    words = ["well", "ann", "sees", "does", "bob", "likes", "nasa", "takes"]
    heard = [Segment(0.0, 1.0, tuple(Word(word, 0.0, 1.0, 1.0) for word in words))]
    (found,) = punctuated(heard, Punctuator(tmp_path / "out" / "punctuation.onnx"))
    assert found.text == "Well, Ann sees. Does Bob likes? NASA takes."
    before = (tmp_path / "out" / "punctuation.onnx").read_bytes()
    (tmp_path / "out" / "punctuation.onnx").unlink()
    punctuation.train(recipe, data, tmp_path / "out", SMALL, said.append)
    assert "going on from step 200" in said
    assert (tmp_path / "out" / "punctuation.onnx").read_bytes() == before


def test_command_trains_and_says_what_is_wrong_in_a_line(recipe, data, tmp_path, capsys):
    call = ["lm", "punctuation", str(tmp_path / "punctuation.toml"), "--data", str(data), "--output"]
    flags = ["--pieces", "28", "--width", "24", "--layers", "1", "--steps", "2", "--no-compile", "--threads", "1"]
    assert run([*call, str(tmp_path / "out"), *flags, "--batch-size", "4"]) == 0
    assert (tmp_path / "out" / "punctuation.onnx").stat().st_size > 1000
    capsys.readouterr()
    assert run([*call, str(tmp_path / "out"), *flags, "--batch-size", "5"]) == 2
    assert "--batch-size 4" in capsys.readouterr().err
    assert run([*call, str(tmp_path / "new"), *flags, "--speech", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl: no such file" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    (data / "text" / "two.txt").unlink()
    assert run([*call, str(tmp_path / "other"), *flags]) == 2
    assert "two.txt" in capsys.readouterr().err.splitlines()[-1]


def test_the_mean_with_where_a_lengthened_run_began_is_written(recipe, data, tmp_path, capsys, monkeypatch):
    call = ["lm", "punctuation", str(tmp_path / "punctuation.toml"), "--data", str(data), "--output"]
    call += [
        str(tmp_path / "out"),
        "--pieces",
        "28",
        "--width",
        "24",
        "--layers",
        "1",
        "--no-compile",
        "--threads",
        "1",
    ]
    state, first = tmp_path / "out" / "punctuation.pt", tmp_path / "first.pt"
    written = []
    finish = punctuation.finish
    monkeypatch.setattr(
        punctuation, "finish", lambda network, *rest: written.append(network.state_dict()) or finish(network, *rest)
    )
    assert run([*call, "--steps", "2"]) == 0
    first.write_bytes(state.read_bytes())
    assert run([*call, "--steps", "4", "--start", str(first)]) == 0
    ends = [checkpoint.load(path)["model"] for path in (first, state)]
    for name, value in written[-1].items():
        torch.testing.assert_close(value, (ends[0][name] + ends[1][name]) / 2)
    told = json.loads((tmp_path / "out" / "punctuation.json").read_text())["options"]
    assert (told["steps"], told["lengthened"], told["halfway_to"]) == (4, [2], 2)
    capsys.readouterr()
    for start, line in (("none.pt", "no such checkpoint"), ("out", "is a folder"), ("wide.pt", "with --width 48")):
        if start == "wide.pt":
            other = checkpoint.load(first)
            checkpoint.save({**other, "options": {**other["options"], "width": 48}}, tmp_path / start)
        assert run([*call, "--steps", "4", "--start", str(tmp_path / start)]) == 2
        err = capsys.readouterr().err
        assert (line in err, err.count("\n")) == (True, 1)


def heard_jsonl(path, seed, n=400, stop=(0.3, 1.1), none=(0.0, 0.2)):
    """Transcripts of words, in which a pause behind a word that ends in d (a full stop, for the toy) is longer."""
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        for _ in range(n):
            words, at = [], 0.0
            for word in rng.choice(["ab", "ba", "bd", "hd", "c"], 12):
                words.append({"word": str(word), "start": round(at, 3), "end": round(at + 0.3, 3)})
                at += 0.3 + rng.uniform(*(stop if word.endswith("d") else none))
            file.write(json.dumps({"audio": "x", "words": words}) + "\n")
    return path


def test_pauses_are_learned_from_what_the_words_say(tmp_path):
    toy = Punctuator(toy_punctuation.write(tmp_path / "toy.onnx"))
    told = punctuation_pauses.estimate(toy, heard_jsonl(tmp_path / "heard.jsonl", 1))
    by_length = dict(zip(told["seconds"], told["logs"]["."], strict=True))
    assert told["logs"]["."] == told["logs"]["?"]
    assert set(told["logs"][""]) == {0.0}
    assert max(by_length[seconds] for seconds in (0.0, 0.08, 0.16)) < -1
    assert min(by_length[seconds] for seconds in (0.4, 0.65, 1.0)) > 1
    comma = dict(zip(told["seconds"], told["logs"][","], strict=True))
    assert max(abs(comma[seconds]) for seconds in (0.0, 0.08, 0.16)) < 0.3, "a comma's are those of any other word here"


def test_a_pause_counts_for_a_sign_by_how_likely_that_is():
    rng = np.random.default_rng(3)
    ends = rng.random(40_000) < 0.3
    true = np.array([rng.dirichlet(np.ones(13)), rng.dirichlet(np.ones(13))])
    lengths = np.where(ends, rng.choice(13, len(ends), p=true[1]), rng.choice(13, len(ends), p=true[0]))
    for sure in (1.0, 0.8):  # what is said of each word holds that often
        said = np.where(rng.random(len(ends)) < sure, ends, ~ends)
        likely = np.where(said, sure, 1 - sure)
        found = punctuation_pauses._distributions(np.stack([1 - likely, likely], axis=1), lengths)
        weights = np.stack([1 - likely, likely])
        mixed = np.stack([[w[ends].sum(), w[~ends].sum()] for w in weights])  # of each kind, what truly ends and not
        mixed /= mixed.sum(axis=1, keepdims=True)
        assert np.abs(found - mixed @ true[::-1]).max() < 0.02


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "too few"), ('{"words": [{"word": "a"}]}', "line 1"), ("[1]", "line 1"), ("no json", "line 1")],
)
def test_transcripts_that_tell_no_pauses_are_refused(tmp_path, content, message):
    toy = Punctuator(toy_punctuation.write(tmp_path / "toy.onnx"))
    (tmp_path / "heard.jsonl").write_text(content)
    with pytest.raises(TrainingError, match=message):
        punctuation_pauses.estimate(toy, tmp_path / "heard.jsonl")


def test_a_finished_model_is_told_of_pauses(tmp_path):
    path = toy_punctuation.write(tmp_path / "punctuation.onnx")
    card = punctuation.hear(tmp_path, heard_jsonl(tmp_path / "heard.jsonl", 1), {"name": "toy"}, lambda _: None)
    assert json.loads((tmp_path / "punctuation.json").read_text()) == card
    told, plain = Punctuator(path), Punctuator(toy_punctuation.write(tmp_path / "plain.onnx"))
    nothing = np.zeros((3, 4))
    assert not plain.with_pauses(nothing, [0.0, 1.0, np.nan]).any()
    bonus = told.with_pauses(nothing, [0.0, 1.0, np.nan])
    assert (bonus[0, 2:] < -1).all()
    assert (bonus[1, 2:] > 1).all()
    assert not bonus[2].any()
    assert not bonus[:, 0].any()
    assert card["bytes"] == path.stat().st_size
