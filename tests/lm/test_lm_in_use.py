"""Models built by the commands, used by the command that transcribes: what they decide, and which are refused."""

from pathlib import Path

import pytest
import soundfile
import toy_model

from transcribe_cli.cli import run
from transcribe_cli.lm.model import LanguageModel


@pytest.fixture
def unclear(home: Path) -> Path:
    """A recording whose first letter is as much a b as a c: "bad", or "cad"."""
    soundfile.write("unclear.wav", (toy_model.sound("bad") + toy_model.sound("cad")) / 2, 16000)
    return home


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("name", ["lm.bin", "lm.arpa", "lm.arpa.gz"])
def test_the_model_and_only_the_model_decides_between_two_letters(
    unclear: Path, capsys: pytest.CaptureFixture[str], unit: str, name: str
) -> None:
    heard = []
    for text in ("bad", "cad"):
        Path("text.txt").write_text(f"{text}\na {text}\n" * 3)
        assert run(["lm", "build", "text.txt", "-o", name, "-q", "--unit", unit]) == 0
        assert LanguageModel.load(name).unit == unit
        capsys.readouterr()
        assert run(["unclear.wav", "--lm", name]) == 0
        heard.append(capsys.readouterr().out.strip())
    assert heard == ["bad", "cad"]


def test_what_greedy_decoding_does_not_read_is_told(unclear: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unclear.wav", "--lm", "lm.bin", "--decoder", "greedy"]) == 0
    assert capsys.readouterr().err == "transcribe: --decoder greedy reads no language model: lm.bin is not used\n"
    assert run(["unclear.wav", "--lm", "lm.bin", "--decoder", "greedy", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_a_character_model_says_what_it_is_and_scores_characters(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.txt").write_text("a bad cab\n")
    assert run(["lm", "build", "text.txt", "-o", "char.bin", "--unit", "char", "--order", "2"]) == 0
    assert "9 characters in 1 sentences, 5 different" in capsys.readouterr().err
    run(["lm", "info", "char.bin"])
    assert "unit\tchar" in capsys.readouterr().out
    run(["lm", "perplexity", "char.bin", "text.txt"])
    figures = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert float(figures["perplexity"]) < 6
    assert figures["unknown words"] == "0 of 9 (0.00 %)"


def test_the_cpp_engine_is_not_asked_to_read_characters(unclear: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.txt").write_text("bad\na bad\n")
    run(["lm", "build", "text.txt", "-o", "char.bin", "-q", "--unit", "char"])
    assert run(["unclear.wav", "--lm", "char.bin", "--decoder", "fast"]) == 2
    assert "take --decoder beam" in capsys.readouterr().err


def test_a_penalty_of_1000_lets_only_words_of_the_model_through(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # "deaf" is heard clearly; the model knows "dead" and what is farther off
    soundfile.write("deaf.wav", toy_model.sound("deaf") + 0.2 * toy_model.sound("dead"), 16000)
    Path("text.txt").write_text("dead\na dead cab\n")
    run(["lm", "build", "text.txt", "-o", "lm.bin", "-q"])
    capsys.readouterr()
    heard = []
    for penalty in ("0", "1000"):
        assert run(["deaf.wav", "--lm", "lm.bin", "--token-min-logp", "-100", "--unknown-penalty", penalty]) == 0
        heard.append(capsys.readouterr().out.strip())
    assert heard == ["deaf", "dead"]


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize(("text", "reason"), [("BAD CAB", "lower-case text"), ("плохо такси", "can spell only")])
def test_a_model_of_another_case_or_alphabet_is_refused_in_one_line(
    unclear: Path, capsys: pytest.CaptureFixture[str], unit: str, text: str, reason: str
) -> None:
    Path("text.txt").write_text(text)
    assert run(["lm", "build", "text.txt", "-o", "lm.bin", "-q", "--unit", unit, "--as-is"]) == 0
    capsys.readouterr()
    assert run(["unclear.wav", "--lm", "lm.bin"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert reason in err
    assert "lm.bin" in err
