"""CTC prefix beam search with an n-gram model and hotwords, in Python over NumPy and kenlm.

(T, V) natural log-probabilities in, the best texts with their scores out.

A prefix is a node of a tree: the tokens spelt so far, with everything about it that never changes worked out once,
when the node is made (what the language model says, the place in the hotword automaton). A beam is a node and how it
ends: on a blank (`blank`) or on its own last token (`label`); only so can a repeated letter be told from a held one.
One frame takes a beam to

    the same node, ending on a blank      (blank + label) · p(blank)
    the same node, its token held          label · p(token)  +  what its parent, if still alive, gives: see below
    a child node, for each other token     (blank + label) · p(token), or blank · p(token) for the node's own token

and keeps, of those whose total (acoustic + language) is within `beam_prune_logp` of the best, the `beam_width` best.

Three things make it fast. A frame in which only the blank is a candidate changes nothing but the common sum once every
beam ends on a blank, so it costs one addition. Beams are kept sorted, so extending by a token stops at the first beam
whose child could not survive. And nodes remember: no word is scored twice in the same place.

Source: Graves & Jaitly 2014 and Hannun et al. 2014 for the search; scoring, pruning and their constants follow
pyctcdecode 0.5, with which texts and scores agree when there are no hotwords.
"""

import math
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import kenlm
import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..lm.model import LOG_10, LanguageModel
from .hotwords import ROOT, HotwordMatcher
from .hypothesis import Hypothesis, checked

# letters of an ordinary word; a longer beginning that no word has is punished in proportion
_USUAL_LENGTH = 6
_NEVER = -math.inf

_by_total = itemgetter(0)


class _Node:
    """A prefix. `blank` and `label` are its two beams' acoustic scores in the frame `alive`."""

    __slots__ = (
        "alive", "base", "blank", "both", "children", "history", "hot", "label", "lang",
        "parent", "part", "starts", "state", "text", "token", "units",
    )  # fmt: skip

    def __init__(self, parent: "_Node | None", token: int) -> None:
        self.parent = parent
        self.token = token  # of the last step; the boundary at a word's start
        self.children: dict[int, _Node] = {}
        self.text = ""  # complete words
        self.part = ""  # the word being spelt
        self.units: tuple[str, ...] = ()  # what the language model still sees
        self.state: Any = None  # the language model's, after `units`
        self.base = 0.0  # language score of what is complete
        self.lang = 0.0  # the same with the penalty or loan of the part
        self.hot = ROOT
        self.history = 0  # equal where the models can no longer tell two nodes apart
        self.starts = False  # whether this is a word's start, where a further boundary changes nothing
        self.alive = -1
        self.blank = self.label = self.both = _NEVER


