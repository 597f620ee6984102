"""CTC prefix beam search with an n-gram model and hotwords, in Python over NumPy and kenlm.

(T, V) natural log-probabilities in, the best texts with their scores out.

A prefix is a node of a tree: the tokens spelt so far, with everything about it that never changes worked out once,
when the node is made (what the language model says, the place in the hotword automaton). A beam is a node and how it
ends: on a blank (`blank`) or on its own last token (`label`); only so can a repeated letter be told from a held one.
One frame takes a node to

    itself, ending on a blank       (blank + label) · p(blank)
    itself, its token held          label · p(token), and what comes from its parent, where that is alive as well
    a child, for each other token   (blank + label) · p(token), or blank · p(token) for the node's own token again

and of these keeps the `beam_width` best, as far as their total (acoustic + language) is within `beam_prune_logp` of
the best.

Three things make it fast. Once every beam ends on a blank, frames in which only the blank is a candidate change nothing
but a common sum. The alive nodes are kept sorted, so spelling a token on stops at the first node whose child could not
survive. And what a node is worth is never worked out twice.

Source: Graves 2012 (prefix search) and Hannun et al. 2014 (the language model within it); scores, pruning and their
constants are those of pyctcdecode 0.5, with which texts and scores agree as long as there are no hotwords.
"""

import gc
import math
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

import kenlm
import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..lm.lookahead import LookAhead
from ..lm.model import LOG_10, LanguageModel
from .hotwords import DEAD, ROOT, HotwordMatcher
from .hypothesis import Hypothesis, checked, softened
from .options import DecodingOptions

# letters of an ordinary word; a longer beginning that no word has is punished in proportion
_USUAL_LENGTH = 6
# beginnings of words remembered from one call to the next; some 6 MB
_MOST_PARTS = 50_000
_NEVER = -math.inf
_LEAST = -1000.0  # of a blank that must be a candidate

_by_total = itemgetter(0)


class _Words:
    """The complete words of a prefix and what the language model says to them; shared by all nodes within a word."""

    __slots__ = ("base", "state", "text", "units")

    def __init__(self, text: str, units: tuple[str, ...], state: Any, base: float) -> None:
        self.text = text
        self.units = units  # the last ones, as far back as the language model looks
        self.state = state  # the language model's, after them
        self.base = base  # their language score


class _Node:
    """A prefix. `blank` and `label` are the acoustic scores of its two beams, as of the frame `alive`."""

    __slots__ = (
        "alive", "blank", "both", "history", "hot", "key", "label", "lang",
        "parent", "part", "starts", "token", "words",
    )  # fmt: skip

    def __init__(
        self,
        key: int,
        parent: "_Node | None",
        token: int,
        words: _Words,
        part: str,
        lang: float,
        hot: int,
        history: int,
    ) -> None:
        self.key = key  # + token = the child's place in the table of nodes
        self.parent = parent
        self.token = token  # of the last step
        self.words = words
        self.part = part  # the word being spelt
        self.starts = False  # whether the last step was a bare boundary, after which another changes nothing
        self.lang = lang  # words.base, with the penalty and the hotword loan of the part
        self.hot = hot  # state of the hotword automaton
        self.history = history  # equal where no model can tell two nodes apart any more
        self.alive = -1
        self.blank = self.label = self.both = _NEVER


_Beam = tuple[float, _Node, bool, float]  # total, node, whether it ends on a blank, acoustic score


