"""What is done with one spoiled file, and what may come of it: words, or an error of this package in one line."""

import contextlib
import io
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mutations
import toy_model

from transcribe_cli.cli import run
from transcribe_cli.errors import TranscribeError
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser


@dataclass(frozen=True)
class Trial:
    """One seed's outcome; `problem` is empty where all is as it should be."""

    seed: int
    what: str
    outcome: str
    problem: str
    cpu_seconds: float
    peak_bytes: int


class Spoiled:
    """Makes damaged files in a folder and tries them. kind: "audio" or "models"."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.bundle = toy_model.write_bundle(folder / "models" / "toy")
        self.sound = toy_model.speak(folder / "a.wav", "bad.cab")
        os.environ |= {"TRANSCRIBE_MODELS": str(folder / "models"), "TRANSCRIBE_MODEL": "toy"}
        os.environ["XDG_CONFIG_HOME"] = str(folder / "none")
        os.chdir(folder)
        if kind == "audio":
            self.originals = mutations.recordings(folder / "whole")
            self.recogniser = Recogniser(Options(ModelOptions("toy")))
        else:
            self.lms = mutations.language_models(folder / "lms")
            assert run(["a.wav", "--format", "json", "-o", "a.json", "-q"]) == 0

    def trial(self, seed: int) -> Trial:
        """Spoils something by this seed and tries it."""
        begun = time.process_time()
        what, work = self._audio(seed) if self.kind == "audio" else self._model(seed)
        problem = ""
        try:
            outcome = work()
        except TranscribeError as error:
            outcome = type(error).__name__
            if len(str(error).splitlines()) != 1 or not str(error).isprintable():
                problem = f"the message is not one printable line: {str(error)!r}"
        except BaseException as error:
            outcome = problem = f"{type(error).__name__}: {str(error)[:300]}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Trial(seed, what, outcome, problem, time.process_time() - begun, peak)

    def _audio(self, seed: int) -> tuple[str, Callable[[], str]]:
        original = self.originals[seed % len(self.originals)]
        path = self.folder / f"spoiled{original.suffix}"
        path.write_bytes(mutations.spoiled(original.read_bytes(), seed))
        return original.name, lambda: f"{len(self.recogniser.transcribe(path).words)} words"

    def _model(self, seed: int) -> tuple[str, Callable[[], str]]:
        kind = ("graph", "card", "lm", "lm", "config", "manifest", "transcript", "journal")[seed % 8]
        return kind, getattr(self, f"_{kind}")(seed)

    def _with(self, model: str, lm: Path | None = None) -> Callable[[], str]:
        def work() -> str:
            with Recogniser(Options(ModelOptions(model, None if lm is None else str(lm)))) as recogniser:
                return f"{len(recogniser.transcribe(self.sound).words)} words"

        return work

    def _graph(self, seed: int) -> Callable[[], str]:
        folder = self.folder / "spoiled-model"
        toy_model.write_bundle(folder)
        path = folder / "model.onnx"
        path.write_bytes(mutations.spoiled(path.read_bytes(), seed))
        return self._with(str(folder))

    def _card(self, seed: int) -> Callable[[], str]:
        folder = self.folder / "spoiled-model"
        toy_model.write_bundle(folder)
        card = toy_model.card(checksums={"model.onnx": "0" * 64}, confidence_temperature=1.5)
        (folder / "card.json").write_bytes(mutations.senseless(json.dumps(card), seed))
        return self._with(str(folder))

    def _lm(self, seed: int) -> Callable[[], str]:
        original = self.lms[seed // 8 % len(self.lms)]
        path = self.folder / f"spoiled-{original.name}"
        path.write_bytes(mutations.spoiled(original.read_bytes(), seed))
        return self._with("toy", path)

    def _config(self, seed: int) -> Callable[[], str]:
        (self.folder / "spoiled.toml").write_bytes(mutations.config(seed))
        return lambda: command("a.wav", "--config", "spoiled.toml")

    def _manifest(self, seed: int) -> Callable[[], str]:
        line = json.dumps({"audio": "a.wav", "start": 0.1, "duration": 0.5, "text": "bad", "id": seed})
        lines = [line.encode(), mutations.senseless(line, seed), line.encode()]
        (self.folder / "spoiled.jsonl").write_bytes(b"\n".join(lines))
        return lambda: command("spoiled.jsonl", "--format", "jsonl")

    def _transcript(self, seed: int) -> Callable[[], str]:
        text = (self.folder / "a.json").read_text()
        (self.folder / "spoiled.json").write_bytes(mutations.senseless(text, seed))
        formats = (
            "srt",
            "vtt",
            "txt",
            "csv",
            "ass",
            "textgrid",
            "lrc",
            "stm",
            "ctm",
            "tsv",
            "audacity",
            "json",
            "jsonl",
        )
        return lambda: command("convert", "spoiled.json", "--format", formats[seed // 8 % len(formats)])

    def _journal(self, seed: int) -> Callable[[], str]:
        out = self.folder / "out"
        if not (self.folder / "journal").exists():
            command("a.wav", "--output-dir", "out", "--format", "txt,json")
            (out / ".transcribe-journal.jsonl").rename(self.folder / "journal")
        spoiled = mutations.spoiled((self.folder / "journal").read_bytes(), seed)
        (out / ".transcribe-journal.jsonl").write_bytes(spoiled)

        def work() -> str:
            first = command("a.wav", "--output-dir", "out", "--format", "txt,json", "--skip-existing")
            return first + " " + command("status", "out") + " " + command("status", "out", "--json")

        return work


def command(*arguments: str) -> str:
    """The command's exit code; raises where it says anything but lines that begin with its name on standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    for line in err.getvalue().splitlines():
        if not line.startswith("transcribe: "):
            raise AssertionError(f"{arguments} said {line!r}")
    if code not in (0, 1, 2):
        raise AssertionError(f"{arguments} ended with {code}")
    return f"exit {code}"