class BeamSearch:
    """A decoder with everything but the emissions fixed. Two calls with the same array give the same bytes.

    Args:
        alphabet: of the acoustic model.
        language_model: or None.
        lm_weight, word_bonus: α and β of  α · ln P(words) + β · number of words.
        unknown_penalty: for a word outside the language model, in log10 units beside its probability, times α; and for
            the beginning of a word that no word of the model has, as it is.
        hotwords: the automaton, or None.
        prune_history: keep only the better of two beams that no model can tell apart any more.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        language_model: LanguageModel | None,
        *,
        beam_width: int = 100,
        beam_prune_logp: float = -10.0,
        token_min_logp: float = -5.0,
        lm_weight: float = 0.5,
        word_bonus: float = 1.5,
        unknown_penalty: float = 10.0,
        nbest: int = 1,
        hotwords: HotwordMatcher | None = None,
        prune_history: bool = True,
    ) -> None:
        self._alphabet, self._lm = alphabet, language_model
        self._width, self._prune, self._min = beam_width, beam_prune_logp, token_min_logp
        self._alpha, self._beta, self._unknown = lm_weight, word_bonus, unknown_penalty
        self._nbest, self._hotwords, self._prune_history = nbest, hotwords, prune_history
        boundary = alphabet.boundary
        # every token as (does it close the word before?, what it adds to the word)
        self._closes = [boundary is None or token.startswith(boundary) for token in alphabet.tokens]
        self._adds = [
            token if boundary is None else token.removeprefix(boundary).replace(boundary, " ")
            for token in alphabet.tokens
        ]
        self._boundary = -1 if alphabet.boundary_id is None else alphabet.boundary_id
        self._whole_words = boundary is None
        self._by_character = language_model is not None and language_model.unit == "char"
        self._seen = 1 if language_model is None else max(1, language_model.order - 1)
        self._parts: dict[str, float] = {"": 0.0}  # penalty of a word's beginning
        self._histories: dict[tuple[object, ...], int] = {}

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        """(T, V) natural log-probabilities → hypotheses, best first, one at least.

        context: the words before, which the language model then continues instead of starting a sentence.

        Raises ValueError where the array is no such thing.
        """
        log_probs = checked(log_probs, len(self._alphabet))
        self._histories.clear()
        return self._finish(self._search(self._root(context), log_probs))

    def _root(self, context: str) -> _Node:
        root = _Node(None, self._boundary)
        if self._lm is not None:
            root.state = self._lm.state(context)
            root.units = tuple(self._lm.units(context)[-self._seen :])
        root.starts = self._boundary >= 0
        self._remember(root)
        return root

    def _search(self, root: _Node, log_probs: NDArray[np.floating]) -> list[tuple[float, _Node, bool, float]]:
        """All frames → the last frame's beams as (total, node, ends on a blank?, acoustic), best first."""
        width, prune, by_history = self._width, self._prune, self._prune_history
        closes, adds, extend, hotwords = self._closes, self._adds, self._extend, self._hotwords
        log1p, exp, never, log_2 = math.log1p, math.exp, _NEVER, math.log(2.0)
        # what closing a word can add at most
        closing_gain = max(0.0, self._beta) if self._lm is not None else 0.0
        if hotwords is not None:
            closing_gain += max(hotwords.complete)

        beams: list[tuple[float, _Node, bool, float]] = [(0.0, root, True, 0.0)]
        root.blank, root.alive = 0.0, 0
        order, tops = [root], [0.0]  # the nodes that are alive, by the total of their better beam
        stamp = 0
        settled = False  # whether all beams end on a blank
        passed = 0.0  # the common sum of the frames in which nothing but the blank could follow a blank

        for blank_score, tokens, scores in _candidates(log_probs, self._min, self._alphabet.blank):
            if not tokens and settled:
                passed += blank_score
                continue
            settled = not tokens

            # the same nodes again, ending on a blank
            beams = []
            for node in order:
                ends_blank, ends_label = node.blank, node.label
                if ends_label == never:
                    both = ends_blank
                elif ends_blank < ends_label:
                    both = ends_label + log1p(exp(ends_blank - ends_label))
                else:
                    both = ends_blank + log1p(exp(ends_label - ends_blank))
                node.both = both
                score = both + blank_score
                beams.append((score + node.lang, node, True, score))

            if tokens:
                if blank_score == never:
                    beams = []
                given = dict(zip(tokens, scores, strict=True))
                # the same nodes with their token held, or spelt anew from a parent that is alive as well
                for node in order:
                    token = node.token
                    log_p = given.get(token)
                    if log_p is None:
                        continue
                    # a boundary after a boundary changes nothing, blank between or not
                    score = node.both if node.starts else node.label
                    parent = node.parent
                    if parent is not None and parent.alive == stamp:
                        entering = parent.blank if parent.token == token else parent.both
                        if entering > score:
                            score = entering + log1p(exp(score - entering))
                        elif entering != never:
                            score += log1p(exp(entering - score))
                    if score != never:
                        score += log_p
                        beams.append((score + node.lang, node, False, score))

                # a child enters only if it can be among those that stay
                beams.sort(key=_by_total, reverse=True)
                limit = beams[0][0] + prune if beams else never
                if len(beams) >= width and beams[width - 1][0] > limit:
                    limit = beams[width - 1][0]
                for token, log_p in given.items():
                    if closes[token]:
                        for node in order:
                            if node.both + log_p + node.base + closing_gain < limit or (
                                node.starts and not adds[token]
                            ):
                                continue
                            child = node.children.get(token) or extend(node, token)
                            if child.alive != stamp:
                                score = (node.blank if node.token == token else node.both) + log_p
                                total = score + child.lang
                                if total >= limit:
                                    beams.append((total, child, False, score))
                        continue
                    threshold = limit - log_p - log_2
                    for top, node in zip(tops, order, strict=True):
                        if top < threshold:
                            break
                        score = (node.blank if node.token == token else node.both) + log_p
                        if score + node.lang < limit:
                            continue
                        child = node.children.get(token) or extend(node, token)
                        if child.alive != stamp:
                            total = score + child.lang
                            if total >= limit:
                                beams.append((total, child, False, score))

            beams.sort(key=_by_total, reverse=True)
            limit = beams[0][0] + prune
            del beams[width:]
            while beams[-1][0] < limit:
                beams.pop()
            if by_history:
                beams = _told_apart(beams)
            stamp += 1
            order, tops = [], []
            for total, node, ends_blank_, score in beams:
                if node.alive != stamp:
                    node.alive = stamp
                    order.append(node)
                    tops.append(total)
                    if ends_blank_:
                        node.blank, node.label = score, never
                    else:
                        node.blank, node.label = never, score
                elif ends_blank_:
                    node.blank = score
                else:
                    node.label = score
        if passed:
            beams = [(total + passed, node, ends_blank_, score + passed) for total, node, ends_blank_, score in beams]
        return beams

    def _extend(self, node: _Node, token: int) -> _Node:
        """Makes the child of a node and works out all that never changes about it."""
        child = _Node(node, token)
        node.children[token] = child
        adds = self._adds[token]
        child.text, child.units, child.state, child.base = node.text, node.units, node.state, node.base
        if self._closes[token]:
            if node.part:
                self._close(child, node.part)
            child.part = adds
            child.starts = not adds
            if self._whole_words:
                self._close(child, adds)
                child.part = ""
        else:
            child.part = node.part + adds
            if self._by_character:
                for unit in adds:
                    self._count(child, unit)
        hotwords, lent = self._hotwords, 0.0
        if hotwords is not None:
            hot = node.hot
            if self._closes[token] and (node.part or self._whole_words) and (node.text or node.part):
                child.base += hotwords.complete[hot]
                hot = hotwords.step(hot, " ")
            for character in adds:
                hot = hotwords.step(hot, character)
            child.hot = hot
            lent = hotwords.loan[hot]
        child.lang = child.base + lent + self._penalty(child.part)
        self._remember(child)
        return child

    def _close(self, node: _Node, word: str) -> None:
        """Adds a complete word to the node's text and language score."""
        node.text = f"{node.text} {word}" if node.text else word
        lm = self._lm
        if lm is None:
            return
        node.base += self._beta
        if self._by_character:
            self._count(node, lm.space)
        else:
            self._count(node, word)

    def _count(self, node: _Node, unit: str) -> None:
        """Scores one unit of the language model after the node's state and moves on."""
        lm = self._lm
        assert lm is not None
        state = kenlm.State()
        score = lm.kenlm.BaseScore(node.state, unit, state)
        if not lm.knows(unit) and not (self._hotwords is not None and unit in self._hotwords.words):
            score -= self._unknown
        node.base += self._alpha * score * LOG_10
        node.state = state
        node.units = (*node.units, unit)[-self._seen :]

    def _penalty(self, part: str) -> float:
        """What the beginning of a word costs when no word of the language model begins so."""
        penalty = self._parts.get(part)
        if penalty is None:
            lm, hotwords = self._lm, self._hotwords
            known = lm is None or self._by_character or lm.has_prefix(part)
            if known or (hotwords is not None and part in hotwords.prefixes):
                penalty = 0.0
            else:
                penalty = -self._unknown * max(1.0, len(part) / _USUAL_LENGTH)
            self._parts[part] = penalty
        return penalty

    def _remember(self, node: _Node) -> None:
        if self._prune_history:
            key = (node.units if self._lm is not None else node.text.rpartition(" ")[2], node.part, node.hot)
            node.history = 2 * self._histories.setdefault(key, len(self._histories))

    def _finish(self, beams: list[tuple[float, _Node, bool, float]]) -> list[Hypothesis]:
        """The last frame's beams → hypotheses: words completed, equal texts summed, the sentence's end scored."""
        ends: dict[str, list[Any]] = {}
        for _, node, _, acoustic in beams:
            text = f"{node.text} {node.part}".strip()
            end = ends.get(text)
            if end is None:
                ends[text] = [acoustic, node]
            else:
                end[0] = float(np.logaddexp(end[0], acoustic))
        found = []
        for text, (acoustic, node) in ends.items():
            language = self._ending(node)
            found.append(Hypothesis(text, acoustic, language, acoustic + language))
        found.sort(key=lambda hypothesis: hypothesis.total, reverse=True)
        limit = found[0].total + self._prune
        return [hypothesis for hypothesis in found[: self._nbest] if hypothesis.total >= limit]

    def _ending(self, node: _Node) -> float:
        """The language score of a node's text as a whole sentence."""
        last = _Node(None, -1)
        last.text, last.units, last.state, last.base = node.text, node.units, node.state, node.base
        lm = self._lm
        if self._by_character and lm is not None:
            # a space that nothing follows was not meant: the word's last character ends the sentence
            if node.part:
                last.base += self._beta
            elif node.parent is not None:
                last.state, last.base = node.parent.state, node.parent.base + self._beta
        elif node.part:
            self._close(last, node.part)
        if self._hotwords is not None and (node.part or self._whole_words):
            last.base += self._hotwords.complete[node.hot]
        if lm is not None:
            last.base += self._alpha * lm.kenlm.BaseScore(last.state, "</s>", kenlm.State()) * LOG_10
        return last.base


