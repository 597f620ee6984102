import itertools
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli.alignment.forced import AlignedWord, ExtraSpeech, ForcedOptions, TextWord, align_text, spell
from transcribe_cli.alignment.words import align_words
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.errors import CTCError, OptionError

LETTERS = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
FRAME = 0.02
VOCABULARY = ["the", "old", "man", "walked", "slowly", "along", "river", "while", "children", "played", "noisily", "by"]


def speak(words: list[str], rng: np.random.Generator, sure: float = 6.0) -> np.ndarray:
    """Emissions (t, V) of a network that hears the words: a spike a letter, about 15 letters a second."""
    columns: list[int] = [0] * 5
    for letter in " ".join(words):
        columns += [LETTERS.tokens.index(letter)] + [0] * int(rng.integers(2 if letter == " " else 1, 4))
    columns += [0] * 5
    scores = rng.normal(size=(len(columns), len(LETTERS)))
    scores[np.arange(len(columns)), columns] += sure
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def some_words(n: int, seed: int = 0) -> list[str]:
    return [VOCABULARY[i] for i in np.random.default_rng(seed).integers(0, len(VOCABULARY), n)]


def blocks(log_probs: np.ndarray, size: int = 1000) -> Iterator[tuple[np.ndarray, float]]:
    for begin in range(0, len(log_probs), size):
        yield log_probs[begin : begin + size], begin * FRAME


def align(log_probs: np.ndarray, words: list[str], **options: float) -> tuple[list[AlignedWord], list[ExtraSpeech]]:
    spelled = [TextWord(word, word) for word in words]
    told = list(align_text(blocks(log_probs), spelled, LETTERS, FRAME, ForcedOptions(**options)))  # type: ignore[arg-type]
    aligned = [one for one in told if isinstance(one, AlignedWord)]
    assert [one.index for one in aligned] == list(range(len(words)))
    assert [one.word.text for one in aligned] == words
    edges = list(itertools.chain.from_iterable((one.word.start_seconds, one.word.end_seconds) for one in aligned))
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(edges))
    assert all(0 <= edge <= len(log_probs) * FRAME + 1e-9 for edge in edges)
    return aligned, [one for one in told if isinstance(one, ExtraSpeech)]


def test_a_true_text_gets_the_times_of_plain_alignment() -> None:
    words = some_words(60)
    log_probs = speak(words, np.random.default_rng(1))
    aligned, extra = align(log_probs, words)
    assert extra == []
    assert all(one.supported for one in aligned)
    for ours, plain in zip(aligned, align_words(log_probs, " ".join(words), LETTERS, FRAME), strict=True):
        assert ours.word.start_seconds == pytest.approx(plain.start_seconds)
        assert ours.word.end_seconds == pytest.approx(plain.end_seconds)
        assert ours.word.confidence == pytest.approx(plain.confidence, abs=1e-5)


def test_every_unit_has_its_time_inside_the_word() -> None:
    (one,), _ = align(speak(["along"], np.random.default_rng(0)), ["along"])
    assert "".join(unit.text for unit in one.units) == "along"
    assert all(
        one.word.start_seconds <= unit.start_seconds < unit.end_seconds <= one.word.end_seconds for unit in one.units
    )
    assert all(0.5 < unit.confidence <= 1 for unit in one.units)


def test_words_that_were_not_said_are_flagged_and_the_rest_keeps_its_place() -> None:
    said = some_words(80)
    log_probs = speak(said, np.random.default_rng(2))
    text = [*said[:30], "umbrella", "factory", *said[30:]]
    aligned, _ = align(log_probs, text)
    assert [one.index for one in aligned if not one.supported] == [30, 31]
    plain = align_words(log_probs, " ".join(said), LETTERS, FRAME)
    kept = [one for one in aligned if one.supported]
    starts = [abs(one.word.start_seconds - word.start_seconds) for one, word in zip(kept, plain, strict=True)]
    assert max(starts) < 0.1


