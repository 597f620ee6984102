"""A rescorer: its network, its graph, its text, and a training that can be stopped and gone on with."""

import json
import math
import random
import sys
from collections import defaultdict
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("sentencepiece")

from stirred import stirred  # noqa: E402

from transcribe_cli.cli import run  # noqa: E402
from transcribe_cli.decoding.rescorer import Asked, Rescorer  # noqa: E402
from transcribe_cli.errors import OptionError, TrainingError  # noqa: E402
from transcribe_cli.lm import recipe as recipes  # noqa: E402
from transcribe_cli.lm.pieces import END, Pieces  # noqa: E402
from transcribe_cli.training import checkpoint, language, language_export, language_graph, steps  # noqa: E402
from transcribe_cli.training import language_text as text  # noqa: E402
from transcribe_cli.training.language_network import LanguageNetwork  # noqa: E402
from transcribe_cli.training.language_options import RescorerOptions  # noqa: E402
from transcribe_cli.training.onnx_graph import session  # noqa: E402

RECIPE = """
name = "toy"
exclude = ["dev.jsonl"]
held_out = 4

[[tune]]
name = "rest"
held_out = ["two"]
weight = 1.0

[[component]]
name = "first"
sources = [{ file = "one", licence = "CC0", origin = "here" }, { file = "two", licence = "MIT", origin = "there" }]

[[component]]
name = "second"
sources = [{ file = "said.jsonl", source = "x", licence = "BSD", origin = "us" }]
"""
NOUNS = ("fox", "foxes", "boxer", "boxers", "winter", "winters", "hammer", "hammers")
VERBS, OTHERS = ("sees", "saw", "takes", "took"), ("the", "a", "every")
PIECES = 36
SMALL = RescorerOptions(
    pieces=PIECES, width=24, layers=2, heads=3, steps=24, batch_size=8, warmup_steps=3, save_steps=8, report_lines=60,
    rate=0.02, threads=1, bfloat16=False, compile=False,
)  # fmt: skip
FLAGS = ["--pieces", "36", "--width", "24", "--layers", "2", "--steps", "24", "--no-compile", "--threads", "1"]


def sentences(n, seed):
    draw = random.Random(seed).choice
    return [" ".join((draw(OTHERS), draw(NOUNS), draw(VERBS), draw(OTHERS), draw(NOUNS))) for _ in range(n)]


@pytest.fixture
def data(tmp_path):
    """A folder of texts, with the recipe beside it."""
    folder = tmp_path / "data"
    (folder / "text").mkdir(parents=True)
    for seed, name in enumerate(("one", "two")):
        (folder / "text" / f"{name}.txt").write_text("\n".join(sentences(400, seed)))
    (folder / "dev.jsonl").write_text(json.dumps({"text": "one two three four five six seven eight"}))
    (folder / "said.jsonl").write_text(json.dumps({"text": "zebras  yawn", "source": "x"}))
    (tmp_path / "lm.toml").write_text(RECIPE)
    return folder


@pytest.fixture
def recipe(data):
    return recipes.load(data.parent / "lm.toml")


@pytest.fixture(scope="module")
def network():
    """One that has learned nothing, but of which every part counts."""
    return stirred(lambda: LanguageNetwork(PIECES, width=24, layers=2, heads=3, inner=96))


INVENTORY = tuple((name, 0.0) for name in text.SPECIAL) + tuple(
    (piece, -float(i))
    for i, piece in enumerate(f"{letter}{end}" for letter in "abcdefghijklmnopqr" for end in ("", END))
)
ROWS = [[0, 5, 9, 13, 4, 30, 35], [1, 7], [0, *range(3, 36), *range(3, 34)]]


def predict_all(predict):
    return predict(*language_export.padded(ROWS))


def test_a_place_knows_what_came_before_it_and_nothing_else(network):
    one = torch.randint(0, PIECES, (3, 11))
    other = one.clone()
    other[:, 6] = (one[:, 6] + 1) % PIECES
    with torch.no_grad():
        apart = (network(one) - network(other)).abs().amax((0, 2))
    assert not apart[:6].any()
    assert (apart[6:] > 1e-4).all()


def test_places_that_are_asked_for_are_those_of_the_whole(network):
    pieces, asked = torch.randint(0, PIECES, (3, 11)), torch.tensor([2, 30, 11, 2])
    with torch.no_grad():
        torch.testing.assert_close(network(pieces, asked), network(pieces).reshape(-1, 24)[asked])


