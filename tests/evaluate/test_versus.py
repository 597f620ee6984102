"""Two evaluations side by side: the page, the values for scripts."""

import json
import shutil
import subprocess

import pytest

from transcribe_cli.evaluate import report, versus
from transcribe_cli.evaluate.compare import compare
from transcribe_cli.evaluate.report import System, dump, summarise
from transcribe_cli.evaluate.score import Pair, score

EVIL = "<script>alert(1)</script>"
NAMES = (f"first {EVIL}", "second")


@pytest.fixture(scope="module")
def sides():
    """The second is right everywhere; the first is wrong in two of four utterances, twice in the last."""
    texts = [("a b", "a b"), ("the cat sat", "the bat sat"), ("yes", "yes"), (f"one {EVIL} three", "one tree")]
    found = []
    for heard in (lambda a, b: b, lambda a, b: a):
        pairs = [
            Pair(str(k), a, heard(a, b), 1.0 + 4 * k, {"source": "x" if k % 2 else "y"})
            for k, (a, b) in enumerate(texts)
        ]
        found.append(summarise([System("s", score(pairs, "none"))], ["source"], draws=50)["systems"][0])
    return found


@pytest.fixture(scope="module")
def found(sides):
    return compare(*(report.counts_by_id(side) for side in sides))


def test_values_for_scripts_have_counts_beside_rates(found):
    data = json.loads(dump(versus.as_json(NAMES, found)))
    first, second = data["systems"]
    assert (first["errors"], first["reference"], first["better_on"]) == (3, 9, 0)
    assert (second["errors"], second["better_on"]) == (0, 2)
    assert data["difference"] == pytest.approx(3 / 9) == first["rate"] - second["rate"]
    assert data["interval"][0] <= data["difference"] <= data["interval"][1]
    assert 0 < data["p"] < 1


def test_the_page_shows_where_the_two_differ_worst_first(sides, found):
    text = versus.page(NAMES, sides, found, "none")
    assert "2 utterances are not heard alike" in text
    differing = text.split("Where they differ")[1]
    assert differing.index("<small>3</small>") < differing.index("<small>1</small>")
    assert "<small>0</small>" not in differing
    assert "<del>cat</del> <ins>bat</ins>" in differing
    assert versus.verdict(found) in text


def test_the_page_lets_nothing_said_become_markup_and_loads_nothing(sides, found):
    text = versus.page(NAMES, sides, found, "none")
    assert EVIL not in text
    assert "Content-Security-Policy" in text
    assert "http" not in text.replace("http-equiv", "")


def test_systems_that_agree_everywhere_are_said_to_differ_nowhere(sides):
    same = compare(*(report.counts_by_id(sides[1]) for _ in range(2)))
    text = versus.page(("a", "b"), (sides[1], sides[1]), same, "none")
    assert "Nowhere." in text
    assert "not told apart" in text


def test_the_page_of_two_is_drawn_by_a_real_browser(sides, found, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium here")
    text = versus.page(NAMES, sides, found, "none")
    click = "<script>[...document.querySelectorAll('th')].find(head => head.textContent === 'WER').click()</script>"
    (tmp_path / "page.html").write_text(text.replace("</body>", click + "</body>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--dump-dom", f"file://{tmp_path}/page.html"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert dom.count("<svg") == text.count("<svg") >= 1
    assert text.index("<td>first") < text.index("<td>second")
    assert dom.index("<td>first") > dom.index("<td>second")
    assert "<script>alert" not in dom
