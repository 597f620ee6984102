"""Draws the figures of docs/ctc.md from the package's own algebra.

python docs/figures/ctc.py [FOLDER]        needs the extra `plot`
"""

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from transcribe_cli.ctc.forward_backward import forward, posteriors
from transcribe_cli.ctc.lattice import may_skip
from transcribe_cli.ctc.viterbi import align

matplotlib.use("svg")
matplotlib.rcParams.update(
    {"font.size": 10, "svg.hashsalt": "ctc", "svg.fonttype": "none", "font.family": "sans-serif"}
)

ROWS = np.log([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.7, 0.1, 0.2], [0.1, 0.6, 0.3]])
TOKENS, LABELS = ("blank", "A", "B"), np.array([1, 2])
STATES = ("blank", "A", "blank", "B", "blank")
INK, PATH, FAINT = "#1f3a5f", "#c8501e", "#c9d3df"


def lattice() -> plt.Figure:
    """Every state and arc of the worked example; what lies on some full path is dark, the best path is red."""
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    n_frames, n_states = len(ROWS), len(STATES)
    occupied = posteriors(ROWS, LABELS)
    alpha = np.exp(forward(ROWS, LABELS))
    skip = may_skip(LABELS)
    places = align(ROWS, LABELS).frames
    best = _states(places)
    for t in range(1, n_frames):
        for s in range(n_states):
            for step in (0, 1, 2):
                if s - step < 0 or (step == 2 and not skip[s]):
                    continue
                alive = occupied[t, s] > 0 and occupied[t - 1, s - step] > 0
                chosen = best[t] == s and best[t - 1] == s - step
                axes.annotate(
                    "",
                    (t, s),
                    (t - 1, s - step),
                    arrowprops={
                        "arrowstyle": "-|>",
                        "color": PATH if chosen else INK if alive else FAINT,
                        "lw": 2.2 if chosen else 0.9,
                        "shrinkA": 13,
                        "shrinkB": 13,
                    },
                    zorder=1 + alive + chosen,
                )
    for t in range(n_frames):
        for s in range(n_states):
            alive = occupied[t, s] > 0
            colour = PATH if best[t] == s else INK if alive else FAINT
            axes.scatter(t, s, s=560, facecolor="white", edgecolor=colour, linewidth=1.6, zorder=4)
            value = f"{alpha[t, s]:.3f}".lstrip("0") if alpha[t, s] > 0 else "0"
            axes.text(t, s, value, ha="center", va="center", fontsize=7.5, color=colour, zorder=5)
    axes.set_xticks(range(n_frames), [f"frame {t + 1}" for t in range(n_frames)])
    axes.set_yticks(range(n_states), STATES)
    axes.set_xlim(-0.4, n_frames - 0.6)
    axes.set_ylim(n_states - 0.55, -0.45)
    axes.set_title("The lattice of “A B” over five frames; in each state its forward probability")
    _bare(axes)
    return figure


def posterior() -> plt.Figure:
    """Which state the alignments are in, frame by frame, given that the text is “A B”."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained", width_ratios=(3, 5))
    _heat(left, np.exp(ROWS).T, TOKENS, "the network: p(token | frame)")
    _heat(right, posteriors(ROWS, LABELS).T, STATES, "forward–backward: P(state | frames, “A B”)")
    return figure


def peaks() -> plt.Figure:
    """A longer text over emissions as trained networks give them: spikes in a sea of blank."""
    text, letters = "a cat sat", " acst"
    rng = np.random.default_rng(4)
    n_frames, labels = 60, np.array([letters.index(letter) + 1 for letter in text])
    truth = np.sort(rng.choice(np.arange(4, n_frames - 4, 2), len(text), replace=False))
    scores = rng.normal(scale=0.9, size=(n_frames, len(letters) + 1))
    scores[:, 0] += 4.5
    for frame, label in zip(truth, labels, strict=True):
        scores[frame, 0] -= 4
        scores[frame : frame + 2, label] += (5.5, 3.2)
    log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(8.4, 5.6), layout="constrained", height_ratios=(2, 5), sharex=True
    )
    names = ["blank", *("␣" if letter == " " else letter for letter in letters)]
    for column, name in enumerate(names):
        upper.plot(np.exp(log_probs[:, column]), label=name, lw=1.1, color="#9aa7b5" if column == 0 else None)
    upper.legend(ncols=6, frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    upper.set_ylabel("p(token | frame)")
    for side in ("top", "right"):
        upper.spines[side].set_visible(False)
    states = [names[0]] + [part for label in labels for part in (names[label], "")]
    lower.imshow(posteriors(log_probs, labels).T, aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    lower.plot(
        _states(align(log_probs, labels).frames), color=PATH, lw=1.2, drawstyle="steps-mid", label="Viterbi path"
    )
    lower.legend(frameon=False, loc="upper right")
    lower.set_yticks(range(len(states)), states)
    lower.set_xlabel("frame")
    lower.set_ylabel("state: labels with blanks between")
    return figure


def _states(places: np.ndarray) -> np.ndarray:
    """State of every frame: 2 i + 1 in label i, 2 i in the blank before it."""
    return np.where(places >= 0, 2 * places + 1, 2 * (np.maximum.accumulate(places) + 1))


def _heat(axes: plt.Axes, values: np.ndarray, names: tuple[str, ...], title: str) -> None:
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        shown = f"{value:.2f}" if value > 0 else "0"
        axes.text(column, row, shown, ha="center", va="center", fontsize=8.5, color="white" if value > 0.6 else INK)
    axes.set_xticks(range(values.shape[1]), [str(t + 1) for t in range(values.shape[1])])
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("frame")
    axes.set_title(title, fontsize=10)
    _bare(axes)


def _bare(axes: plt.Axes) -> None:
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for draw in (lattice, posterior, peaks):
        name = folder / f"ctc-{draw.__name__}"
        draw().savefig(name.with_suffix(".svg"), metadata={"Date": None})
        print(name.with_suffix(".svg"))