def test_weights_have_the_names_by_which_they_are_kept(network):
    parts = ["norm1", "norm2", "qkv", "out", "up", "down"]
    names = {f"blocks.{i}.{part}.weight" for i in range(2) for part in parts}
    assert set(network.state_dict()) == names | {"embed.weight", "norm0.weight", "norm.weight"}
    fresh = LanguageNetwork(PIECES, width=24, layers=2, heads=3, inner=96)
    loss = float(fresh.loss(torch.randint(0, PIECES, (5, 65))).detach())
    assert loss == pytest.approx(math.log(PIECES), rel=0.05)  # a table of small numbers, and blocks that add nothing


@pytest.mark.parametrize("integers", [False, True])
def test_graph_says_what_the_network_says(network, integers):
    graph = language_export.of_session(session(language_graph.build(network, integers).SerializeToString()))
    ours, theirs = predict_all(graph), predict_all(language_export.of_network(network))
    assert len(ours) == sum(len(row) - 1 for row in ROWS)
    assert np.abs(ours - theirs).max() < (0.2 if integers else 1e-4)
    assert np.abs(ours - theirs).mean() < (0.03 if integers else 1e-5)
    assert theirs.std() > 0.5


@pytest.mark.parametrize("integers", [False, True])
def test_rows_of_a_batch_have_nothing_to_do_with_each_other(network, integers):
    graph = language_export.of_session(session(language_graph.build(network, integers).SerializeToString()))
    alone = np.concatenate([graph(*language_export.padded([row])) for row in ROWS])
    # eight bits may round a sum that came out in another order to its other neighbour
    assert np.abs(predict_all(graph) - alone).max() < (0.05 if integers else 1e-5)


def test_one_row_with_large_squares_costs_the_others_no_precision():
    x = np.abs(np.random.default_rng(1).standard_normal((4, 16))).astype(np.float32)
    x[2] *= 1e4
    matrix = np.random.default_rng(2).standard_normal((5, 16)).astype(np.float32)
    weights = {"embed.weight": np.zeros((3, 16), np.float32), "m": matrix}
    graph = language_graph._Builder(weights, 2, causal=True, integers=True)
    y = graph.linear("x", "m", positive=True)
    info = onnx.helper.make_tensor_value_info
    whole = onnx.helper.make_graph(
        graph.nodes, "g", [info("x", 1, ["n", 16])], [info(y, 1, ["n", 5])], list(graph.constants.values())
    )
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(whole, opset_imports=domains, ir_version=8)
    found = session(model.SerializeToString()).run(None, {"x": x})[0]
    wanted = x @ matrix.T
    assert (np.abs(found - wanted) < 0.03 * np.abs(wanted).max(1, keepdims=True)).all()


def test_file_is_small_and_says_what_is_needed_to_use_it(network, tmp_path):
    held_out = {"one": ROWS}
    path = tmp_path / "r.onnx"
    measured = language_export.export(network, INVENTORY[:PIECES], path, held_out)["one"]
    n_weights = sum(one.numel() for one in network.parameters())
    assert path.stat().st_size < n_weights + 35_000  # the nodes, whatever the size of the network
    stored = [one for one in onnx.load(path).graph.initializer if sorted(one.dims) == [24, PIECES]]
    assert [one.data_type for one in stored] == [onnx.TensorProto.INT8]
    assert measured.words == sum(INVENTORY[piece][0].endswith(END) for row in ROWS for piece in row[1:])
    total = predict_all(language_export.of_network(network)).sum()
    assert measured.float32 == pytest.approx(math.exp(-total / measured.words), rel=1e-4)
    assert measured.int8 == pytest.approx(measured.float32, rel=0.1)


def test_decoder_reads_what_is_written(network, tmp_path):
    language_export.export(network, INVENTORY[:PIECES], tmp_path / "r.onnx", {})
    words = ["bad", "a", "face"]
    found = Rescorer(tmp_path / "r.onnx").log_probs([Asked(["had"], words, True), Asked(["had"], words, False)])
    pieces = Pieces(INVENTORY[:PIECES], text.UNKNOWN)
    for start, log_probs in zip(("sentence", "cut"), found, strict=True):
        row = [text.STARTS[start], *(i for word in ("had", *words) for i in pieces.of(word))]
        each = language_export.of_network(network)(*language_export.padded([row]))[3:]
        sums = [part.sum() for part in np.split(each, [3, 4])]
        np.testing.assert_allclose(log_probs, sums, atol=0.2)


def test_graph_that_differs_is_not_written(network, tmp_path, monkeypatch):
    other = LanguageNetwork(PIECES, width=24, layers=2, heads=3, inner=96)
    monkeypatch.setattr(language_export, "build", lambda _, integers: language_graph.build(other, integers))
    with pytest.raises(TrainingError, match="differs from PyTorch"):
        language_export.export(network, INVENTORY[:PIECES], tmp_path / "r.onnx", {})
    assert not (tmp_path / "r.onnx").exists()


