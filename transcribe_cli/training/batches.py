"""Which utterances an epoch sees, and how they are put together to batches of like length."""

from collections.abc import Sequence

import numpy as np

from .cache import Entry


def draw(
    sets: Sequence[Sequence[Entry]],
    shares: Sequence[float],
    hours: float,
    seen: dict[str, int],
    rng: np.random.Generator,
) -> list[Entry]:
    """The utterances of one epoch, about `hours` of speech (0: all of it, once).

    shares: each set's part of the hours, in any unit; all zero takes the sets as large as they are. An utterance that
    was seen less often comes first and ties are drawn, so that every utterance gets its turn although sets may grow.
    """
    totals = [sum(entry.seconds for entry in one) for one in sets]
    if hours <= 0:
        return [entry for one in sets for entry in one]
    weights = list(shares) if any(shares) else totals
    weights = [weight if total > 0 else 0.0 for weight, total in zip(weights, totals, strict=True)]
    chosen: list[Entry] = []
    for one, total, weight in zip(sets, totals, weights, strict=True):
        wanted = hours * 3600 * weight / sum(weights) if sum(weights) else 0.0
        chosen += list(one) * int(wanted // total) if total else []
        wanted -= total * int(wanted // total) if total else 0.0
        ties = rng.random(len(one))
        for i in sorted(range(len(one)), key=lambda i: (seen.get(one[i].key, 0), ties[i])):
            if wanted <= 0:
                break
            chosen.append(one[i])
            wanted -= one[i].seconds
    return chosen


def pack(lengths: Sequence[float], limit: float, rng: np.random.Generator | None = None) -> list[list[int]]:
    """Indices grouped so that a group's longest × its size stays within `limit`; one that is longer stands alone.

    rng: jitters the order by length and shuffles the groups; None keeps them by length, for measuring.
    """
    jitter = rng.uniform(0.92, 1.08, len(lengths)) if rng is not None else np.ones(len(lengths))
    order = np.argsort(np.asarray(lengths) * jitter, kind="stable")
    groups: list[list[int]] = []
    longest = 0.0
    for i in order:
        longest = max(longest, lengths[i])
        if groups and longest * (len(groups[-1]) + 1) <= limit:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
            longest = lengths[i]
    if rng is not None:
        rng.shuffle(groups)  # type: ignore[arg-type]
    return groups
