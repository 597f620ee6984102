"""−log P(text | audio) of a text of any length, in a band along its alignment.

    n labels, b of them in the band                       all scores relative to the blank, whose sum is kept apart

    B[i] ← log(e^B[i] + e^Y[i−1])                         the blank before label i
    Y[i] ← log(e^Y[i] + e^B[i] + e^Y[i−1]) + r[t, i]      without the last term where labels i−1 and i are equal

This is `ctc.forward_backward` over blanks and labels apart, for labels [low, low + b) only. A text of at most b labels
is summed over exactly; of a longer one the alignments that stray more than about b / 2 labels from the best are left
out, each of which weighs e⁻ʰᵘⁿᵈʳᵉᵈˢ.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Places = npt.NDArray[np.intp]

NEVER = np.float32(-1e30)  # stands for −∞, so that no difference is undefined
SETTLE = 64  # frames after which scores are brought back to near zero, where float32 is fine


class TextLoss:
    """push() frames in order, with the alignment that was decided for them; `nats` is the loss of all pushed so far.

    labels: (n,) columns of the text without blanks; band: labels followed at a time.
    """

    def __init__(self, labels: Places, blank: int, band: int = 1024) -> None:
        self._labels, self._blank = labels, blank
        self._repeated = np.concatenate(([True], labels[1:] == labels[:-1])) if len(labels) else np.zeros(0, np.bool_)
        self._band = min(band, len(labels))
        self._low = 0
        self._in_blank = np.full(self._band + 1, NEVER, dtype=np.float32)
        self._in_label = np.full(self._band, NEVER, dtype=np.float32)
        self._in_blank[0] = 0.0
        self._sum = 0.0  # what was taken out of the scores
        self._at = 0  # label the alignment has come to

    @property
    def n_labels(self) -> int:
        return len(self._labels)

    @property
    def nats(self) -> float:
        """−log P(text | frames), +∞ where no alignment followed comes to the end of the text."""
        if self._low + self._band < len(self._labels):
            return float("inf")
        last = self._in_label[-1] if self._band else NEVER
        total = np.logaddexp(np.float64(self._in_blank[-1]), np.float64(last))
        return float("inf") if total < NEVER / 2 else -(float(total) + self._sum)

    def push(self, places: Places, log_probs: Floats) -> None:
        """places: (t,) label of each frame in the decided alignment, −1 for none; log_probs: (t, V) natural."""
        for begin in range(0, len(log_probs), SETTLE):
            part = places[begin : begin + SETTLE]
            self._move()
            self._step(log_probs[begin : begin + SETTLE].astype(np.float32, copy=False))
            self._at = max(self._at, int(part.max(initial=-1)))

    def _move(self) -> None:
        """Puts the alignment in the middle of the band, but never leaves the best label so far behind."""
        best = self._low + int(np.argmax(np.maximum(self._in_blank[:-1], self._in_label))) if self._band else 0
        low = min(self._at - self._band // 2, best - self._band // 8, len(self._labels) - self._band)
        shift = low - self._low
        if shift <= 0:
            return
        gone = np.full(shift, NEVER, dtype=np.float32)
        self._in_blank = np.concatenate((self._in_blank[shift:], gone))[: self._band + 1]
        self._in_label = np.concatenate((self._in_label[shift:], gone))[: self._band]
        self._low = low

    def _step(self, log_probs: npt.NDArray[np.float32]) -> None:
        """Takes B and Y over frames that hardly move the band."""
        silent = np.maximum(log_probs[:, self._blank], NEVER)
        relative = np.maximum(log_probs, NEVER) - silent[:, None]
        columns = self._labels[self._low : self._low + self._band]
        barred = np.where(self._repeated[self._low : self._low + self._band], NEVER, np.float32(0))
        gains = relative[:, columns]
        in_blank, in_label = self._in_blank, self._in_label
        before = np.empty_like(in_label)
        for gain in gains:
            before[:1] = NEVER
            before[1:] = in_label[:-1]
            entered = before + barred
            best = np.maximum(np.maximum(in_label, in_blank[:-1]), entered)
            total = np.exp(in_label - best)
            total += np.exp(in_blank[:-1] - best)
            total += np.exp(entered - best)
            # a label's blank is reached from the label as it was before this frame
            tail = in_blank[1:]
            high = np.maximum(tail, in_label)
            low = np.minimum(tail, in_label)
            tail[:] = high + np.log1p(np.exp(low - high))
            in_label = np.maximum(best + np.log(total) + gain, NEVER)
        top = max(float(in_blank.max()), float(in_label.max(initial=NEVER)))
        if top > NEVER / 2:
            in_blank = np.maximum(in_blank - np.float32(top), NEVER)
            in_label = np.maximum(in_label - np.float32(top), NEVER)
            self._sum += top
        self._sum += float(silent.sum(dtype=np.float64))
        self._in_blank, self._in_label = in_blank, in_label
