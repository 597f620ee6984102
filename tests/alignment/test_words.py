import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import random_log_probs

from transcribe_cli.alignment.words import LEAD_SECONDS, TAIL_SECONDS, align_words, word_times
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.errors import CTCError

LETTERS = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
FRAME = 0.02


def emissions(path: str, alphabet: Alphabet = LETTERS, sure: float = 0.9) -> np.ndarray:
    """Rows that put `sure` on each sign of the path ("-" is the blank) and share the rest evenly."""
    rows = np.full((len(path), len(alphabet)), (1 - sure) / (len(alphabet) - 1))
    for t, sign in enumerate(path):
        rows[t, alphabet.blank if sign == "-" else alphabet.tokens.index(sign)] = sure
    return np.log(rows).astype(np.float32)


def test_words_lie_where_their_letters_are() -> None:
    #                     0123456789012345678901234567890
    words = align_words(emissions("-----a--n--------- --oo-d------"), "an od", LETTERS, FRAME, start_seconds=10.0)
    assert [word.text for word in words] == ["an", "od"]
    assert words[0].start_seconds == pytest.approx(10 + 5 * FRAME - LEAD_SECONDS)
    assert words[0].end_seconds == pytest.approx(10 + 9 * FRAME + TAIL_SECONDS)
    assert words[1].start_seconds == pytest.approx(10 + 21 * FRAME - LEAD_SECONDS)
    assert words[1].end_seconds == pytest.approx(10 + 25 * FRAME + TAIL_SECONDS)


def test_a_small_gap_is_shared_and_nothing_leaves_the_emissions() -> None:
    first, second = align_words(emissions("a b"), "a b", LETTERS, FRAME)
    assert first.start_seconds == 0.0
    assert first.end_seconds == pytest.approx(second.start_seconds)
    assert FRAME <= first.end_seconds <= 2 * FRAME
    assert second.end_seconds == pytest.approx(3 * FRAME)


@settings(deadline=None)
@given(st.lists(st.text("abc'", min_size=1, max_size=5), min_size=0, max_size=8), st.integers(0, 40), st.integers(0, 9))
def test_words_never_overlap_nor_leave_the_segment(texts: list[str], spare: int, seed: int) -> None:
    text = " ".join(texts)
    n_frames = 2 * len(text) + spare
    log_probs = random_log_probs(np.random.default_rng(seed), n_frames, len(LETTERS)).astype(np.float32)
    words = align_words(log_probs, text, LETTERS, FRAME, start_seconds=3.0)
    assert [word.text for word in words] == texts
    edges = [
        3.0,
        *itertools.chain.from_iterable((w.start_seconds, w.end_seconds) for w in words),
        3.0 + n_frames * FRAME,
    ]
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(edges))
    assert all(word.end_seconds > word.start_seconds for word in words)
    assert all(0.0 <= word.confidence <= 1.0 for word in words)


def test_no_text_gives_no_words() -> None:
    assert align_words(emissions("---"), "  ", LETTERS, FRAME) == ()
    assert align_words(emissions(""), "", LETTERS, FRAME) == ()


def test_word_alphabets_have_no_boundary() -> None:
    alphabet = Alphabet(("yes", "no", "<blank>"), blank=2, boundary=None)
    rows = np.log([[0.1, 0.1, 0.8], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.7, 0.1, 0.2], [0.1, 0.8, 0.1]])
    words = align_words(rows, "yes yes no", alphabet, 0.1)
    assert [word.text for word in words] == ["yes", "yes", "no"]
    assert all(0.5 < word.confidence < 1 for word in words)
    assert words[0].start_seconds <= 0.1 <= words[0].end_seconds <= words[1].start_seconds <= 0.3


def test_units_of_several_characters_keep_their_words() -> None:
    alphabet = Alphabet(("<b>", "▁", "the", "▁cat", "s", "▁a", "t"), boundary="▁")
    rows = random_log_probs(np.random.default_rng(0), 12, 7)
    words = align_words(rows, "the cats at", alphabet, FRAME)
    assert [word.text for word in words] == ["the", "cats", "at"]
    assert all(one.end_seconds <= two.start_seconds + 1e-9 for one, two in itertools.pairwise(words))


def test_text_the_alphabet_cannot_spell_is_refused() -> None:
    with pytest.raises(CTCError, match="cannot spell 'é'"):
        align_words(emissions("----"), "é", LETTERS, FRAME)


def test_emissions_of_another_alphabet_are_refused() -> None:
    with pytest.raises(CTCError, match="29 tokens"):
        align_words(np.zeros((5, 4)), "a", LETTERS, FRAME)


def test_text_too_long_for_the_audio_is_refused() -> None:
    with pytest.raises(CTCError, match="need 9 frames and there are 4"):
        align_words(emissions("----"), "abcdefg h", LETTERS, FRAME)


def test_words_that_share_a_unit_get_sorted_times() -> None:
    times = word_times(np.array([3, 5]), np.array([6, 8]), 10, FRAME)
    assert (np.diff(times.ravel()) >= 0).all()


def test_alignment_of_ordinary_segments_is_far_faster_than_speech() -> None:
    rng = np.random.default_rng(0)
    text = " ".join("".join(rng.choice(list("etaoinshrdlu"), 4)) for _ in range(60))
    log_probs = random_log_probs(rng, 1000, len(LETTERS)).astype(np.float32)
    best = float("inf")
    for _ in range(5):
        begin = time.process_time()
        align_words(log_probs, text, LETTERS, FRAME)
        best = min(best, time.process_time() - begin)
    assert best < 20 / 300  # a tenth of the speed that benchmarks/alignment.py states, so that a busy machine passes
