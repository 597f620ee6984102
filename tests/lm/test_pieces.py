"""Words in pieces, against enumeration."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.lm.pieces import END, Pieces

SCORES = {"a": -2.0, "b": -2.5, f"a{END}": -2.2, f"b{END}": -2.4, "ab": -3.9, f"ba{END}": -3.0, f"bab{END}": -6.1}
PIECES = Pieces([("<s>", 0.0), ("<unk>", 0.0), *SCORES.items()], unknown=1)


def every_way(text: str) -> list[tuple[str, ...]]:
    """All ways to cut a text into pieces of the inventory."""
    if not text:
        return [()]
    return [(text[:n], *rest) for n in range(1, len(text) + 1) if text[:n] in SCORES for rest in every_way(text[n:])]


@given(st.text("ab", min_size=1, max_size=9))
def test_the_likeliest_pieces_are_found(word):
    found = [PIECES.pieces[i][0] for i in PIECES.of(word)]
    assert "".join(found) == word + END
    best = max(sum(SCORES[piece] for piece in way) for way in every_way(word + END))
    assert sum(SCORES[piece] for piece in found) == pytest.approx(best)


def test_a_character_that_no_piece_holds_is_unknown_and_the_rest_is_not():
    found = [PIECES.pieces[i][0] for i in PIECES.of("abzb")]
    assert found == ["ab", "<unk>", f"b{END}"] or found == ["a", "b", "<unk>", f"b{END}"]
    assert PIECES.of("") == (PIECES.unknown,)


def test_what_stands_for_starts_is_no_piece_of_a_word():
    assert 0 not in itertools.chain(PIECES.of("<s>"), PIECES.of("s"))