def test_speech_that_the_text_lacks_is_told_with_its_time() -> None:
    said = [*some_words(30), "umbrella", "factory", *some_words(30, seed=1)]
    log_probs = speak(said, np.random.default_rng(3))
    aligned, (extra,) = align(log_probs, said[:30] + said[32:])
    assert all(one.supported for one in aligned)
    assert extra.text == "umbrella factory"
    plain = align_words(log_probs, " ".join(said), LETTERS, FRAME)
    assert extra.start_seconds == pytest.approx(plain[30].start_seconds, abs=0.1)
    assert extra.end_seconds == pytest.approx(plain[31].end_seconds, abs=0.1)


def test_a_wrong_word_is_both_unsupported_and_extra() -> None:
    said = some_words(20)
    aligned, (extra,) = align(speak([*said, "umbrella", *said], np.random.default_rng(4)), [*said, "question", *said])
    assert [one.word.text for one in aligned if not one.supported] == ["question"]
    assert extra.text == "umbrella"


def test_a_missing_chapter_is_jumped_over() -> None:
    chapters = [some_words(150, seed) for seed in range(3)]
    log_probs = speak(chapters[0] + chapters[2], np.random.default_rng(5))
    aligned, _ = align(log_probs, chapters[0] + chapters[1] + chapters[2])
    supported = np.array([one.supported for one in aligned])
    # words at the seams may fit either way
    assert supported[:145].all()
    assert not supported[155:295].any()
    assert supported[305:].all()


def test_a_long_digression_is_waited_out() -> None:
    before, digression, after = some_words(40), ["umbrella", "factory", "question", "jump"] * 60, some_words(40, seed=1)
    aligned, extra = align(speak(before + digression + after, np.random.default_rng(6)), before + after)
    assert np.mean([one.supported for one in aligned]) > 0.97
    assert sum(len(one.text.split()) for one in extra) > 220


@pytest.mark.parametrize("pages", [100, 500])
def test_pages_that_nobody_reads_are_passed_over(pages: int) -> None:
    said = some_words(80, seed=6)
    aligned, extra = align(
        speak(said, np.random.default_rng(9)), some_words(pages, seed=5) + said, band_labels=256, lag_seconds=2
    )
    assert np.mean([one.supported for one in aligned[pages + 5 :]]) == 1  # a few may be found at the pages' end
    assert np.mean([one.supported for one in aligned[:pages]]) < 0.05
    assert extra == []


def test_minutes_that_nobody_wrote_down_are_waited_out_wherever_they_are() -> None:
    text, aside = some_words(120, seed=6), some_words(600, seed=7)
    for at in (0, 60):
        heard = speak([*text[:at], *aside, *text[at:]], np.random.default_rng(10))
        aligned, _ = align(heard, text, band_labels=256, lag_seconds=2)
        assert np.mean([one.supported for one in aligned]) > 0.9
        assert aligned[-1].word.end_seconds > 0.9 * len(heard) * FRAME


def test_the_first_word_behind_a_heading_that_nobody_reads_is_kept() -> None:
    said = ["by", *some_words(20, seed=8)]  # shorter than what the word boundary in front of it would cost
    aligned, _ = align(speak(said, np.random.default_rng(11)), ["chapter", "the", "first", *said])
    assert [one.supported for one in aligned] == [False] * 3 + [True] * 21


def test_optional_words_cost_nothing_to_leave_out_and_are_found_where_they_are_said() -> None:
    said = some_words(20, seed=8)
    words = [TextWord("peter", "peter", optional=True), *(TextWord(word, word) for word in said)]
    for heard, expected in ((said, False), (["peter", *said], True)):
        log_probs = speak(heard, np.random.default_rng(12))
        told = list(align_text(blocks(log_probs), words, LETTERS, FRAME))
        found = [one.supported for one in told if isinstance(one, AlignedWord)]
        assert found == [expected] + [True] * 20


