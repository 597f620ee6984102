"""What an evaluation says, as plain values: the JSON for scripts, which terminal and page only lay out.

Counts stand beside every rate. Infinite rates (words where none were expected) are null in JSON.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..alignment.confidence import fit_temperature
from ..errors import InputError, InputNotFound, OptionError
from .calibration import calibration, judged
from .edits import Counts, Edit
from .score import Score, Utterance, bands, bootstrap, frequent

VERSION = 1
DURATION_EDGES = (2, 5, 10, 20)  # seconds
PACE_EDGES = (1.5, 2.5, 3.5)  # words a second
SNR_EDGES = (5, 10, 20, 30)  # dB
BANDS = ("duration", "speaking rate", "signal to noise")
# of 104 development utterances with honest errors 3 % lie beyond, of those with a word made wrong on purpose more than
# half; the better the network, the further apart the two are
SUSPICIOUS_NATS = 16.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an utterance beside its texts; each may be missing."""

    confidences: tuple[float, ...] = ()
    snr_db: float | None = None
    loss: float | None = None  # −log P(reference | audio), nats, summed over all alignments
    hypothesis_loss: float | None = None  # −log P(hypothesis | audio), the same way
    reference_total: float | None = None  # what the search would have ranked the reference by
    hypothesis_total: float | None = None


@dataclass(frozen=True, slots=True)
class System:
    """One system's hypotheses, scored. vocabulary: words its language model knows, None where unknown."""

    name: str
    score: Score
    facts: Mapping[str, Facts] = field(default_factory=dict)  # by the pair's id
    vocabulary: Set[str] | None = None


def summarise(
    systems: Sequence[System],
    by: Sequence[str] = (),
    speed: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
    block: str | None = None,
) -> dict[str, Any]:
    """Everything that is shown, JSON-ready. by: keys to group by; block: the key drawn together in bootstrap.

    Raises OptionError where no utterance has that key.
    """
    if block and not any(block in utterance.pair.keys for utterance in systems[0].score.utterances):
        raise OptionError(f"--draw-together {block}: no utterance has such a key")
    return {
        "format": "transcribe-evaluation",
        "version": VERSION,
        "normalizer": systems[0].score.normaliser,
        "bootstrap": {"draws": draws, "seed": seed, "level": 0.95, "drawn_together": block or "utterance"},
        "notes": list(notes),
        "speed": None if speed is None else dict(speed),
        "systems": [_system(system, by, draws, seed, block) for system in systems],
    }


def robustness(
    conditions: Sequence[tuple[str, Sequence[tuple[str, Score]]]], draws: int, seed: int, block: str | None = None
) -> list[dict[str, Any]]:
    """Each condition's rates by system, JSON-ready."""
    return [
        {"condition": name, "systems": [{"name": system, **_rates(own, draws, seed, block)} for system, own in scores]}
        for name, scores in conditions
    ]


def percent(rate: float | None) -> str:
    """0.123 → "12.3 %"; an infinite rate (words where none were expected) → "∞"; an unknown one → "–"."""
    return "–" if rate is None else "∞" if rate == float("inf") else f"{100 * rate:.1f} %"


def between(words: Mapping[str, Any]) -> str:
    """An interval without its unit: "7.8–9.4"; "–" where there is none."""
    low, high = words["interval"]
    return "–" if low is None or high is None else "–".join(percent(rate).removesuffix(" %") for rate in (low, high))


def group_name(name: str, value: str) -> str:
    """What a group is called: bands without the number that sorts them."""
    return value.split(": ", 1)[-1] if name in BANDS else value


def group_rate(system: Mapping[str, Any], name: str, value: str) -> float | None:
    """A group's word error rate in a system; None where the system has no such group."""
    own = system["groups"].get(name, {}).get(value)
    return None if own is None else own["words"]["rate"]


def read(path: Path) -> dict[str, Any]:
    """A summary written as JSON. Raises InputNotFound, and InputError where the file is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_hook=_infinite)
        if data["format"] != "transcribe-evaluation" or data["version"] != VERSION:
            raise ValueError("another format or version")
        for system in data["systems"]:
            counts_by_id(system)
        if not data["systems"]:
            raise ValueError("no system in it")
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file; `transcribe evaluate … --json FILE` writes one") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not an evaluation written with --json ({error})") from error
    return data  # type: ignore[no-any-return]


def counts_by_id(system: Mapping[str, Any]) -> dict[str, Counts]:
    """Word counts of a summary's utterances."""
    return {
        str(u["id"]): Counts(*(int(u["words"][key]) for key in ("hits", "substitutions", "deletions", "insertions")))
        for u in system["utterances"]
    }