def test_text_is_the_lines_words_in_pieces(recipe, data, tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_BLOCK", 7)
    found = text.prepare(recipe, data, tmp_path / "work", PIECES, lambda _: None)
    assert [piece for piece, _ in found.inventory[:3]] == list(text.SPECIAL)
    assert len(found.inventory) == PIECES
    pieces = Pieces(found.inventory, text.UNKNOWN)
    lines = recipes.split((tmp_path / "work" / "one.txt").read_text().splitlines(), 4)
    for part, kept in ((lines.train, found.train["one"]), (lines.report, found.report["one"])):
        wanted = [[i for word in line.split() for i in pieces.of(word)] for line in part]
        assert [kept.pieces[a:b].tolist() for a, b in pairwise([*kept.starts, len(kept.pieces)])] == wanted
    assert found.words["one"] == 5 * len(lines.train)
    assert found.words["said-x"] == 2
    assert [kind for kind, lines in found.report.items() if len(lines.starts)] == ["one", "two"]
    rows = found.report["two"].rows(3, 4)
    assert [len(row) for row in rows] == [5, 5, 5]
    assert {row[0] for row in rows} == {0}
    assert len(found.report["two"].rows(10**6, 64)) == len(found.report["two"].starts)


def test_words_are_numbered_as_they_come_and_empty_lines_left_out():
    numbers = defaultdict(None)
    numbers.default_factory = numbers.__len__
    words, lengths = text._numbered(["to  be", "", " or", "not to be"], numbers)
    assert (words.tolist(), lengths.tolist()) == ([0, 1, 2, 3, 0, 1], [2, 1, 3])


def test_words_are_cut_as_sentencepiece_cuts_them(tmp_path, monkeypatch):
    import sentencepiece

    models = []
    real = text.inventory_from
    monkeypatch.setattr(text, "inventory_from", lambda model: models.append(model) or real(model))
    words = [*NOUNS, *VERBS, *OTHERS, "axes", "tow"]
    inventory = text.inventory_of(words, np.arange(1.0, len(words) + 1), PIECES)
    assert isinstance(models[0], sentencepiece.SentencePieceProcessor)
    scores = [models[0].get_score(i) for i in range(PIECES)]
    assert [score for _, score in inventory] == pytest.approx(scores, abs=1e-4)
    pieces = Pieces(inventory, text.UNKNOWN)
    assert [list(pieces.of(word)) for word in words] == [models[0].encode(word) for word in words]


def test_text_is_prepared_once_for_the_same_recipe_files_and_pieces(recipe, data, tmp_path, monkeypatch):
    calls = []
    real = recipes.prepare
    monkeypatch.setattr(recipes, "prepare", lambda *all: calls.append(1) or real(*all))

    def prepared(n_pieces=PIECES):
        before = len(calls)
        return text.prepare(recipe, data, tmp_path, n_pieces, lambda _: None), len(calls) > before

    first, anew = prepared()
    assert anew
    again, anew = prepared()
    assert not anew
    assert (again.inventory, again.words, again.dropped) == (first.inventory, first.words, first.dropped)
    for ours, theirs in ((again.train, first.train), (again.report, first.report)):
        assert list(ours) == list(theirs)
        for name, lines in ours.items():
            np.testing.assert_array_equal(lines.pieces, theirs[name].pieces)
            np.testing.assert_array_equal(lines.starts, theirs[name].starts)
            assert lines.pieces.dtype == np.uint16
    other, anew = prepared(PIECES + 1)
    assert anew
    assert len(other.inventory) == PIECES + 1
    prepared()
    half = (tmp_path / text.FILE).read_bytes()[:9000]
    spoilt = (text.FILE, b"damaged"), (text.FILE, half), ("data/text/one.txt", b"a fox\n" * 200)
    for name, content in spoilt:
        prepared()
        (tmp_path / name).write_bytes(content)
        assert prepared()[1]


def test_rows_begin_at_sentences_or_words_and_run_on(recipe, data, tmp_path):
    texts = text.prepare(recipe, data, tmp_path, PIECES, lambda _: None)
    rows = text.Rows(texts, 300, 20, seed=5)
    drawn = rows(3)
    assert drawn.shape == (300, 21)
    np.testing.assert_array_equal(drawn, text.Rows(texts, 300, 20, seed=5)(3))
    assert (drawn != rows(4)).any()
    assert (drawn != text.Rows(texts, 300, 20, seed=6)(3)).any()
    assert 0.4 < (drawn[:, 0] == text.STARTS["sentence"]).mean() < 0.6
    assert set(drawn[:, 0]) == set(text.STARTS.values())
    said = {}
    for lines in texts.train.values():
        ring = np.tile(lines.pieces, 20)[: len(lines.pieces) + 40]  # what is short begins again behind its end
        begins = set(lines.starts.tolist())
        words = {0} | {i + 1 for i, piece in enumerate(lines.pieces[:-1]) if texts.inventory[piece][0].endswith(END)}
        for i in sorted(words):
            found = said.setdefault(tuple(ring[i : i + 20].tolist()), set())
            found |= {text.STARTS["cut"]} | ({text.STARTS["sentence"]} if i in begins else set())
    for row in drawn:
        assert row[0] in said[tuple(row[1:].tolist())]
    # a source's part is its size to the power of 0.7
    sizes = np.array([len(lines.pieces) for lines in texts.train.values()])
    np.testing.assert_allclose(rows.shares, sizes**0.7 / (sizes**0.7).sum())
    alone = [i for i, (piece, _) in enumerate(texts.inventory) if "z" in piece]  # the smallest source has the zebras
    assert np.isin(drawn, alone).any(1).mean() == pytest.approx(rows.shares[2], abs=0.03)


def test_learning_rate_rises_stays_and_falls():
    options = RescorerOptions(steps=1000, warmup_steps=100)
    found = [steps.schedule(step, options) for step in (0, 49, 99, 500, 750, 999)]
    np.testing.assert_allclose(found, [0.01, 0.5, 1, 1, 0.5, 0.002])


class Stopped(Exception):
    pass


def test_a_stopped_training_goes_on_as_if_it_had_never_stopped(recipe, data, tmp_path):
    lines, through, stopped = [], tmp_path / "through", tmp_path / "stopped"
    card = language.train(recipe, data, through, SMALL, lines.append)

    def stop(line):
        if line.startswith("  perplexity"):  # at step 8
            raise Stopped

    with pytest.raises(Stopped):
        language.train(recipe, data, stopped, SMALL, stop)
    assert checkpoint.load(stopped / language.STATE)["step"] == 8
    assert not (stopped / language.GRAPH).exists()
    said = []
    language.train(recipe, data, stopped, SMALL, said.append)
    assert "going on from step 8" in said
    assert (through / language.GRAPH).read_bytes() == (stopped / language.GRAPH).read_bytes()
    ours, theirs = (checkpoint.load(folder / language.STATE)["model"] for folder in (through, stopped))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())

    told = [float(line.split()[-1]) for line in lines if line.startswith("  perplexity a word: two ")]
    assert len(told) == 3
    assert told[-1] < 0.7 * told[0]
    assert told[-1] < 12  # 4.7 words can stand at a place on average, 13.5 where their order is not known
    assert told[-1] == pytest.approx(card["held_out"]["two"]["perplexity_float32"], abs=0.06)
    assert any(line.startswith("step 24/24: loss ") and line.endswith(" pieces/s") for line in lines)
    # started again when all is done, as a command too, it writes the same graph
    (through / language.GRAPH).unlink()
    flags = [*FLAGS, "--batch-size", "8", "--warmup-steps", "3", "--rate", "0.02", "--report-lines", "60"]
    assert run(["lm", "rescorer", str(data.parent / "lm.toml"), "--data", str(data), "-o", str(through), *flags]) == 0
    assert (through / language.GRAPH).read_bytes() == (stopped / language.GRAPH).read_bytes()
    assert card == json.loads((through / language.CARD).read_text())
    assert [(one["file"], one["licence"]) for one in card["corpora"]] == [
        ("one", "CC0"),
        ("two", "MIT"),
        ("said-x", "BSD"),
    ]
    assert card["options"]["steps"] == 24
    assert card["bytes"] == (through / language.GRAPH).stat().st_size
    assert list(card["held_out"]) == ["two"]  # what the recipe is tuned to


