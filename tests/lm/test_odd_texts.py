"""Texts, weights and recipes that people have: damaged, blank, contradicting themselves."""

import bz2
import gzip
import io
import json
import lzma
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import toy_corpus

from transcribe_cli.cli import run
from transcribe_cli.errors import InputError, LanguageModelError, ManifestError, OptionError, OutputError
from transcribe_cli.lm import arpa, build, counts, files, interpolate, prune, recipe
from transcribe_cli.lm.model import LanguageModel


def model(text, **options):
    return build.build(text, build.BuildOptions(**options)).model


@pytest.fixture
def corpus():
    return toy_corpus.sentences(60)


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("ending", PACKERS)
def test_a_compressed_text_that_is_damaged_is_told_by_name(tmp_path, monkeypatch, capsys, ending):
    monkeypatch.chdir(tmp_path)
    packed = PACKERS[ending](b"the fox had a box\n" * 500)
    for content, why in ((packed[: len(packed) // 2], "cannot be read ("), (b"\xff" + packed, "line 1 ")):
        Path(f"a.txt.{ending}").write_bytes(content)
        assert run(["lm", "build", f"a.txt.{ending}", "-o", "a.arpa"]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"transcribe: a.txt.{ending}: {why}")
        assert len(err.splitlines()) == 1
    assert not Path("a.arpa").exists()


@pytest.mark.parametrize("ending", PACKERS)
def test_what_a_text_is_packed_by_shows_in_it_and_not_in_its_name(tmp_path, ending):
    packed = PACKERS[ending](b"the fox\nhad a box\n")
    (tmp_path / "packed.txt").write_bytes(packed)
    (tmp_path / f"plain.{ending}").write_bytes(b"the fox\nhad a box\n")
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as beside:
        beside.submit((tmp_path / "pipe").write_bytes, packed)
        for name in ("packed.txt", f"plain.{ending}", "pipe"):
            assert list(files.sentences([tmp_path / name])) == ["the fox", "had a box"]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_model_is_read_alike_by_all_commands_whatever_it_is_called(tmp_path, corpus, ending):
    arpa.write(model(corpus), tmp_path / f"m.arpa.{ending}")
    (tmp_path / f"m.arpa.{ending}").rename(tmp_path / "m.arpa")
    assert arpa.read(tmp_path / "m.arpa").sizes == model(corpus).sizes == arpa.read_sizes(tmp_path / "m.arpa")
    assert LanguageModel.load(tmp_path / "m.arpa").order == 3


def test_standard_input_may_be_named_twice(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the fox\n")))
    assert list(files.sentences(["-", "-"])) == ["the fox"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_not_spelled_letter_by_letter(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("the fox\n".encode(encoding))
    with pytest.raises(InputError, match=r"a\.txt: line 1 has null bytes"):
        list(files.sentences([tmp_path / "a.txt"]))


def test_blank_lines_are_no_sentences_as_they_stand_either(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf\nThe  fox\r\n\r\n \t\nruns")
    assert list(files.sentences([tmp_path / "a.txt"], normalise=False)) == ["The fox", "runs"]


def test_a_text_with_the_other_spelling_of_unk_makes_no_model_that_cannot_be_read():
    with pytest.raises(LanguageModelError, match="<UNK> as a word"):
        counts.count(["a <UNK> fox"], 2)


def test_a_vocabulary_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "words.txt").write_bytes(b"\xef\xbb\xbffox\nbox\n")
    small = model(["the fox had a box"], vocabulary=str(tmp_path / "words.txt"))
    assert small.words[3:] == ("fox", "box")


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz"])
def test_a_model_is_compressed_as_its_name_says(tmp_path, corpus, ending):
    whole = model(corpus, order=2)
    path = tmp_path / f"a.arpa{ending}"
    files.save(whole, path)
    assert arpa.read_sizes(path) == whole.sizes
    assert files.load(path).words == whole.words
    assert path.read_bytes().startswith(b"\\data") == (ending == "")


@pytest.mark.parametrize("weights", [(float("inf"), 1), (1e308, 1e308), (float("nan"), 1), (0, 0), (-1, 2), (1,)])
def test_weights_that_make_no_mixture_are_refused(corpus, weights):
    one = model(corpus, order=2)
    with pytest.raises(LanguageModelError, match="one finite weight"):
        interpolate.mix([one, one], weights)


def test_sentence_ends_alone_tune_no_weights(corpus):
    one, other = model(corpus, order=2), model(corpus[:20], order=2)
    for text in (["qqq zzz"], ["", ""], []):
        with pytest.raises(LanguageModelError, match="no word that the models know"):
            interpolate.find_weights([one, other], text)


@pytest.mark.parametrize("threshold", [float("nan"), -1.0])
def test_a_threshold_that_is_no_number_prunes_nothing(corpus, threshold):
    with pytest.raises(LanguageModelError, match="0 or more"):
        prune.prune(model(corpus, order=2), threshold)


RECIPE = """
name = "x"
[[component]]
name = "a"
sources = [{file = "a", licence = "l", origin = "o"}]
[[tune]]
name = "t"
weight = 1
manifest = "m.jsonl"
"""


@pytest.fixture
def data(tmp_path, corpus):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("\n".join(corpus))
    (tmp_path / "m.jsonl").write_text(json.dumps({"text": corpus[0]}) + "\n\n")
    return tmp_path


def loaded(folder, old="", new=""):
    (folder / "r.toml").write_text(RECIPE.replace(old, new, 1))
    return recipe.load(folder / "r.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"x"', '"x"\norder = "3"', "order cannot be '3'"),
        ('"x"', '"x"\nmin_count = true', "min_count cannot be True"),
        ('"x"', '"x"\nprune = 3', "prune cannot be 3"),
        ('"x"', '"x"\nprune = [0, 2, 1]', "must not fall"),
        ('"x"', '"x"\nbits = 1', "bits cannot be 1"),
        ('"x"', '"x"\nheld_out = 2', "held_out cannot be 2"),
        ('"x"', '"x"\nexclude = "m.jsonl"', "exclude cannot be 'm.jsonl'"),
        ("weight = 1", 'weight = "1"', "weight cannot be '1'"),
        ("weight = 1", "weight = -1", "weight of t cannot be -1"),
        ('manifest = "m.jsonl"', 'held_out = ["b"]', "t holds out b: no component has that source"),
        ('manifest = "m.jsonl"', "", "t has nothing to tune on"),
        ("[[component]]", "[component]", "component must be a list of tables"),
        ('[{file = "a", licence = "l", origin = "o"}]', '"a"', "sources must be a list of tables"),
        ('"x"', "[" * 5000, "not TOML"),
    ],
)
def test_a_recipe_is_checked_before_any_work(tmp_path, old, new, message):
    with pytest.raises(OptionError) as caught:
        loaded(tmp_path, old, new)
    assert message in str(caught.value)


def test_a_recipe_may_be_no_folder(tmp_path):
    with pytest.raises(OptionError, match="not TOML"):
        recipe.load(tmp_path)


@pytest.mark.parametrize("line", ["no json", "[1]", '{"audio": "a.wav"}'])
def test_a_broken_line_of_a_recipes_manifest_is_named(data, line):
    (data / "m.jsonl").write_text('{"text": "the of"}\n' + line + "\n")
    with pytest.raises(ManifestError, match=r"m\.jsonl: line 2"):
        recipe.build(loaded(data), data, data / "out")


def test_a_recipe_is_not_tuned_on_unknown_words(data):
    (data / "m.jsonl").write_text('{"text": "qqq zzz"}\n')
    with pytest.raises(LanguageModelError, match="text of t has no word"):
        recipe.build(loaded(data), data, data / "out")


def test_a_recipe_that_does_not_fit_leaves_what_was_built_before(data):
    recipe.build(loaded(data), data, data / "out")
    before = {name: (data / "out" / name).read_bytes() for name in ("lm.bin", "lm.json")}
    with pytest.raises(OptionError, match="too few"):
        recipe.build(loaded(data, '"x"', '"x"\nmax_bytes = 10'), data, data / "out")
    assert {name: (data / "out" / name).read_bytes() for name in before} == before
    assert {path.name for path in (data / "out").iterdir()} == {*before, "work"}


def test_a_recipe_cannot_be_written_into_a_file(data):
    (data / "out").write_text("a file")
    with pytest.raises(OutputError, match="out: cannot be written"):
        recipe.build(loaded(data), data, data / "out")


@pytest.mark.parametrize("output", [".", "-"])
@pytest.mark.parametrize(
    "command", [["interpolate", "a.arpa", "--tune", "a.txt"], ["prune", "--order", "1"], ["binary"]]
)
def test_what_is_no_files_name_is_refused_before_the_work(tmp_path, monkeypatch, capsys, command, output):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("the fox had a box\n")
    assert run(["lm", "build", "a.txt", "-o", "a.arpa", "-q"]) == 0
    assert run(["lm", *command, "a.arpa", "-o", output]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"transcribe: {output} ")
    assert len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.arpa", "a.txt"]
