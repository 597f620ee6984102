"""`transcribe lm …` from files to files."""

import gzip
import json
import re
from pathlib import Path

import pytest
import soundfile
import toy_corpus
import toy_model

from transcribe_cli.cli import run
from transcribe_cli.decoding import DecodingOptions
from transcribe_cli.errors import InputError, OptionError
from transcribe_cli.evaluate import tune
from transcribe_cli.lm import arpa, layout
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser

TEXT = "Mr. Fox had 2 boxes.\n\nThe box had 1 fox!\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Path("corpus.txt").write_text("\n".join(toy_corpus.sentences(150)) + "\n")
    Path("notes.txt").write_text(TEXT)
    return tmp_path


def test_a_corpus_is_never_overwritten(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lm", "build", "notes.txt", "-o", "notes.txt"]) == 2
    assert "notes.txt is read and would be overwritten" in capsys.readouterr().err
    assert Path("notes.txt").read_text() == TEXT


def test_build_normalises_text_and_writes_what_the_name_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with gzip.open("more.txt.gz", "wt") as file:
        file.write("No fox.\n")
    assert run(["lm", "build", "notes.txt", "more.txt.gz", "-o", "a.arpa.gz", "--order", "2"]) == 0
    assert "12 words in 3 sentences" in capsys.readouterr().err
    assert {"mister", "two", "one", "no"} < set(arpa.read(Path("a.arpa.gz")).words)
    assert run(["lm", "build", "notes.txt", "-o", "a.bin", "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert layout.read_header(Path("a.bin")).order == 3
    assert run(["lm", "build", "notes.txt", "-o", "plain.arpa", "--as-is", "--binary"]) == 0
    assert "Mr." in layout.vocabulary(Path("plain.arpa"))


def test_small_text_says_that_discounts_were_not_estimated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["lm", "build", "notes.txt", "-o", "a.arpa", "--order", "2"])
    assert "discounts of 2-grams" in capsys.readouterr().err


def test_score_and_perplexity_agree_with_each_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["lm", "build", "corpus.txt", "-o", "a.bin", "-q", "--bits", "0"])
    Path("new.txt").write_text("the of zzz\nand the\n")
    assert run(["lm", "score", "a.bin", "new.txt"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(row[1], row[2]) for row in rows] == [("1", "the of zzz"), ("0", "and the")]
    assert run(["lm", "perplexity", "a.bin", "new.txt"]) == 0
    figures = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    total = sum(float(row[0]) for row in rows)
    assert float(figures["perplexity"]) == pytest.approx(10 ** (-total / 7), rel=1e-3)
    assert figures["unknown words"] == "1 of 5 (20.00 %)"


def test_info_and_vocab_say_what_a_file_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["lm", "build", "notes.txt", "-o", "a.arpa", "--order", "2", "-q"])
    run(["lm", "binary", "a.arpa", "-o", "a.bin"])
    capsys.readouterr()
    for name, kind in (("a.arpa", "ARPA"), ("a.bin", "KenLM binary, quantised trie")):
        assert run(["lm", "info", name]) == 0
        figures = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
        assert (figures["kind"], figures["order"], figures["unit"]) == (kind, "2", "word")
        assert figures["1-grams"] == "11"
        assert run(["lm", "vocab", name]) == 0
        assert capsys.readouterr().out.split() == ["box", "boxes", "fox", "had", "mister", "one", "the", "two"]
    run(["lm", "vocab", "a.bin", "--scores"])
    scores = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
    assert scores == sorted(scores, reverse=True)


def test_interpolate_takes_weights_or_finds_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["lm", "build", "corpus.txt", "-o", "a.arpa", "-q"])
    run(["lm", "build", "notes.txt", "-o", "b.arpa", "-q"])
    assert run(["lm", "interpolate", "a.arpa", "b.arpa", "--weight", "0.5", "--weight", "0.5", "-o", "c.bin"]) == 0
    assert {"fox", "the", "his"} < set(layout.vocabulary(Path("c.bin")))
    assert run(["lm", "interpolate", "a.arpa", "b.arpa", "--tune", "notes.txt", "-o", "c.arpa"]) == 0
    weights = capsys.readouterr().err
    assert float(weights.split()[-1]) > 0.8


