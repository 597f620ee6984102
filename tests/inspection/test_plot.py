"""The picture of a recording: drawn, of the right kind, and refused in one line."""

import builtins

import pytest
import soundfile
import toy_model

from transcribe_cli.cli import run


@pytest.fixture
def home(home):
    soundfile.write("talk.wav", toy_model.sound("bad cab.head"), 16000)
    return home


def test_sound_features_and_log_probabilities_are_drawn(home, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.axes import Axes

    written = []
    real = Axes.text
    monkeypatch.setattr(Axes, "text", lambda self, x, y, s, **how: written.append((x, s)) or real(self, x, y, s, **how))
    assert run(["inspect", "talk.wav", "--plot", "talk.png", "-q"]) == 0
    assert (home / "talk.png").read_bytes()[:4] == b"\x89PNG"
    words = [text for _, text in written if len(text) > 1]
    letters = [(x, text) for x, text in written if len(text) == 1]
    assert words == ["bad", "cabhead"]  # the pause is too short to be a boundary
    assert "".join(text for _, text in letters) == "badcabhead"
    assert letters[0][0] == pytest.approx(0.25, abs=0.06)


def test_a_known_text_and_a_part_may_be_drawn(home):
    pytest.importorskip("matplotlib")
    arguments = ["inspect", "talk.wav", "--text", "Bad $ cab, head!", "--start", "0.1", "--duration", "2"]
    assert run([*arguments, "--plot", "talk.svg"]) == 0
    assert "<svg" in (home / "talk.svg").read_text()
    assert run([*arguments, "--plot", "talk.svg"]) == 2  # it is there already
    assert run([*arguments, "--plot", "talk.svg", "--overwrite"]) == 0


def test_other_kinds_and_a_missing_library_are_one_line(home, capsys, monkeypatch):
    assert run(["inspect", "talk.wav", "--plot", "talk.gif"]) == 2
    assert ".png, .svg, .pdf" in capsys.readouterr().err
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run(["inspect", "talk.wav", "--plot", "talk.png"]) == 2
    assert "pip install 'transcribe-cli[plot]'" in capsys.readouterr().err