def _told_apart(beams: list[tuple[float, _Node, bool, float]]) -> list[tuple[float, _Node, bool, float]]:
    """Of beams that no model can tell apart any more, the first."""
    seen: set[int] = set()
    kept = []
    for beam in beams:
        key = beam[1].history + beam[2]
        if key not in seen:
            seen.add(key)
            kept.append(beam)
    return kept


def _candidates(
    log_probs: NDArray[np.floating], minimum: float, blank: int
) -> Iterator[tuple[float, list[int], list[float]]]:
    """A frame at a time: the blank's score (−inf where it is no candidate), the other candidates and their scores."""
    n_frames = len(log_probs)
    if not n_frames:
        return
    taken = log_probs >= minimum
    taken[np.arange(n_frames), log_probs.argmax(axis=1)] = True
    taken &= log_probs > -np.inf
    blanks = np.where(taken[:, blank], log_probs[:, blank], -np.inf).tolist()
    taken[:, blank] = False
    tokens = np.nonzero(taken)[1].tolist()
    scores = log_probs[taken].tolist()
    ends = np.cumsum(taken.sum(axis=1)).tolist()
    start = 0
    for blank_score, end in zip(blanks, ends, strict=True):
        yield blank_score, tokens[start:end], scores[start:end]
        start = end
