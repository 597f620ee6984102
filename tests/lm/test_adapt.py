"""A model taught by plain text: what it learns, what it says, what it leaves alone."""

import json
import os
from pathlib import Path

import onnx
import pytest
import soundfile
import toy_model
import toy_rescorer

from transcribe_cli.adapt import (
    AdaptOptions,
    adapt,
    canary_sentences,
    find_weight,
    propose_hotwords,
    read_texts,
)
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.bundle.store import find
from transcribe_cli.cli import run
from transcribe_cli.errors import InputError, ModelError, OptionError
from transcribe_cli.lm import layout
from transcribe_cli.lm.build import BuildOptions, build
from transcribe_cli.lm.model import LanguageModel
from transcribe_cli.outputs import replacing

ENGLISH = Alphabet(("<blank>", *" 'abcdefghijklmnopqrstuvwxyz"))
GENERAL = ["a bad cab", "head a cab", "bad head", "a cab", "fed a head", "a bad head fed a cab"] * 3
NOTES = "Gaffed decaf. A decaf cab faced a gaffed decaf. " * 6


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a toy model that has a language model, and notes about other words."""
    monkeypatch.chdir(tmp_path)
    entry = {"file": "lm.bin", "lm_weight": 0.5, "word_bonus": 1.0, "id": "toy words"}
    folder = toy_model.write_bundle(
        tmp_path / "models" / "toy", language_model=entry, checksums={"lm.bin": "0" * 64, "model.onnx": "1" * 64}
    )
    Path("general.txt").write_text("\n".join(GENERAL))
    run(["lm", "build", "general.txt", "-o", str(folder / "lm.bin"), "-q"])
    (folder / "LICENCE").write_text("free")
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(tmp_path / "models"))
    Path("notes").mkdir()
    Path("notes/a.txt").write_text(NOTES)
    return tmp_path


def test_adapted_folder_is_a_model_that_knows_the_new_words(toy: Path) -> None:
    made = adapt([Path("notes")], Path("mine"), "toy")
    assert [word for word, _ in made.new_words] == ["decaf", "gaffed", "faced"]
    bundle = find("./mine")
    assert bundle.card.name == "mine"
    assert bundle.card.language_model is not None
    assert bundle.card.language_model.lm_weight == 0.5
    assert bundle.card.language_model.id == "toy words, adapted"
    assert (bundle.folder / "LICENCE").read_text() == "free"
    assert bundle.language_model_path is not None
    general, adapted = LanguageModel.load("models/toy/lm.bin"), LanguageModel.load(bundle.language_model_path)
    assert adapted.words == general.words | {"decaf", "gaffed", "faced"}
    assert adapted.score("gaffed decaf") > general.score("gaffed decaf") + 3
    # general words lose at most what the mixture's weight takes
    assert adapted.score("a bad cab") > general.score("a bad cab") - 4


def test_a_neural_language_model_goes_along(toy: Path) -> None:
    folder = toy / "models" / "toy"
    toy_rescorer.write(folder / "r.onnx", toy_rescorer.table())
    card = json.loads((folder / "card.json").read_text())
    card["language_model"] |= {"rescorer": "r.onnx", "rescorer_weight": 0.7}
    (folder / "card.json").write_text(json.dumps(card))
    adapt([Path("notes")], Path("mine"), "toy")
    assert find("./mine").rescorer_path == Path("mine/r.onnx")
    assert Path("mine/r.onnx").read_bytes() == (folder / "r.onnx").read_bytes()
    entry = find("./mine").card.language_model
    assert entry is not None
    assert entry.rescorer_weight == 0.7


def test_checksum_in_the_card_is_that_of_the_new_language_model(toy: Path) -> None:
    from transcribe_cli.bundle.store import verify

    adapt([Path("notes")], Path("mine"), "toy")
    assert verify(find("./mine"))["lm.bin"]


def test_card_of_the_language_model_describes_the_mixture_and_what_it_began_with(toy: Path) -> None:
    Path("models/toy/lm.json").write_text('{"name": "toy words", "corpora": [{"licence": "CC0"}]}')
    card = json.loads(Path("models/toy/card.json").read_text()) | {"measured": {"greedy": 0.5}}
    Path("models/toy/card.json").write_text(json.dumps(card))
    made = adapt([Path("notes")], Path("mine"), "toy")
    facts = json.loads(Path("mine/lm.json").read_text())
    assert facts["ngrams"] == list(layout.read_header(Path("mine/lm.bin")).sizes)
    assert facts["weights"] == {"began_with": round(1 - made.weight, 4), "texts": round(made.weight, 4)}
    assert facts["began_with"] == {"name": "toy words", "corpora": [{"licence": "CC0"}]}
    assert facts["sha256"] == json.loads(Path("mine/card.json").read_text())["checksums"]["lm.bin"]
    # error rates with the other language model are not this one's
    assert "measured" not in json.loads(Path("mine/card.json").read_text())


def test_model_of_characters_is_refused(toy: Path) -> None:
    run(["lm", "build", "general.txt", "-o", "models/toy/lm.bin", "-q", "--unit", "char"])
    with pytest.raises(ModelError, match="of characters"):
        adapt([Path("notes")], Path("mine"), "toy")


def test_report_and_hotwords_stand_beside_the_model(toy: Path) -> None:
    made = adapt([Path("notes")], Path("mine"), "toy")
    report = json.loads(Path("mine/adaptation.json").read_text())
    assert report["new_words"] == {"decaf": 18, "gaffed": 12, "faced": 6}
    assert set(report["perplexity_of_general_text"]) == {"before", "after"}
    assert Path("mine/hotwords.txt").read_text().split() == [word for word, _ in made.hotwords]
    assert {"decaf", "gaffed"} <= set(report["hotwords"])


def test_words_keep_the_texts_own_spelling(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes/a.txt").write_text("A bad Faded head faced a DeCaf. A bad Faded cab faced a decaf. " * 4)
    assert run(["adapt", "notes", "-o", "mine", "-m", "toy"]) == 0
    assert Path("mine/spellings.txt").read_text() == "Faded\n"  # decaf is written in two ways
    assert find("./mine").spellings_path == Path("mine/spellings.txt")
    assert json.loads(Path("mine/adaptation.json").read_text())["spellings"] == ["Faded"]
    assert "written as in the texts by --punctuate: Faded\n" in capsys.readouterr().err
    Path("notes/a.txt").write_text("A bad cab faced a bad Gaff. " * 4)
    again = adapt([Path("notes")], Path("more"), "./mine")
    assert again.spellings == ("Gaff",)
    assert Path("more/spellings.txt").read_text() == "Faded\nGaff\n"


def test_words_in_another_script_are_told_and_left_out() -> None:
    path = Path(__file__).parent / "golden"  # a folder without texts
    with pytest.raises(InputError, match="no texts"):
        read_texts([path], ENGLISH)


def test_unspellable_words_are_named_with_their_letters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("We met Юрий today. See https://example.org now. All was well.")
    texts = read_texts([tmp_path], ENGLISH)
    assert texts.sentences == ("all was well",)
    assert texts.n_unreadable == 2
    assert texts.unspellable == (("Юрий", "юрий"),)


def test_words_outside_a_smaller_alphabet_are_unspellable(toy: Path) -> None:
    Path("notes/b.txt").write_text("A bad zebra. A cab.")
    texts = read_texts([Path("notes/b.txt")], find("toy").card.alphabet)
    assert texts.sentences == ("a cab",)
    assert texts.unspellable == (("zebra", "zr"),)


def test_weight_follows_how_well_the_texts_model_predicts_the_texts() -> None:
    general = build(GENERAL, BuildOptions()).model
    alike = find_weight(general, GENERAL, 3)
    foreign = find_weight(general, ["gaffed decaf", "a decaf cab faced decaf"] * 12, 3)
    assert 0.05 <= alike < foreign <= 0.5
    assert find_weight(general, ["too little"], 3) == 0.1


def test_hotwords_are_frequent_here_and_rare_in_general() -> None:
    from collections import Counter

    general = build(GENERAL, BuildOptions()).model
    counted = Counter({"a": 50, "decaf": 9, "gaffed": 3, "once": 1, "cab": 12, "ab": 9})
    assert [word for word, _ in propose_hotwords(counted, general, 5)] == ["decaf", "gaffed"]
    assert propose_hotwords(counted, general, 1) == (("decaf", 9),)


def test_canary_text_is_normalised_english() -> None:
    lines = canary_sentences()
    assert len(lines) >= 100
    assert all(ENGLISH.spells(line) for line in lines)


def test_command_proves_itself_on_recordings(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("dev.jsonl").open("w") as file:
        for i, text in enumerate(["gaffed decaf", "decaf cab"]):
            soundfile.write(f"{i}.wav", toy_model.sound(text), 16000)
            file.write(json.dumps({"audio": f"{i}.wav", "text": text}) + "\n")
    assert (
        run(["adapt", "notes", "-o", "mine", "--model", "toy", "--manifest", "dev.jsonl", "--canary", "dev.jsonl"]) == 0
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert "new words (3): decaf, gaffed, faced" in err
    assert "word errors on your recordings" in err
    assert "word errors on the canary recordings" in err
    assert run(["0.wav", "--model", "./mine"]) == 0
    assert capsys.readouterr().out == "gaffed decaf\n"


def test_only_an_adapted_model_gives_way_and_only_when_asked(toy: Path) -> None:
    notes, mine = [Path("notes")], Path("mine")
    adapt(notes, mine, "toy")
    first = Path("mine/lm.bin").stat().st_ino
    with pytest.raises(OptionError, match="is there already"):
        adapt(notes, mine, "toy")
    adapt(notes, mine, "toy", AdaptOptions(overwrite=True))
    assert Path("mine/lm.bin").stat().st_ino != first
    assert find("./mine").card.name == "mine"
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == []
    Path("mine/thesis.odt").write_text("x")
    with pytest.raises(OptionError, match=r"mine: holds thesis\.odt, which --overwrite would delete"):
        adapt(notes, mine, "toy", AdaptOptions(overwrite=True))
    assert Path("mine/thesis.odt").exists()
    Path("file").write_text("x")
    with pytest.raises(OptionError, match="file: is a file"):
        adapt(notes, Path("file"), "toy", AdaptOptions(overwrite=True))


class Ended(BaseException):
    """What a signal becomes on its way to the edge."""


@pytest.mark.parametrize("interrupted", [1, 2])
def test_a_signal_between_the_renames_takes_no_model_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: int
) -> None:
    model = tmp_path / "mine"
    model.mkdir()
    (model / "old").touch()
    rename, calls = os.replace, []

    def replace(source: Path, target: Path) -> None:
        rename(source, target)
        calls.append(target)
        if len(calls) == interrupted:
            raise Ended

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Ended), replacing(model) as folder:
        (folder / "new").touch()
    assert [path.name for path in model.iterdir()] == [["old"], ["new"]][interrupted - 1]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError), replacing(tmp_path / "mine"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--manifest", "--canary"])
def test_a_manifest_that_is_not_there_is_told_before_anything_is_written(
    toy: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert run(["adapt", "notes", "-o", "mine", "--model", "toy", flag, "nowhere.jsonl"]) == 2
    assert "nowhere.jsonl: no such manifest" in capsys.readouterr().err
    assert not Path("mine").exists()


@pytest.mark.parametrize("beside", [False, True])
def test_of_a_graph_among_other_files_only_the_model_is_taken(toy: Path, beside: bool) -> None:
    folder = Path("downloads")
    folder.mkdir()
    graph, card = toy_model.graph(), json.loads(Path("models/toy/card.json").read_text())
    onnx.helper.set_model_props(graph, {"card": json.dumps(card)})
    onnx.save(graph, folder / "a model.onnx")
    (folder / "lm.bin").write_bytes(Path("models/toy/lm.bin").read_bytes())
    (folder / "holiday.mp3").touch()
    if beside:
        (folder / "card.json").write_text(json.dumps(card))
    adapt([Path("notes")], Path("mine"), str(folder / "a model.onnx"))
    names = {"adaptation.json", "card.json", "hotwords.txt", "lm.bin", "lm.json", "model.onnx", "spellings.txt"}
    assert {path.name for path in Path("mine").iterdir()} == names
    toy_model.speak(Path("a.wav"), "gaffed decaf")
    assert run(["a.wav", "--model", "./mine", "-o", "a.txt"]) == 0
    assert Path("a.txt").read_text() == "gaffed decaf\n"


def test_a_folders_other_files_are_neither_taken_along_nor_replaced(toy: Path) -> None:
    Path("models/toy/holiday.mp3").touch()
    adapt([Path("notes")], Path("mine"), "toy")
    assert not Path("mine/holiday.mp3").exists()
    Path("mine/holiday.mp3").touch()
    with pytest.raises(OptionError, match=r"holds holiday\.mp3, which --overwrite would delete"):
        adapt([Path("notes")], Path("mine"), "toy", AdaptOptions(overwrite=True))


@pytest.mark.parametrize("output", ["notes", ".", "models/toy"])
def test_folders_of_other_things_are_never_replaced(toy: Path, output: str) -> None:
    before = sorted(Path().rglob("*"))
    with pytest.raises(OptionError, match="which --overwrite would delete"):
        adapt([Path("notes")], Path(output), "toy", AdaptOptions(overwrite=True))
    assert sorted(Path().rglob("*")) == before


def test_texts_inside_the_model_to_be_replaced_are_refused(toy: Path) -> None:
    adapt([Path("notes")], Path("mine"), "toy")
    with pytest.raises(OptionError, match="lies in the folder that is to be replaced"):
        adapt([Path("mine/hotwords.txt")], Path("mine"), "toy", AdaptOptions(overwrite=True))


def test_the_current_folder_can_be_an_adapted_model(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Path("notes").resolve()
    adapt([notes], Path("mine"), "toy")
    monkeypatch.chdir("mine")
    adapt([notes], Path(), "toy", AdaptOptions(overwrite=True))
    assert find(str(toy / "mine")).card.name == "mine"


def test_model_without_a_language_model_is_refused(toy: Path) -> None:
    toy_model.write_bundle(Path("models/bare"))
    with pytest.raises(ModelError, match="has no language model"):
        adapt([Path("notes")], Path("mine"), "bare")


def test_texts_in_another_language_are_refused(toy: Path) -> None:
    Path("notes/a.txt").write_text("Привет, мир.")
    with pytest.raises(InputError, match="no sentence that the model could write"):
        adapt([Path("notes")], Path("mine"), "toy")
    assert not Path("mine").exists()


def test_an_address_does_not_cost_all_the_subtitles_around_it(tmp_path: Path) -> None:
    cues = ["we met the kestrel team", "at www.kestrel.org", *["and they were glad to see us"] * 5]
    (tmp_path / "a.srt").write_text(
        "".join(f"{k}\n00:00:0{k},000 --> 00:00:0{k},900\n{c}\n\n" for k, c in enumerate(cues))
    )
    texts = read_texts([tmp_path], ENGLISH)
    assert texts.sentences == ("we met the kestrel team at", " ".join(cues[2:]))
