"""How to evaluate."""

from dataclasses import dataclass

from ..options import check, option
from .normalise import NAMES


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What is compared how, and what is shown."""

    normalizer: str = option("basic", "what is made equal before words are compared", choices=NAMES)
    by: tuple[str, ...] = option(
        ("source", "speaker"), "a key of the manifest's lines to group by (may be repeated)", metavar="KEY"
    )
    draw_together: str | None = option(
        None, "a key whose utterances the bootstrap draws together, such as speaker", metavar="KEY"
    )
    draws: int = option(1000, "sets that the bootstrap draws", minimum=1, maximum=1_000_000)
    seed: int = option(0, "of the bootstrap and of --degrade", minimum=0)
    worst: int = option(5, "worst utterances to show", minimum=0, maximum=10_000)
    degrade: tuple[str, ...] = option(
        (),
        "measure again with noise:20,10, white:10 (dB), telephone, reverb:0.6 (s), opus:12 (kbit/s) (may be repeated)",
        metavar="KIND",
    )
    sweep: tuple[str, ...] = option(
        (),
        "decode again with other settings, as in beam_width:16,64 or lm_weight:0.3,0.5 (repeated: all combinations)",
        metavar="SETTING",
    )
    # 200 utterances are a page of five megabytes
    listen: int = option(200, "utterances, worst first, whose sound goes into the page", minimum=0, maximum=100_000)
    mend_card: bool = option(False, "write the temperature that makes confidences honest into the model's card")
    max_wer: float | None = option(
        None, "exit with 1 when the word error rate, in per cent, is above this", minimum=0, metavar="PERCENT"
    )

    def __post_init__(self) -> None:
        check(self)