def references_by_id(system: Mapping[str, Any]) -> dict[str, list[str]]:
    """The words that were to be recognised, as they were compared, of a summary's utterances."""
    return {
        str(u["id"]): [reference for reference, _ in u["alignment"] if reference is not None]
        for u in system["utterances"]
    }


def dump(summary: Mapping[str, Any]) -> str:
    """A summary as JSON text."""
    return json.dumps(_finite(summary), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def _infinite(found: dict[str, Any]) -> dict[str, Any]:
    """Counts read back: the rate that JSON has as null, errors where no words were expected, is infinite again."""
    if found.get("rate", 0) is None and found.get("reference") == 0 and found.get("errors"):
        found["rate"] = math.inf
    return found


def _system(system: System, by: Sequence[str], draws: int, seed: int, block: str | None) -> dict[str, Any]:
    score = system.score
    columns = {utterance.pair.id: utterance.alignment() for utterance in score.utterances}
    every = [column for own in columns.values() for column in own]
    return {
        "name": system.name,
        **_rates(score, draws, seed, block),
        "empty": _empty(score),
        "groups": _groups(score, by, system.facts, draws, seed, block),
        "substitutions": [[*pair, n] for pair, n in frequent(every, "substitution")[:50]],
        "deletions": [[pair[0], n] for pair, n in frequent(every, "deletion")[:50]],
        "insertions": [[pair[1], n] for pair, n in frequent(every, "insertion")[:50]],
        "hardest_words": _hardest(every),
        "vocabulary": _vocabulary(score, every, system.vocabulary),
        "calibration": _calibration(system),
        "search": _search(system),
        "suspected_references": _suspected(system),
        "utterances": [
            _utterance(u, columns[u.pair.id], system.facts.get(u.pair.id, Facts())) for u in score.utterances
        ],
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return asdict(counts) | {"errors": counts.errors, "reference": counts.reference, "rate": counts.rate}


def _rates(score: Score, draws: int, seed: int, block: str | None = None) -> dict[str, Any]:
    def drawn(utterance: Utterance) -> str:
        # an utterance without the key is drawn by itself
        return utterance.pair.keys.get(block or "", f"\0{utterance.pair.id}")

    def spread(of: Callable[[Utterance], Counts]) -> list[float | None]:
        if len({drawn(utterance) for utterance in score.utterances}) < 2:
            return [None, None]  # nothing varies, so nothing is known
        found = bootstrap(score, of, drawn if block else None, draws=draws, seed=seed)
        return [found.low, found.high]

    return {
        "words": _counts(score.words) | {"interval": spread(lambda u: u.words)},
        "characters": _counts(score.characters) | {"interval": spread(lambda u: u.characters)},
        "sentences": {
            "reference": len(score.utterances),
            "errors": score.wrong_sentences,
            "rate": score.sentence_error_rate,
        },
        "duration_seconds": score.duration_seconds,
    }


def _empty(score: Score) -> dict[str, int]:
    silent = [u for u in score.utterances if not u.reference]
    return {
        "references": len(silent),
        "words_invented": sum(u.words.insertions for u in silent),
        "hypotheses_for_speech": sum(1 for u in score.utterances if u.reference and not u.hypothesis),
    }


def _groups(
    score: Score, by: Sequence[str], facts: Mapping[str, Facts], draws: int, seed: int, block: str | None
) -> dict[str, dict[str, Any]]:
    def pace(u: Utterance) -> str | None:
        seconds = u.pair.duration_seconds
        return bands(u.words.reference / seconds if seconds else None, PACE_EDGES, "words/s")

    def value_of(key: str) -> Callable[[Utterance], str | None]:
        return lambda u: u.pair.keys.get(key)

    ways = {key: value_of(key) for key in by}
    ways |= {
        "duration": lambda u: bands(u.pair.duration_seconds, DURATION_EDGES, "s"),
        "speaking rate": pace,
        "signal to noise": lambda u: bands(facts.get(u.pair.id, Facts()).snr_db, SNR_EDGES, "dB"),
    }
    found = {name: score.group(key) for name, key in ways.items()}
    return {
        name: {value: _rates(own, draws, seed, block) for value, own in groups.items()}
        for name, groups in found.items()
        if groups
    }


def _hardest(columns: Sequence[Edit]) -> list[list[Any]]:
    """[word, times wrong, times in the references], most often wrong first."""
    seen: dict[str, list[int]] = {}
    for column in columns:
        if column.reference is not None:
            own = seen.setdefault(column.reference, [0, 0])
            own[0] += column.kind != "hit"
            own[1] += 1
    wrong = sorted((-own[0], own[1], word) for word, own in seen.items() if own[0])
    return [[word, -n_wrong, n] for n_wrong, n, word in wrong[:50]]


def _vocabulary(score: Score, columns: Sequence[Edit], known: Set[str] | None) -> dict[str, Any] | None:
    if known is None:
        return None
    outside = [c for c in columns if c.reference is not None and c.reference not in known]
    wrong = sum(column.kind != "hit" for column in outside)
    return {"words": score.words.reference, "outside": len(outside), "outside_wrong": wrong}


def _calibration(system: System) -> dict[str, Any] | None:
    pairs = [
        (u.pair, system.facts[u.pair.id].confidences) for u in system.score.utterances if u.pair.id in system.facts
    ]
    confidences, correct = judged(pairs)
    if not confidences:
        return None
    try:
        temperature = fit_temperature(confidences, correct)
    except ValueError:
        temperature = None
    table = asdict(calibration(confidences, correct))
    if temperature is not None:
        mended = [max(c, 1e-300) ** (1 / temperature) for c in confidences]
        return table | {"temperature": temperature, "mended": asdict(calibration(mended, correct))}
    return table | {"temperature": None, "mended": None}


def _search(system: System) -> dict[str, int] | None:
    """Wrong utterances by fault: the search's where it would have ranked the reference higher, had it found it."""
    known = [
        (u, facts.reference_total, facts.hypothesis_total)
        for u in system.score.utterances
        if (facts := system.facts.get(u.pair.id)) is not None
        and facts.reference_total is not None
        and facts.hypothesis_total is not None
        and u.words.errors
    ]
    if not known:
        return None
    missed = sum(_missed(reference, hypothesis) for _, reference, hypothesis in known)
    return {"wrong": len(known), "search_errors": missed, "model_errors": len(known) - missed}


def _missed(reference_total: float, hypothesis_total: float) -> bool:
    """Whether the search would have ranked the reference higher; a thousandth of a nat is rounding."""
    return reference_total > hypothesis_total + 1e-3


def fault(utterance: Mapping[str, Any]) -> str:
    """ "search", "models", or "" where the utterance is right or it is not known."""
    totals = utterance["reference_total"], utterance["hypothesis_total"]
    if None in totals or not any(utterance["words"][key] for key in ("substitutions", "deletions", "insertions")):
        return ""
    return "search" if _missed(*totals) else "models"


def _suspected(system: System) -> list[dict[str, Any]]:
    """Utterances whose reference may be wrong: to the network it is far less likely than what was heard.

    How far: nats between the two, for each word error between them. Most suspicious first.
    """
    rows = []
    for u in system.score.utterances:
        facts = system.facts.get(u.pair.id, Facts())
        if u.words.errors and facts.loss is not None and facts.hypothesis_loss is not None:
            gap = (facts.loss - facts.hypothesis_loss) / u.words.errors
            if gap > SUSPICIOUS_NATS:
                rows.append((-gap, u.pair.id))
    return [{"id": id, "nats_an_error": -gap} for gap, id in sorted(rows)[:50]]


def _utterance(utterance: Utterance, columns: Sequence[Edit], facts: Facts) -> dict[str, Any]:
    pair = utterance.pair
    return {
        "id": pair.id,
        "duration": pair.duration_seconds,
        "keys": pair.keys,
        "reference": pair.reference,
        "hypothesis": pair.hypothesis,
        "words": asdict(utterance.words),
        "characters": asdict(utterance.characters),
        "alignment": [[column.reference, column.hypothesis] for column in columns],
        "confidence": sum(facts.confidences) / len(facts.confidences) if facts.confidences else None,
        "snr_db": facts.snr_db,
        "loss": facts.loss,
        "hypothesis_loss": facts.hypothesis_loss,
        "reference_total": facts.reference_total,
        "hypothesis_total": facts.hypothesis_total,
    }
