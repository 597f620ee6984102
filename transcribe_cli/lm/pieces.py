"""Words in pieces: what a language model over pieces of words reads and predicts, as unigram segmentation has it.

A piece that ends a word ends in `END`, so the product over a word's pieces is the word's own probability, and no
longer word shares it.

Source: T. Kudo, "Subword regularization", 2018 (the unigram model); the best segmentation by Viterbi's algorithm.
"""

from collections.abc import Sequence
from functools import lru_cache

END = "▁"  # at a piece's end: the word ends with it
_UNKNOWN = 10.0  # below the least likely piece, for a character that no piece holds; as sentencepiece has it


class Pieces:
    """An inventory of pieces.

    Args:
        pieces: (piece, natural-log probability), by id. Those of no probability's own – starts, the unknown one – hold
            characters that no word has, such as "<s>".
        unknown: the id that stands for a character that no piece holds.
    """

    def __init__(self, pieces: Sequence[tuple[str, float]], unknown: int) -> None:
        self.pieces, self.unknown = tuple((str(piece), float(score)) for piece, score in pieces), unknown
        self._ids = {piece: i for i, (piece, _) in enumerate(self.pieces) if not piece.startswith("<")}
        self._longest = max(map(len, self._ids), default=1)
        self._worst = min((self.pieces[i][1] for i in self._ids.values()), default=0.0) - _UNKNOWN
        self.of = lru_cache(maxsize=20_000)(self._of)

    def __len__(self) -> int:
        return len(self.pieces)

    def _of(self, word: str) -> tuple[int, ...]:
        """The likeliest pieces of a word, by id; one at least."""
        text = word + END
        best: list[tuple[float, int, int]] = [(0.0, 0, 0)]  # at every place: score, where its last piece began, its id
        for end in range(1, len(text) + 1):
            choices = []
            for start in range(max(0, end - self._longest), end):
                found = self._ids.get(text[start:end])
                if found is not None:
                    choices.append((best[start][0] + self.pieces[found][1], start, found))
            if not choices or best[end - 1][0] + self._worst > max(choices)[0]:
                choices.append((best[end - 1][0] + self._worst, end - 1, self.unknown))
            best.append(max(choices))
        ids, at = [], len(text)
        while at:
            _, start, found = best[at]
            ids.append(found)
            at = start
        return tuple(reversed(ids))
