"""Strings held as one string: the same answers as a sorted list of them."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.lines import SortedLines

TEXT = st.text(alphabet="abé'\t𝄞", max_size=5)


@given(lines=st.lists(TEXT, max_size=30), asked=TEXT)
def test_it_answers_as_a_sorted_list_of_its_lines_would(lines: list[str], asked: str) -> None:
    with patch("transcribe_cli.lines._PIECE", 4):
        _compare(SortedLines(lines), sorted(set(lines)), asked)


def _compare(held: SortedLines, plain: list[str], asked: str) -> None:
    assert list(held) == plain == [held[i] for i in range(len(held))]
    assert (asked in held) == (asked in plain)
    assert held.has_prefix(asked) == any(line.startswith(asked) for line in plain)
    first, end = held.span(asked)
    assert plain[first:end] == [line for line in plain if line.startswith(asked)]


def test_what_is_no_string_is_not_in_it() -> None:
    assert None not in SortedLines(["None"])
    assert not SortedLines([]).has_prefix("")


def test_a_hundred_thousand_of_them_are_found() -> None:
    held = SortedLines(str(i) for i in range(100_000))
    assert all(str(i) in held for i in range(0, 100_000, 7))
    assert "100000" not in held
    first, end = held.span("777")
    assert sorted(held[i] for i in range(first, end)) == sorted(x for x in map(str, range(100_000)) if x[:3] == "777")
