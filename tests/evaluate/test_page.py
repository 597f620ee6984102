import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from transcribe_cli.errors import InputError
from transcribe_cli.evaluate import report, terminal
from transcribe_cli.evaluate.page import aligned, bars, page
from transcribe_cli.evaluate.report import Facts, System, dump, summarise
from transcribe_cli.evaluate.score import Pair, score

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def summary():
    """Two systems over six utterances with everything a report can show."""
    texts = [
        ("a b c d", "a b c d"),
        ("the cat sat", "the bat sat on"),
        ("", "uh"),
        ("hello there", ""),
        (EVIL, "nothing of the kind"),
        ("one two three four five", "one too three for five"),
    ]
    pairs = [
        Pair(f"{EVIL}{k}" if k == 4 else str(k), a, b, 1.0 + 3 * k, {"source": "x" if k % 2 else "y"})
        for k, (a, b) in enumerate(texts)
    ]
    facts = {
        pair.id: Facts(
            (0.5,) * len(pair.hypothesis.split()), 3.0 * k, 9.0 + 60 * (k == 1), 2.0, -9.0, -3.0 + 20 * (k == 1)
        )
        for k, pair in enumerate(pairs)
    }
    better = [Pair(pair.id, pair.reference, pair.reference, pair.duration_seconds, pair.keys) for pair in pairs]
    systems = [
        System(f"first {EVIL}", score(pairs, "none"), facts, frozenset({"a", "the", "cat", "sat"})),
        System("second", score(better, "none")),
    ]
    shares = {"audio": 0.1, "network": 0.9}
    speed = {"audio_seconds": 60.0, "seconds": 0.5, "times_real_time": 120.0, "shares": shares}
    return summarise(
        systems, ["source"], speed | {"device": "cpu", "threads": 1, "peak_megabytes": 99.0}, ["a note"], 100
    )


class Tags(HTMLParser):
    """Counts tags and refuses one that is closed out of order."""

    VOID = ("meta", "br", "line", "rect", "circle", "polyline")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_counts_stand_beside_every_rate(summary):
    words = summary["systems"][0]["words"]
    assert words["errors"] == words["substitutions"] + words["deletions"] + words["insertions"]
    assert words["rate"] == pytest.approx(words["errors"] / words["reference"])
    assert words["interval"][0] <= words["rate"] <= words["interval"][1]
    assert summary["systems"][0]["empty"] == {"references": 1, "words_invented": 1, "hypotheses_for_speech": 1}
    assert summary["systems"][1]["words"]["errors"] == 0


def test_search_errors_are_told_from_model_errors(summary):
    # the reference's total is above the hypothesis's in all wrong utterances but one
    assert summary["systems"][0]["search"] == {"wrong": 5, "search_errors": 0, "model_errors": 5}


def test_every_wrong_utterance_says_who_is_at_fault(summary):
    faults = [report.fault(utterance) for utterance in summary["systems"][0]["utterances"]]
    assert faults == ["", "models", "models", "models", "models", "models"]
    missed = summary["systems"][0]["utterances"][1] | {"reference_total": 20.0}
    assert report.fault(missed) == "search"
    assert report.fault(missed | {"hypothesis_total": None}) == ""


def test_words_outside_the_vocabulary_are_counted(summary):
    assert summary["systems"][0]["vocabulary"] == {"words": 15, "outside": 11, "outside_wrong": 5}


def test_groups_have_scores_of_every_system(summary):
    for system in summary["systems"]:
        assert set(system["groups"]["source"]) == {"x", "y"}
        assert len(system["groups"]["duration"]) > 2


def test_json_is_valid_and_read_back(summary, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(dump(summary))
    data = report.read(path)
    assert "Infinity" not in path.read_text()
    assert sum(c.errors for c in report.counts_by_id(data["systems"][0]).values()) == 11
    assert data["normalizer"] == "none"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "transcribe-evaluation", "version": 1, "systems": [{}]}'])
def test_what_is_no_evaluation_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="not an evaluation"):
        report.read(tmp_path / "a.json")


def test_the_page_is_well_formed_and_loads_nothing(summary):
    text = page(summary, {"1": "data:audio/ogg;base64,AAAA"})
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    sources = [attributes.get("src") or attributes.get("href") for _, attributes in tags.seen]
    # the sound is there once; the list of suspected references links to it
    assert sorted(source for source in sources if source) == ["#u1", "data:audio/ogg;base64,AAAA"]
    assert [attributes["id"] for tag, attributes in tags.seen if tag == "audio"] == ["u1"]
    assert "http://" not in text
    assert "https://" not in text
    assert [tag for tag, _ in tags.seen].count("script") == 1
    assert "Content-Security-Policy" in text


def test_nothing_said_becomes_markup_in_the_page(summary):
    assert EVIL not in page(summary)
    assert "&lt;script&gt;" in page(summary, title=EVIL)


def test_the_page_names_normaliser_and_both_systems(summary):
    text = page(summary)
    for wanted in ("normaliser <b>none</b>", "second", "a note", "120 × real time", "<svg", "calibration error"):
        assert wanted in text


def test_alignments_mark_what_is_missing_and_what_was_put_in():
    assert aligned([["a", "a"], ["b", None], [None, "c"], ["d", "<e>"]]) == (
        "a <del>b</del> <ins>c</ins> <del>d</del> <ins>&lt;e&gt;</ins>"
    )


def test_a_bars_height_is_its_rate():
    plot = bars(["x", "y"], [("s", [(0.5, 0.4, 0.6), (0.25, 0.2, 0.3)])], "test")
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" fill="#2b6cb0"><title>', plot)]
    assert heights[0] == pytest.approx(2 * heights[1], rel=0.01)


def test_infinite_rates_are_shown_and_not_drawn():
    assert report.percent(float("inf")) == "∞"
    assert report.percent(None) == "–"
    assert "<title>" not in bars(["x"], [("s", [(None, None, None)])], "test")


def test_the_terminal_shows_rates_errors_and_the_worst(summary):
    from rich.console import Console

    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        terminal.show(summary, console)
    text = console.export_text()
    for wanted in (
        "normaliser none",
        "cat → bat",
        "[-cat-]{+bat+}",
        "1 words invented",
        "120 × real time",
        "by source",
    ):
        assert wanted in text


def test_of_many_groups_the_terminal_shows_the_worst_that_have_words_enough():
    from rich.console import Console

    pairs = [
        Pair(str(k), "a b c d", "a b c d" if k % 30 else "x", None, {"speaker": f"s{k % 30:02d}"}) for k in range(60)
    ]
    found = summarise([System("one", score(pairs, "none"))], ["speaker"], draws=10)
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        terminal.show(found, console)
    text = console.export_text()
    assert "the worst of 30 (with at least 8 words)" in text
    assert "s00" in text
    assert "s29" not in text


def test_the_page_is_drawn_by_a_real_browser(summary, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium here")
    text = page(summary)
    click = "<script>[...document.querySelectorAll('th')].find(head => head.textContent === 'WER').click()</script>"
    (tmp_path / "page.html").write_text(text.replace("</body>", click + "</body>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--dump-dom", f"file://{tmp_path}/page.html"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert dom.count("<svg") == text.count("<svg") > 3
    assert "<script>alert" not in dom
    # the system without errors was the second row and is the first after a click on the heading
    assert text.index("<td>first") < text.index("<td>second")
    assert dom.index("<td>first") > dom.index("<td>second")