def test_text_beyond_the_end_of_the_audio_is_not_supported() -> None:
    said = some_words(50)
    aligned, _ = align(speak(said[:30], np.random.default_rng(7)), said)
    assert [one.supported for one in aligned] == [True] * 30 + [False] * 20


@pytest.mark.parametrize(("band", "lag"), [(256, 5.0), (300, 1.0), (800, 10.0)])
def test_a_narrow_band_and_a_short_lag_find_the_same_words(band: int, lag: float) -> None:
    words = some_words(150)
    log_probs = speak(words, np.random.default_rng(8))
    wide, _ = align(log_probs, words, band_labels=100_000, lag_seconds=1e6)
    narrow, _ = align(log_probs, words, band_labels=band, lag_seconds=lag)
    assert wide == narrow


def test_speech_that_repeats_itself_cannot_tell_a_word_twice() -> None:
    """Decisions taken with a short lag contradict each other where text and speech go in circles."""
    verse = some_words(12)
    text = [word for i in range(40) for word in [*verse[: i % 12], "umbrella", *verse[i % 12 + 1 :]]]
    log_probs = np.concatenate([speak(verse, np.random.default_rng(0), sure=4.0)] * 24)
    aligned, _ = align(log_probs, text, band_labels=256, lag_seconds=1)  # `align` checks that each is told once
    assert len(aligned) == len(text)


def test_blocks_may_be_cut_anywhere() -> None:
    words = some_words(40)
    log_probs = speak(words, np.random.default_rng(9))
    spelled = [TextWord(word, word) for word in words]
    whole = list(align_text([(log_probs, 5.0)], spelled, LETTERS, FRAME))
    for size in (7, 333):
        cut = [(part, start + 5.0) for part, start in blocks(log_probs, size)]
        told = list(align_text(cut, spelled, LETTERS, FRAME))
        assert [one.word.text for one in told if isinstance(one, AlignedWord)] == words
        for ours, theirs in zip(told, whole, strict=True):
            assert isinstance(ours, AlignedWord)
            assert isinstance(theirs, AlignedWord)
            assert ours.word.start_seconds == pytest.approx(theirs.word.start_seconds)
            assert ours.word.end_seconds == pytest.approx(theirs.word.end_seconds)


def test_silence_between_blocks_moves_the_times() -> None:
    words = ["walked", "slowly"]
    rng = np.random.default_rng(0)
    first, second = speak(words[:1], rng), speak(words[1:], rng)
    told = list(align_text([(first, 0.0), (second, 100.0)], [TextWord(w, w) for w in words], LETTERS, FRAME))
    assert all(isinstance(one, AlignedWord) and one.supported for one in told)
    assert isinstance(told[0], AlignedWord)
    assert isinstance(told[1], AlignedWord)
    assert told[0].word.end_seconds < len(first) * FRAME + 1e-9
    assert told[1].word.start_seconds >= 100.0


def test_words_are_told_while_the_audio_goes_on_and_memory_stays_flat() -> None:
    words = some_words(60)
    part = speak(words, np.random.default_rng(0))
    fed = 0

    def endless(n: int) -> Iterator[tuple[np.ndarray, float]]:
        nonlocal fed
        for i in range(n):
            fed = i + 1
            yield part, i * len(part) * FRAME

    def peak(n: int) -> int:
        spelled = [TextWord(word, word) for _ in range(n) for word in words]
        tracemalloc.start()
        options = ForcedOptions(band_labels=256, lag_seconds=3)
        early = 0
        for one in align_text(endless(n), spelled, LETTERS, FRAME, options):
            assert isinstance(one, AlignedWord)
            early += fed < n
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert early >= (n - 2) * len(words)
        return most - 120 * 60 * n  # the text itself

    assert peak(26) < 1.3 * peak(13)  # the widest band holds twelve repetitions


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from(VOCABULARY), max_size=12),
    st.lists(st.sampled_from(VOCABULARY), max_size=12),
    st.integers(0, 99),
)
def test_any_text_against_any_speech_tells_every_word_once_in_order(
    said: list[str], text: list[str], seed: int
) -> None:
    log_probs = speak(said, np.random.default_rng(seed), sure=float(seed % 7))
    align(log_probs, text, band_labels=256, lag_seconds=1)