class BeamSearch:
    """A decoder with everything but the emissions fixed. The same array gives the same bytes.

    Args:
        alphabet: of the acoustic model.
        language_model: or None.
        options: widths, limits and weights; hotwords are not read from it.
        hotwords: the automaton, or None.
        prune_history: keep only the better of two beams that no model can tell apart any more; None: where one text
            is asked for, since alternatives may be among them.
        score_empty_word: whether a text that ends on a boundary is taken to have an unknown last word, as pyctcdecode
            has it; for comparison only, since it takes true endings from texts.
        look_ahead: whether the language model judges words while they are being spelt; pyctcdecode's does not.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        language_model: LanguageModel | None,
        options: DecodingOptions = DecodingOptions(),  # noqa: B008 (frozen)
        hotwords: HotwordMatcher | None = None,
        *,
        prune_history: bool | None = None,
        score_empty_word: bool = False,
        look_ahead: bool = True,
    ) -> None:
        self._alphabet, self._lm = alphabet, language_model
        self._width, (self._min, self._prune) = options.width, options.limits
        self._alpha, self._beta = options.weights
        self._temperature = options.softening
        self._unknown, self._nbest, self._hotwords = options.unknown_penalty, options.nbest, hotwords
        self._prune_history = options.nbest == 1 if prune_history is None else prune_history
        self._score_empty_word = score_empty_word
        boundary = alphabet.boundary
        # a token closes the word before it, or not, and adds letters to the word, or none
        self._closes = [boundary is None or token.startswith(boundary) for token in alphabet.tokens]
        self._adds = [token.removeprefix(boundary or "") for token in alphabet.tokens]
        self._boundary = -1 if alphabet.boundary_id is None else alphabet.boundary_id
        self._whole_words = boundary is None
        self._by_character = language_model is not None and language_model.unit == "char"
        self._ahead: LookAhead | None = None
        if look_ahead and language_model is not None and language_model.words and not self._by_character:
            self._ahead = LookAhead(language_model.unigrams, language_model.words.span)
        self._reach = 1 if language_model is None else max(1, language_model.order - 1)
        self._n_tokens = len(alphabet)
        self._dead_ends = False  # whether a prefix may have no way on but a blank
        self._parts: dict[str, float] = {"": 0.0}  # beginning of a word → its penalty
        self._nodes: dict[int, _Node] = {}  # by the parent's key + token; those within a word
        self._closings: dict[int, tuple[_Node, ...]] = {}  # the same for those that begin one
        self._made = 0
        self._histories: dict[object, int] = {}

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        """(T, V) natural log-probabilities → hypotheses, best first, one at least.

        context: the words before, after which the language model goes on; without them a sentence starts.

        Raises ValueError where the array is no such thing.
        """
        log_probs = softened(checked(log_probs, self._n_tokens), self._temperature)
        # nodes know their parents and nothing else, so they go without the collector of cycles; looking through
        # thousands of them again and again takes it an eighth of the time
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._finish(self._search(self._root(context), log_probs))
        finally:
            if collecting:
                gc.enable()
            self._nodes.clear()
            self._closings.clear()
            self._made = 0
            self._histories.clear()
            if len(self._parts) > _MOST_PARTS:
                self._parts = {"": 0.0}

    def _root(self, context: str) -> _Node:
        words = _Words("", (), None, 0.0)
        if self._lm is not None:
            words.state = self._lm.state(context)
            words.units = tuple(self._lm.units(context)[-self._reach :])
        root = _Node(0, None, self._boundary, words, "", 0.0, DEAD if self._hotwords is None else ROOT, 0)
        root.starts = self._boundary >= 0
        root.blank, root.alive = 0.0, 0
        return root

    def _search(self, root: _Node, log_probs: NDArray[np.floating]) -> list[_Beam]:
        """All frames → the beams after the last one, best first."""
        width, prune, by_history = self._width, self._prune, self._prune_history
        closes, bare, hotwords = self._closes, [not adds for adds in self._adds], self._hotwords
        find, spell, closed, close = self._nodes.get, self._spell, self._closings.get, self._close
        adds, parts, penalty_of = self._adds, self._parts, self._penalty
        dead_ends = self._dead_ends
        in_parts = not self._by_character  # whether a word's beginning alone says what a child is worth
        log1p, exp, never, log_2 = math.log1p, math.exp, _NEVER, math.log(2.0)

        beams: list[_Beam] = [(0.0, root, True, 0.0)]
        alive = [root]  # nodes with a beam, best first
        totals = [0.0]  # of their better beam
        hot: list[_Node] = []  # of them, those that a hotword may follow; handled apart because they may rise
        if hotwords is not None:
            alive, totals, hot = [], [], [root]
        now = 0
        settled = False  # whether all beams end on a blank
        passed = 0.0  # sum of the frames that were passed over since then

        for blank_score, tokens, scores in _candidates(log_probs, self._min, self._alphabet.blank, self._dead_ends):
            if settled and not tokens:
                passed += blank_score
                continue
            settled = not tokens
            given = dict(zip(tokens, scores, strict=True))
            log_p_of = given.get

            # every node again
            beams = []
            for node in (*alive, *hot) if hot else alive:
                ends_blank, ends_label = node.blank, node.label
                if ends_label == never:
                    both = ends_blank
                elif ends_blank < ends_label:
                    both = ends_label + log1p(exp(ends_blank - ends_label))
                else:
                    both = ends_blank + log1p(exp(ends_label - ends_blank))
                node.both = both
                if blank_score != never:
                    score = both + blank_score
                    beams.append((score + node.lang, node, True, score))
            for node in (*alive, *hot) if hot else alive:
                token = node.token
                log_p = log_p_of(token)
                if log_p is None:
                    continue
                score = node.both if node.starts else node.label
                parent = node.parent
                if parent is not None and parent.alive == now:
                    entering = parent.blank if parent.token == token else parent.both
                    if entering > score:
                        score = entering + log1p(exp(score - entering))
                    elif entering != never:
                        score += log1p(exp(entering - score))
                if score != never:
                    score += log_p
                    beams.append((score + node.lang, node, False, score))

            # children, where they can be among those that stay
            if given:
                limit = never
                if beams:
                    beams.sort(key=_by_total, reverse=True)
                    limit = beams[0][0] + prune
                    if len(beams) >= width and beams[width - 1][0] > limit:
                        limit = beams[width - 1][0]
                for token, log_p in given.items():
                    if closes[token]:
                        n_before = len(beams)
                        for node in (*alive, *hot) if hot else alive:
                            if node.starts and bare[token]:
                                continue
                            children = closed(node.key + token)
                            if children is None:
                                if node.both + log_p + node.words.base + self._closing_gain(node, token) < limit:
                                    continue
                                children = close(node, token)
                                self._closings[node.key + token] = children
                            score = (node.blank if node.token == token else node.both) + log_p
                            for child in children:
                                if child.alive != now:
                                    total = score + child.lang
                                    if total >= limit:
                                        beams.append((total, child, False, score))
                        surely = dead_ends and len(beams) == n_before and log_p >= max(blank_score, *scores)
                        if surely and not any(self._goes_on(node, token, now) for node in (*alive, *hot)):
                            for node in (*alive, *hot):
                                score, child = node.both + log_p, self._left_out(node, token)
                                beams.append((score + child.lang, child, False, score))
                        continue
                    lowest = limit - log_p - log_2
                    for node, best in zip(alive, totals, strict=True):
                        if best < lowest:
                            break
                        score = (node.blank if node.token == token else node.both) + log_p
                        # spelling on never makes the language score better
                        if score + node.lang < limit:
                            continue
                        known = find(node.key + token)
                        if known is None and in_parts:
                            # more than half of the children die at once: better before they are made
                            part = node.part + adds[token]
                            penalty = parts.get(part)
                            if penalty is None:
                                penalty = penalty_of(part)
                            if score + node.words.base + penalty < limit:
                                continue
                        child = known or spell(node, token)
                        if child.alive != now:
                            total = score + child.lang
                            if total >= limit:
                                beams.append((total, child, False, score))
                    for node in hot:
                        score = (node.blank if node.token == token else node.both) + log_p
                        known = find(node.key + token)
                        if known is None and score + node.lang + self._spelling_gain(node, token) < limit:
                            continue
                        child = known or spell(node, token)
                        if child.alive != now:
                            total = score + child.lang
                            if total >= limit:
                                beams.append((total, child, False, score))

            beams.sort(key=_by_total, reverse=True)
            limit = beams[0][0] + prune
            del beams[width:]
            while beams[-1][0] < limit:
                beams.pop()
            now += 1
            alive, totals, hot = [], [], []
            seen: set[int] = set()
            kept = []
            for beam in beams:
                total, node, on_blank, score = beam
                if by_history:  # of beams that no model can tell apart any more, the first
                    history = node.history + on_blank
                    if history in seen:
                        continue
                    seen.add(history)
                    kept.append(beam)
                if node.alive == now:
                    if on_blank:
                        node.blank = score
                    else:
                        node.label = score
                    continue
                node.alive = now
                if on_blank:
                    node.blank, node.label = score, never
                else:
                    node.blank, node.label = never, score
                if node.hot == DEAD:
                    alive.append(node)
                    totals.append(total)
                else:
                    hot.append(node)
            beams = kept or beams
        return [(total + passed, node, on_blank, score + passed) for total, node, on_blank, score in beams]

    def _spell(self, node: _Node, token: int) -> _Node:
        """Makes the child that goes on with the word."""
        adds, words, hot = self._adds[token], node.words, node.hot
        part = node.part + adds
        if self._by_character:
            for unit in adds:
                words = self._counted(words, unit)
        penalty = self._parts.get(part)
        lang = words.base + (self._penalty(part) if penalty is None else penalty)
        hotwords = self._hotwords
        if hotwords is not None:
            for character in adds:
                hot = hotwords.step(hot, character)
            lang += hotwords.loan[hot]
        child = self._grow(node, token, words, part, lang, hot, node.history * self._n_tokens + token)
        self._nodes[node.key + token] = child
        return child

    def _close(self, node: _Node, token: int) -> tuple[_Node, ...]:
        """Makes the children that begin a new word, or wait for one: one for each text that the old word may have."""
        words, part, hot, hotwords = node.words, self._adds[token], node.hot, self._hotwords
        base = 0.0
        if node.part:
            words = self._closed(words, node.part)
            if hotwords is not None:
                base = hotwords.complete[hot]
                hot = hotwords.step(hot, " ")
        if hotwords is not None:
            for character in part:
                hot = hotwords.step(hot, character)
        if self._whole_words:
            # nothing can be spelt on, so the word counts at once
            words, part = self._closed(words, part), ""
            if hotwords is not None:
                base = hotwords.complete[hot]
                hot = hotwords.step(hot, " ")
        if base:
            words = _Words(words.text, words.units, words.state, words.base + base)
        lang = words.base + self._penalty(part) + (0.0 if hotwords is None else hotwords.loan[hot])
        child = self._grow(node, token, words, part, lang, hot, (words.units, part, hot))
        child.starts = not part and not self._whole_words
        return (child,)

    def _goes_on(self, node: _Node, token: int, now: int) -> bool:
        """Whether a node waits for a word, or has a living child behind its own."""
        waits = node.starts and not self._adds[token]
        return waits or any(child.alive == now for child in self._closings.get(node.key + token, ()))

    def _left_out(self, node: _Node, token: int) -> _Node:
        """Makes the child that begins a new word where the old one cannot end; only where there are dead ends."""
        raise NotImplementedError

    def _grow(self, node: _Node, token: int, words: _Words, part: str, lang: float, hot: int, history: object) -> _Node:
        """A new node; `history` is what the models know of it."""
        number = 0
        if self._prune_history:
            # even, because how the beam ends is the last bit; 0 is the root's
            number = self._histories.setdefault(history, 2 * len(self._histories) + 2)
        self._made += 1
        return _Node(self._made * self._n_tokens, node, token, words, part, lang, hot, number)

    def _closed(self, words: _Words, word: str) -> _Words:
        """The words with one more complete, scored."""
        text = f"{words.text} {word}" if words.text else word
        if self._lm is None:
            return _Words(text, (word,), None, words.base)
        scored = self._counted(words, self._lm.space if self._by_character else word)
        scored.text = text
        scored.base += self._beta
        return scored

    def _counted(self, words: _Words, unit: str) -> _Words:
        """The words with one more unit of the language model scored."""
        lm = self._lm
        assert lm is not None
        state = kenlm.State()
        score = lm.kenlm.BaseScore(words.state, unit, state)
        if not lm.knows(unit) and not (self._hotwords is not None and unit in self._hotwords.words):
            score -= self._unknown
        units = (*words.units, unit)[-self._reach :]
        return _Words(words.text, units, state, words.base + self._alpha * score * LOG_10)

    def _penalty(self, part: str) -> float:
        """What the beginning of a word costs: more the rarer the words are that begin so, and most where none does.

        Never less than a shorter beginning of it, for spelling on must not make a prefix better.
        """
        penalty = self._parts.get(part)
        if penalty is None:
            lm, hotwords, ahead = self._lm, self._hotwords, 0.0
            if self._ahead is not None:
                ahead = self._ahead(part)
                known = ahead > _NEVER
            else:
                known = lm is None or self._by_character or lm.has_prefix(part)
            if known:
                penalty = self._alpha * ahead
            elif hotwords is not None and part in hotwords.prefixes:
                penalty = self._penalty(part[:-1])  # no likelier than the last beginning that the model knows
            else:
                penalty = -self._unknown * max(1.0, len(part) / _USUAL_LENGTH)
                if self._ahead is not None:
                    penalty = min(penalty, self._penalty(part[:-1]))
            self._parts[part] = penalty
        return penalty

    def _closing_gain(self, node: _Node, token: int) -> float:
        """The most that closing the node's word by this token can add to its complete words' score."""
        gain = max(0.0, self._beta) if self._lm is not None else 0.0
        hotwords = self._hotwords
        if hotwords is None:
            return gain
        if self._adds[token]:
            return gain + hotwords.complete[node.hot] + hotwords.most
        return gain + hotwords.complete[node.hot] + hotwords.loan[hotwords.step(node.hot, " ")]

    def _spelling_gain(self, node: _Node, token: int) -> float:
        """The most that spelling on by this token can add to the node's language score."""
        hotwords = self._hotwords
        assert hotwords is not None
        hot = node.hot
        for character in self._adds[token]:
            hot = hotwords.step(hot, character)
        return hotwords.loan[hot] - hotwords.loan[node.hot]

    def _finish(self, beams: list[_Beam]) -> list[Hypothesis]:
        """The last frame's beams → hypotheses: words completed, equal texts summed, the sentence's end scored."""
        ends: dict[str, tuple[float, _Node]] = {}
        for _, node, _, acoustic in beams:
            for text in self._texts(node):
                score = float(np.logaddexp(ends[text][0], acoustic)) if text in ends else acoustic
                ends[text] = score, node
        found = []
        for text, (acoustic, node) in ends.items():
            language = self._ending(node, text)
            found.append(Hypothesis(text, acoustic, language, acoustic + language))
        found.sort(key=lambda hypothesis: hypothesis.total, reverse=True)
        limit = found[0].total + self._prune
        return [hypothesis for hypothesis in found[: self._nbest] if hypothesis.total >= limit]

    def _texts(self, node: _Node) -> Iterable[str]:
        """What a node may say where the sentence ends there."""
        return (f"{node.words.text} {node.part}".strip(),)

    def _ending(self, node: _Node, text: str) -> float:
        """The language score of a node's text as a whole sentence."""
        lm, words, language = self._lm, node.words, 0.0
        if self._hotwords is not None and node.part:
            language += self._hotwords.complete[node.hot]
        if lm is None:
            return language + words.base
        if self._by_character:
            # a space that nothing follows was not meant: the sentence ends after the last character
            if node.part:
                language += self._beta
            elif node.parent is not None:
                words, language = node.parent.words, language + self._beta
        elif node.part or self._score_empty_word:
            words = self._closed(words, node.part)
        return language + words.base + self._end(words)

    def _end(self, words: _Words) -> float:
        """What the language model says to a sentence that ends here."""
        assert self._lm is not None
        return self._alpha * float(self._lm.kenlm.BaseScore(words.state, "</s>", kenlm.State())) * LOG_10


def _candidates(
    log_probs: NDArray[np.floating], minimum: float, blank: int, always_blank: bool
) -> Iterator[tuple[float, list[int], list[float]]]:
    """A frame at a time: the blank's score (−inf where it is no candidate), the other candidates and their scores."""
    n_frames = len(log_probs)
    if not n_frames:
        return
    taken = log_probs >= minimum
    taken[np.arange(n_frames), log_probs.argmax(axis=1)] = True
    taken &= log_probs > -np.inf
    blanks = np.where(taken[:, blank], log_probs[:, blank], -np.inf)
    if always_blank:
        blanks = np.maximum(log_probs[:, blank], _LEAST)
    blanks = blanks.tolist()
    taken[:, blank] = False
    tokens = np.nonzero(taken)[1].tolist()
    scores = log_probs[taken].tolist()
    ends = np.cumsum(taken.sum(axis=1)).tolist()
    start = 0
    for blank_score, end in zip(blanks, ends, strict=True):
        yield blank_score, tokens[start:end], scores[start:end]
        start = end