def test_prune_makes_a_model_smaller(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["lm", "build", "corpus.txt", "-o", "a.arpa", "-q"])
    for flags in (["--entropy", "1e-3"], ["--max-ngrams", "500"], ["--order", "2"]):
        assert run(["lm", "prune", "a.arpa", "-o", "b.arpa", *flags]) == 0
        assert sum(arpa.read_sizes(Path("b.arpa"))) < sum(arpa.read_sizes(Path("a.arpa")))
    assert "→" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "none.txt", "-o", "a.arpa"], "none.txt: no such file"),
        (["build", ".", "-o", "a.arpa"], "is a folder"),
        (["build", "empty.txt", "-o", "a.arpa"], "no words in it"),
        (["build", "latin.txt", "-o", "a.arpa"], "line 1 is not UTF-8"),
        (["build", "notes.txt", "-o", "a.arpa", "--order", "9"], "--order"),
        (["build", "notes.txt", "-o", "a.arpa", "--prune", "2"], "--min-count"),
        (["build", "notes.txt", "-o", "notes.txt/a.arpa"], "cannot be written"),
        (["info", "notes.txt"], "not an ARPA file"),
        (["perplexity", "a.bin", "empty.txt"], "no words"),
        (["interpolate", "a.bin", "-o", "c.arpa"], "two models"),
        (["interpolate", "a.bin", "a.bin", "-o", "c.arpa"], "--weight"),
        (["interpolate", "a.bin", "a.bin", "-o", "c.arpa", "--weight", "1"], "2 models and 1 weights"),
        (["interpolate", "a.bin", "char.bin", "-o", "c.arpa", "--tune", "notes.txt"], "the same --unit"),
        (["prune", "a.bin", "-o", "c.arpa"], "how much to drop"),
        (["binary", "cut.bin", "-o", "c.bin"], "cut off"),
        (["score", "cut.bin", "notes.txt"], "cut off"),
        (["info", "cut.arpa"], "cut off|words its header promises"),
        (["prune", "cut.arpa", "-o", "c.arpa", "--order", "2"], "cut off"),
        (["interpolate", "a.bin", "cut.arpa.gz", "-o", "c.arpa", "--tune", "notes.txt"], "damaged compressed file"),
        (["perplexity", "cut.arpa.gz", "notes.txt"], "damaged or truncated"),
        (["vocab", "corrupt.arpa"], "KenLM cannot read|damaged"),
        (["binary", "corrupt.arpa", "-o", "c.bin"], "is not a 1-gram with its probability"),
        (["tune", "none.jsonl", "--model", "none"], "no model named"),
        (["recipe", "none.toml", "--data", ".", "-o", "x"], "no such file"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_wrong(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    run(["lm", "build", "notes.txt", "-o", "a.bin", "-q"])
    run(["lm", "build", "notes.txt", "-o", "char.bin", "-q", "--unit", "char"])
    run(["lm", "build", "notes.txt", "-o", "a.arpa", "-q"])
    Path("cut.bin").write_bytes(Path("a.bin").read_bytes()[:3000])
    Path("cut.arpa").write_bytes(Path("a.arpa").read_bytes()[:150])
    Path("cut.arpa.gz").write_bytes(gzip.compress(Path("a.arpa").read_bytes())[:150])
    Path("corrupt.arpa").write_text(Path("a.arpa").read_text().replace("\\1-grams:\n-", "\\1-grams:\nmany-"))
    Path("empty.txt").write_text("")
    Path("latin.txt").write_bytes("naïve".encode("latin-1"))
    assert run(["lm", *arguments]) == 2
    err = capsys.readouterr().err
    assert re.search(message, err)
    assert len(err.splitlines()) == 1


def test_one_word_is_a_corpus(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.txt").write_text("word\n")
    assert run(["lm", "build", "one.txt", "-o", "one.bin"]) == 0
    assert "1 words in 1 sentences" in capsys.readouterr().err
    run(["lm", "vocab", "one.bin"])
    assert capsys.readouterr().out == "word\n"


@pytest.fixture
def toy(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy acoustic model with a language model, and a manifest of four recordings."""
    entry = {"file": "lm.bin", "lm_weight": 0.1, "word_bonus": 0.0}
    folder = toy_model.write_bundle(home / "models" / "toy", language_model=entry)
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(home / "models"))
    Path("words.txt").write_text("bad cab\nfed\nhead bad\ncab\n")
    run(["lm", "build", "words.txt", "-o", str(folder / "lm.bin"), "-q", "--order", "2"])
    with Path("dev.jsonl").open("w") as file:
        for i, text in enumerate(["bad cab", "fed", "head bad", "cab"]):
            soundfile.write(f"{i}.wav", toy_model.sound(text), 16000)
            file.write(json.dumps({"audio": f"{i}.wav", "text": text, "source": "ab"[i % 2]}) + "\n")
    return folder


def test_tune_prints_the_grid_and_writes_the_best_weights(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = [
        "--lm-weights",
        "0,0.5",
        "--word-bonuses",
        "-15,0",
        "--temperatures",
        "3",
        "--rows",
        "rows.npz",
        "--jobs",
        "1",
    ]
    assert run(["lm", "tune", "dev.jsonl", "--model", "toy", *grid, "--write-card"]) == 0
    out = capsys.readouterr().out
    assert len([line for line in out.splitlines() if "100" in line and "│" in line]) >= 4
    card = json.loads((toy / "card.json").read_text())
    point = {"lm_weight": 0.0, "word_bonus": 0.0, "temperature": 3.0}
    limits = {"beam_width": 100, "token_min_logp": -5.0, "beam_prune_logp": -10.0}
    assert card["language_model"] == {"file": "lm.bin", **point, **limits}
    # the network does not run again, so the recordings may be gone
    for path in Path().glob("*.wav"):
        path.unlink()
    assert run(["lm", "tune", "dev.jsonl", "--model", "toy", *grid]) == 0
    assert "word errors" in capsys.readouterr().out
    # rows of other lines are not taken for these
    Path("dev.jsonl").write_text(Path("dev.jsonl").read_text().replace('"text": "', '"text": "and ', 1))
    assert run(["lm", "tune", "dev.jsonl", "--model", "toy", *grid]) == 2
    assert "rows.npz: log-probabilities of another model or other lines" in capsys.readouterr().err


def test_what_was_typed_wins_over_what_the_card_was_tuned_at(toy: Path) -> None:
    card = json.loads((toy / "card.json").read_text())
    card["language_model"] |= {"temperature": 2.0, "beam_width": 7, "token_min_logp": -3, "beam_prune_logp": -6.5}
    (toy / "card.json").write_text(json.dumps(card))
    options = Options(model=ModelOptions(model="toy"), decoding=DecodingOptions(lm_weight=0.9))
    with Recogniser(options) as recogniser:
        decoding = recogniser.settings.decoding
    assert (*decoding.weights, decoding.softening, decoding.width, *decoding.limits) == (0.9, 0.0, 2.0, 7, -3, -6.5)


def test_worker_processes_find_the_same(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = tune.grid(tune.TuneOptions(lm_weights="0,1", word_bonuses="0"))
    grid = ["--lm-weights", "0,1", "--word-bonuses", "0", "--rows", "rows.npz", "--jobs", "1"]
    run(["lm", "tune", "dev.jsonl", "--model", "toy", *grid])
    from transcribe_cli.bundle.store import find

    alphabet = find("toy").card.alphabet
    alone, together = (tune.sweep(Path("rows.npz"), alphabet, toy / "lm.bin", points, jobs) for jobs in (1, 2))
    assert [point.counts for point in alone] == [point.counts for point in together]
    assert set(alone[0].counts) == {"a", "b"}


def test_heat_map_is_drawn(toy: Path) -> None:
    pytest.importorskip("matplotlib")
    grid = ["--lm-weights", "0,0.5", "--word-bonuses", "0,1", "--jobs", "1"]
    assert run(["lm", "tune", "dev.jsonl", "--model", "toy", *grid, "--plot", "map.png"]) == 0
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("values", ["", "a", "nan", "1,,x"])
def test_senseless_grid_is_refused(values: str) -> None:
    with pytest.raises(OptionError, match="--lm-weights"):
        tune.TuneOptions(lm_weights=values)


def test_saved_rows_that_are_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="not saved log-probabilities"):
        tune.load(tmp_path / "rows.npz")