def test_no_text_makes_all_speech_extra_and_no_audio_leaves_all_words_unsupported() -> None:
    aligned, extra = align(speak(["walked", "slowly"], np.random.default_rng(0)), [])
    assert aligned == []
    assert [one.text for one in extra] == ["walked slowly"]
    aligned, extra = align(np.zeros((0, len(LETTERS)), dtype=np.float32), ["walked"])
    assert [one.supported for one in aligned] == [False]
    assert extra == []


def test_a_word_that_cannot_be_spelled_takes_the_speech_at_its_place() -> None:
    log_probs = speak(["the", "old", "seventeen", "children"], np.random.default_rng(0))
    told = list(align_text([(log_probs, 0.0)], spell("The old 17 children.", LETTERS), LETTERS, FRAME))
    assert [one.word.text for one in told if isinstance(one, AlignedWord)] == ["The", "old", "17", "children."]
    assert all(isinstance(one, AlignedWord) and one.supported for one in told)
    seventeen = align_words(log_probs, "the old seventeen children", LETTERS, FRAME)[2]
    assert isinstance(told[2], AlignedWord)
    assert told[2].word.start_seconds == pytest.approx(seventeen.start_seconds, abs=0.1)
    assert told[2].word.end_seconds == pytest.approx(seventeen.end_seconds, abs=0.1)


@pytest.mark.parametrize(
    ("shown", "spelled"),
    [
        ("Zoë,", "zoe"),
        ("“Don’t", "don't"),
        ("—", ""),
        ("1984", ""),
        ("b4", ""),
        ("walked", "walked"),
        ("AND...", "and"),
    ],
)
def test_words_are_spelled_in_the_alphabets_own_way(shown: str, spelled: str) -> None:
    assert spell(shown, LETTERS) == (TextWord(shown, spelled),)


def test_words_are_spelled_in_capitals_where_the_alphabet_has_only_those() -> None:
    assert spell("Don’t go", Alphabet(("-", "|", "'", *"DONTG"), boundary="|"))[0].spelled == "DON'T"


def test_word_alphabets_are_aligned_word_by_word() -> None:
    alphabet = Alphabet(("<blank>", "yes", "no", "stop"), boundary=None)
    columns = [0, 0, 1, 0, 0, 1, 0, 2, 2, 0, 3, 0, 0]
    rows = np.full((len(columns), 4), 0.02)
    rows[np.arange(len(columns)), columns] = 0.94
    told = list(align_text([(np.log(rows), 0.0)], spell("Yes, yes. STOP!", alphabet), alphabet, 0.1))
    words = [one for one in told if isinstance(one, AlignedWord)]
    assert [one.word.text for one in words] == ["Yes,", "yes.", "STOP!"]
    assert [one.units[0].start_seconds for one in words] == pytest.approx([0.2, 0.5, 1.0])


def test_emissions_and_spellings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CTCError, match="29 tokens"):
        list(align_text([(np.zeros((3, 4), dtype=np.float32), 0.0)], [TextWord("a", "a")], LETTERS, FRAME))
    with pytest.raises(CTCError, match="cannot spell 'é'"):
        list(align_text([], [TextWord("é", "é")], LETTERS, FRAME))
    with pytest.raises(CTCError, match="one word at a time"):
        list(align_text([], [TextWord("a b", "a b")], LETTERS, FRAME))
    with pytest.raises(OptionError, match="band-labels"):
        ForcedOptions(band_labels=3)
