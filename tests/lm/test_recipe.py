"""A recipe becomes a model and a card, and no tested sentence gets into it."""

import bz2
import gzip
import json
import lzma
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import kenlm
import pytest
from toy_corpus import sentences

from transcribe_cli.cli import run
from transcribe_cli.errors import InputNotFound, LanguageModelError, OptionError
from transcribe_cli.lm import layout, recipe
from transcribe_cli.lm.model import LanguageModel

RECIPE = """
name = "toy"
max_bytes = 10500
min_count = 1
prune = [0, 0, 0]
exclude = ["dev.jsonl"]
held_out = 4

[[tune]]
name = "transcripts"
manifest = "train.jsonl"
source = "x"
weight = 0.5

[[tune]]
name = "rest"
held_out = ["two"]
weight = 0.5

[[component]]
name = "first"
sources = [{ file = "one", licence = "CC0", origin = "here" }]

[[component]]
name = "second"
sources = [{ file = "two", licence = "MIT", origin = "there" }]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "text").mkdir(parents=True)
    one, two = sentences(600, seed=1), sentences(600, seed=2)
    tested = "of and a to in he was it that his"
    one.insert(300, f"the {tested} said")
    (folder / "text" / "one.txt").write_text("\n".join(one))
    with lzma.open(folder / "text" / "two.txt.xz", "wt") as file:
        file.write("\n".join(two))
    train = [{"text": text, "source": "x"} for text in sentences(60, seed=1)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, train)))
    (folder / "dev.jsonl").write_text(json.dumps({"text": tested}))
    return folder


def test_recipe_gives_a_model_of_the_asked_size_and_a_card(data: Path, tmp_path: Path) -> None:
    (tmp_path / "lm.toml").write_text(RECIPE)
    said: list[str] = []
    card = recipe.build(recipe.load(tmp_path / "lm.toml"), data, tmp_path / "out", said.append)
    path = tmp_path / "out" / "lm.bin"
    assert 0.8 * 10500 < path.stat().st_size <= 10500
    assert kenlm.Model(str(path)).order == card["order"] == 3
    assert card == json.loads((tmp_path / "out" / "lm.json").read_text())
    assert card["weights"]["first"] > card["weights"]["second"] > 0
    assert [corpus["licence"] for corpus in card["corpora"]] == ["CC0", "MIT"]
    assert set(card["held_out"]) == {"one", "two"}
    assert card["overlap"]["lines_dropped"] == 1
    assert any("dropped for overlap" in line for line in said)


def test_recipe_gives_a_model_of_characters_too(data: Path, tmp_path: Path) -> None:
    (tmp_path / "lm.toml").write_text(RECIPE)
    arguments = ["lm", "recipe", str(tmp_path / "lm.toml"), "--data", str(data), "-o", str(tmp_path / "out")]
    assert run([*arguments, "--unit", "char", "--order", "4", "--max-bytes", "9000"]) == 0
    card = json.loads((tmp_path / "out" / "lm.json").read_text())
    assert (card["unit"], card["order"]) == ("char", 4)
    assert (tmp_path / "out" / "lm.bin").stat().st_size <= 9000
    model = LanguageModel.load(tmp_path / "out" / "lm.bin")
    assert (model.unit, model.space) == ("char", "▁")
    # fewer than the letters there are to choose from, for each character
    assert all(1 < held_out["perplexity"] < 15 for held_out in card["held_out"].values())


def test_transcripts_take_part_with_a_fixed_weight_and_without_tested_sentences(data: Path, tmp_path: Path) -> None:
    with (data / "train.jsonl").open("a") as file:
        file.write("".join("\n" + json.dumps({"text": text, "source": "y"}) for text in ["quite new words", "a test"]))
    (data / "dev.jsonl").write_text(json.dumps({"text": "a test"}))
    third = '[[component]]\nname = "third"\nweight = 0.2\n'
    third += 'sources = [{ file = "train.jsonl", source = "y", licence = "BSD", origin = "us" }]\n'
    (tmp_path / "lm.toml").write_text(RECIPE + third)
    card = recipe.build(recipe.load(tmp_path / "lm.toml"), data, tmp_path / "out")
    assert card["weights"]["third"] == 0.2
    assert sum(card["weights"].values()) == pytest.approx(1, abs=1e-3)
    assert card["corpora"][-1] == {
        "component": "third", "words": 3, "file": "train-y", "licence": "BSD", "origin": "us",
    }  # fmt: skip
    assert "quite" in layout.vocabulary(tmp_path / "out" / "lm.bin")


def test_a_word_must_be_seen_as_often_as_its_texts_are_large(data: Path, tmp_path: Path) -> None:
    def known(one: str, two: str) -> bool:
        for name, text in (("one", one), ("two", two)):
            (data / "text" / f"{name}.txt").write_text("\n".join([*sentences(600, seed=3), *[text] * bool(text)]))
        output = tmp_path / f"{len(one)}-{len(two)}"
        card = recipe.build(recipe.load(tmp_path / "lm.toml"), data, output)
        assert "4 or 8 times" in card["vocabulary"]
        return "thimble" in layout.vocabulary(output / "lm.bin")

    (data / "text" / "two.txt.xz").unlink()
    text = RECIPE.replace("min_count = 1", "min_count = 4").replace('name = "first"', 'name = "first"\nmin_count = 8')
    (tmp_path / "lm.toml").write_text(text)
    cases = [(8, 0), (0, 4), (4, 2), (7, 0), (4, 1)]
    seen = [known("thimble " * one, "thimble " * two) for one, two in cases]
    assert seen == [True, True, True, False, False]


def test_a_threshold_of_none_is_one_of_once(data: Path, tmp_path: Path) -> None:
    def known(min_count: int) -> set[str]:
        (tmp_path / "lm.toml").write_text(RECIPE.replace("min_count = 1", f"min_count = {min_count}"))
        recipe.build(recipe.load(tmp_path / "lm.toml"), data, tmp_path / "out")
        return set(layout.vocabulary(tmp_path / "out" / "lm.bin"))

    assert known(0) == known(1)


def test_a_source_that_changed_is_read_anew_and_others_are_not(data: Path, tmp_path: Path) -> None:
    (tmp_path / "lm.toml").write_text(RECIPE)
    chosen, work = recipe.load(tmp_path / "lm.toml"), tmp_path / "work"
    recipe.prepare(chosen, data, work, lambda _: None)
    (work / "two.txt").write_text("kept\n")
    os.utime(work / "two.txt", ns=(os.stat(data / "text" / "two.txt.xz").st_mtime_ns,) * 2)
    (data / "text" / "one.txt").write_text("Another text.\n")
    texts, _ = recipe.prepare(chosen, data, work, lambda _: None)
    assert texts["one"].train == ["another text"]
    assert texts["two"].train == ["kept"]


def test_a_small_vocabulary_has_the_most_frequent_words(data: Path, tmp_path: Path) -> None:
    (tmp_path / "lm.toml").write_text(RECIPE)
    arguments = ["lm", "recipe", str(tmp_path / "lm.toml"), "--data", str(data), "-o", str(tmp_path / "out")]
    assert run([*arguments, "--max-words", "12"]) == 0
    written = " ".join((tmp_path / "out" / "work" / name).read_text() for name in ("one.txt", "two.txt")).split()
    ranked = [word for word, _ in Counter(written).most_common()]
    known = set(layout.vocabulary(tmp_path / "out" / "lm.bin")) - {"<s>", "</s>", "<unk>"}
    assert len(known) == 12
    assert known <= set(ranked[:15])  # of the lines that are held out nothing is counted, so ranks shift a little


def test_sentences_that_are_tested_are_found_in_and_around_others() -> None:
    tested = ["go", "one two three"]
    sentences = ["go", "go on", "zero one two three four", "two three", "one two three", "two three four", "two"]
    assert recipe.untested(sentences, tested) == ["go on", "two three", "two three four", "two"]
    assert recipe.untested(["b c d", "b c e"], ["a b c d e"]) == ["b c e"]


def test_line_that_shares_eight_words_in_a_row_is_found_across_line_ends_too() -> None:
    tested = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    forbidden = recipe.overlap_hashes([" ".join(tested)])
    lines = ["a b c", "x " + " ".join(tested[:4]), " ".join(tested[4:]) + " y", "one two three four five six seven z"]
    assert recipe.overlaps(lines, forbidden) == {1, 2}
    # the same wherever the blocks begin
    assert recipe.overlaps(lines, forbidden, block=1) == {1, 2}
    assert recipe.overlaps(lines, recipe.overlap_hashes(["too short to matter"])) == set()


def test_held_out_lines_are_kept_apart_in_blocks() -> None:
    lines = [str(i) for i in range(recipe.BLOCK_LINES * 8)]
    texts = recipe.split(lines, 4)
    assert sorted(texts.train + texts.tune + texts.report) == sorted(lines)
    assert len(texts.tune) == len(texts.report) == 2 * recipe.BLOCK_LINES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("name = ", "nam = ", 1), "unknown key 'nam'"),
        (lambda text: text.replace('name = "toy"', ""), "lacks 'name'"),
        (lambda text: text.replace("licence", "license"), "license"),
        (lambda text: text.replace("[[component]]", "[[components]]"), "component"),
        (lambda text: text + "]", "not TOML"),
        (lambda text: 'unit = "syllable"\n' + text, "unit cannot be 'syllable'"),
        (lambda text: text.replace('name = "first"', 'name = "first"\nweight = 1.5'), "fixed weights"),
        (lambda text: "order = 7\n" + text, "order cannot be 7"),
        (lambda text: "max_words = 0\n" + text, "max_words cannot be 0"),
    ],
)
def test_senseless_recipe_is_refused_with_its_key(tmp_path: Path, change: object, message: str) -> None:
    (tmp_path / "lm.toml").write_text(change(RECIPE))  # type: ignore[operator]
    with pytest.raises(OptionError, match=message):
        recipe.load(tmp_path / "lm.toml")


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress, lzma.compress])
def test_a_damaged_text_is_named_and_nothing_of_it_is_kept(
    tmp_path: Path, data: Path, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "lm.toml").write_text(RECIPE)
    whole = bytearray(pack((data / "text" / "one.txt").read_bytes()))
    whole[len(whole) // 2] ^= 0xFF
    (data / "text" / "two.txt.xz").write_bytes(whole)
    with pytest.raises(LanguageModelError, match=r"two\.txt\.xz: cannot be read"):
        recipe.prepare(recipe.load(tmp_path / "lm.toml"), data, tmp_path / "work", lambda _: None)
    assert not (tmp_path / "work" / "two.txt").exists()


def test_missing_recipe_and_text_are_named(tmp_path: Path, data: Path) -> None:
    with pytest.raises(InputNotFound, match="no such file"):
        recipe.load(tmp_path / "none.toml")
    (tmp_path / "lm.toml").write_text(RECIPE.replace('"one"', '"three"'))
    with pytest.raises(InputNotFound, match=r"three\.txt"):
        recipe.build(recipe.load(tmp_path / "lm.toml"), data, tmp_path / "out")