def test_a_run_is_lengthened_and_its_card_tells_where(recipe, data, tmp_path):
    language.train(recipe, data, tmp_path, SMALL, lambda line: None)
    longer, said = replace(SMALL, steps=40), []

    def stop(line):
        said.append(line)
        if line.startswith("  perplexity"):  # at step 32
            raise Stopped

    with pytest.raises(Stopped):
        language.train(recipe, data, tmp_path, longer, stop)
    assert "going on from step 24" in said
    card = language.train(recipe, data, tmp_path, longer, said.append)
    assert "going on from step 32" in said
    assert said[-2].startswith("two: perplexity")
    assert (card["options"]["steps"], card["options"]["lengthened"]) == (40, [24])
    assert card["held_out"]["two"]["perplexity_float32"] < 12


def test_loss_that_is_no_number_stops_the_training(recipe, data, tmp_path, monkeypatch):
    monkeypatch.setattr(LanguageNetwork, "loss", lambda self, _: self.embed.weight.sum() * math.nan)
    with pytest.raises(TrainingError, match=r"step 1: the loss is not a number.*--rate$"):
        language.train(recipe, data, tmp_path / "out", SMALL, lambda _: None)
    assert not (tmp_path / "out" / language.STATE).exists()


def test_without_a_compiler_training_goes_on_and_says_so(monkeypatch):
    said = []
    with monkeypatch.context() as changed:
        changed.setattr(steps.shutil, "which", lambda _: None)
        assert steps._compiled(torch.sum, torch.ones(2), said.append) is torch.sum

    def broken(_):
        raise RuntimeError("no Python.h\nand more")

    monkeypatch.setattr(steps.shutil, "which", lambda _: "/usr/bin/c++")
    monkeypatch.setattr(torch, "compile", lambda _: broken)
    assert steps._compiled(torch.sum, torch.ones(2), said.append) is torch.sum
    monkeypatch.setattr(torch, "compile", lambda _: torch.mean)
    assert steps._compiled(torch.sum, torch.ones(2), said.append) is torch.mean
    assert [("no C++ compiler" in line, "no Python.h" in line, "\n" in line) for line in said] == [
        (True, False, False),
        (False, True, False),
    ]


