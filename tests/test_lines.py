"""Strings held as one string: the same answers as a sorted list of them."""

from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.lines import SortedLines

TEXT = st.text(alphabet="abé'\t𝄞", max_size=5)


@given(lines=st.lists(TEXT, max_size=30), asked=TEXT)
def test_it_answers_as_a_sorted_list_of_its_lines_would(lines: list[str], asked: str) -> None:
    held, plain = SortedLines(lines), sorted(set(lines))
    assert list(held) == plain == [held[i] for i in range(len(held))]
    assert (asked in held) == (asked in plain)
    assert held.has_prefix(asked) == any(line.startswith(asked) for line in plain)
    first, end = held.span(asked)
    assert plain[first:end] == [line for line in plain if line.startswith(asked)]
    assert held.ending(asked) == [line for line in plain if line.endswith(asked)]


def test_what_is_no_string_is_not_in_it() -> None:
    assert None not in SortedLines(["None"])
    assert not SortedLines([]).has_prefix("")
