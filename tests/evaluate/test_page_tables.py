"""The page's tables and plots: what sorts, what is not known, names that are too long."""

import json
import re
import shutil
import subprocess

import pytest

from transcribe_cli.evaluate import report, versus
from transcribe_cli.evaluate.compare import compare
from transcribe_cli.evaluate.page import SCRIPT, bars, group, interval, page, rate, table
from transcribe_cli.evaluate.report import System, dump, summarise
from transcribe_cli.evaluate.score import Pair, score

# enough of a document for the script: one table, whose first heading is clicked
DOCUMENT = """
const rows = VALUES.map(v => ({v, cells: [{dataset: {v}}]}));
const heads = [], body = {rows, append(...all) { this.rows = all; }};
const table = {tBodies: [body], querySelectorAll: () => heads};
const head = {cellIndex: 0, state: {}, closest: () => table, getAttribute(k) { return this.state[k]; },
  setAttribute(k, v) { this.state[k] = v; }, removeAttribute(k) { delete this.state[k]; },
  addEventListener(_, f) { this.click = f; }};
heads.push(head);
const document = {querySelectorAll: () => heads};
"""


def clicked(values, times):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    script = DOCUMENT.replace("VALUES", json.dumps(values)) + SCRIPT + "head.click();" * times
    script += "console.log(JSON.stringify(body.rows.map(row => row.v)));"
    return json.loads(subprocess.run([node, "-e", script], capture_output=True, text=True, check=True).stdout)


def test_numbers_sort_as_numbers_and_what_is_not_known_stays_last():
    assert clicked(["10", "", "9", "-1"], 1) == ["-1", "9", "10", ""]
    assert clicked(["10", "", "9", "-1"], 2) == ["10", "9", "-1", ""]


def test_names_of_which_some_are_numbers_sort_as_texts():
    assert clicked(["2", "1a", "10"], 1) == clicked(["10", "2", "1a"], 1) == ["10", "1a", "2"]


def test_unknown_and_infinite_rates_are_told_apart():
    assert rate(None) == ("–", "")
    assert rate(float("inf"))[1] > rate(99.0)[1]
    assert 'data-v=""' in table(["WER"], [[rate(None)]])


def test_an_interval_sorts_by_its_lower_end_and_an_unknown_one_is_one_dash():
    assert interval({"interval": [0.091, 0.2]}) == ("9.1 % – 20.0 %", 0.091)
    assert interval({"interval": [None, None]}) == ("–", "")


def test_bands_sort_by_their_size():
    names = ["2: 10–20 s", "1: 5–10 s", "0: < 5 s"]
    cells = table(["duration"], [[group("duration", name)] for name in names])
    assert re.findall(r'data-v="(\d)', cells) == ["2", "1", "0"]
    assert "&lt; 5 s</td>" in cells


def test_a_value_to_sort_by_is_no_markup():
    assert '"><b>' not in table(["speaker"], [[group("speaker", '"><b>')]])


def test_a_heading_can_be_reached_by_keyboard():
    assert '<th scope="col"><button>WER</button></th>' in table(["WER"], [])


def test_names_that_differ_at_their_ends_are_told_apart_in_a_plot():
    model = "en 0.9 + english 3-gram, entropy-pruned, 13 MB, of the books"
    series = [(f"{model} ({name}.json)", [(0.5, None, None)] * 2) for name in ("one", "two")]
    plot = bars(["speechocean762-0003", "speechocean762-0004"], series, "test")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", plot)
    assert len([text for text in texts if text.endswith(("(one.json)", "(two.json)"))]) == 2
    assert len({text for text in texts if text.endswith(("0003", "0004"))}) == 2


@pytest.mark.parametrize("highest", [0.01, 0.5, 18.0, 99.0, 1e7])
def test_an_axis_has_ticks_of_whole_numbers_however_high(highest):
    plot = bars(["a", "b"], [("s", [(highest, None, None)] * 2)], "test")
    ticks = re.findall(r"<text[^>]*>([^<]*) %</text>", plot)
    assert 3 <= len(ticks) <= 7
    assert highest > 100 or not any("e" in tick for tick in ticks)


def test_words_where_none_were_expected_are_infinite_in_a_comparison_too(tmp_path):
    sides = []
    for name, heard in (("a", "ghost"), ("b", "")):
        pairs = [Pair("0", "", heard, 1.0, {}), Pair("1", "", heard, 7.0, {})]
        (tmp_path / name).write_text(dump(summarise([System(name, score(pairs, "none"))], draws=10)))
        sides.append(report.read(tmp_path / name)["systems"][0])
    found = compare(*map(report.counts_by_id, sides))
    text = versus.page(("a", "b"), sides, found, "none")
    assert ">∞</td>" in text
    assert "inf" not in text
    assert "nan" not in text


def test_the_page_of_one_utterance_has_no_row_of_dashes():
    text = page(summarise([System("s", score([Pair("0", "a", "a", None, {})], "none"))], draws=10))
    assert "– – –" not in text