def test_heads_must_share_the_width():
    with pytest.raises(OptionError, match="--width cannot be 100: 3 heads need a multiple of 6"):
        RescorerOptions(width=100)


def no_recipe(place):
    (place / "lm.toml").unlink()


def folder_is_a_file(place):
    (place / "out").write_text("")


def state_of_others(place):
    (place / "out").mkdir()
    torch.save({"options": {"name": "x"}, "model": {}}, place / "out" / "rescorer.pt")


def other_width(place):
    options = {**asdict(SMALL), "width": 48}
    (place / "out").mkdir()
    state = {"options": options, "model": {}, "step": 1, "optimisers": [], "text": "", "pieces": []}
    torch.save(state, place / "out" / "rescorer.pt")


def fewer_steps(place):
    options = {**asdict(RescorerOptions(pieces=PIECES, width=24, layers=2, steps=25))}
    (place / "out").mkdir()
    state = {"options": options, "model": {}, "step": 1, "optimisers": [], "text": "", "pieces": []}
    torch.save(state, place / "out" / "rescorer.pt")


def other_text(place):
    options = {**asdict(RescorerOptions(pieces=PIECES, width=24, layers=2, steps=24))}
    (place / "out").mkdir()
    state = {"options": options, "model": {}, "step": 1, "optimisers": [], "text": "", "pieces": []}
    torch.save(state, place / "out" / "rescorer.pt")


def few_pieces(place):
    (place / "data" / "text" / "one.txt").write_text("the quick brown fox jumps over the lazy dog in a vat of jam")


def little_text(place):
    for name in ("one", "two"):
        (place / "data" / "text" / f"{name}.txt").write_text("a")
    (place / "data" / "said.jsonl").write_text("")


def no_torch(place):
    pass


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_recipe, "lm.toml: no such file"),
        (folder_is_a_file, "out: is a file: choose a folder"),
        (state_of_others, "rescorer.pt is no state of this training"),
        (other_width, "rescorer.pt was trained with --width 48, not 24"),
        (fewer_steps, "rescorer.pt was trained with --steps 25, not 24"),
        (other_text, "rescorer.pt is of another text"),
        (little_text, "too little text for 36 pieces: ask for fewer with --pieces"),
        (few_pieces, "--pieces 24: the letters alone need 30"),
        (no_torch, "training needs torch: pip install 'transcribe-cli[train]'"),
    ],
)
def test_what_cannot_be_trained_is_one_line(data, capfd, monkeypatch, spoil, said):
    place = data.parent
    monkeypatch.chdir(place)
    spoil(place)
    if spoil is no_torch:
        monkeypatch.setitem(sys.modules, "torch", None)
        for name in [name for name in sys.modules if name.startswith("transcribe_cli.training.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr("transcribe_cli.training.language")
    flags = [*FLAGS, "--pieces", "24"] if spoil is few_pieces else FLAGS
    assert run(["lm", "rescorer", "lm.toml", "--data", "data", "-o", "out", *flags]) != 0
    last = capfd.readouterr().err.splitlines()[-1]
    assert said in last
    assert last.startswith("transcribe: ")
