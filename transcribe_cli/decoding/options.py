"""How to decode: the options, each with its default and the reason for it."""

from dataclasses import dataclass

from ..options import check, option

# for a language model that no card has tuned weights for; what pyctcdecode takes
USUAL_WEIGHT, USUAL_BONUS = 0.5, 1.5
# beyond 100 the words hardly change; below 50 they begin to (benchmarks/decoding.py)
USUAL_WIDTH = 100
# a token of less than 0.7 % in its frame was in next to no best text, and each one costs a round over the beams; what
# falls e^-10 behind the best does not come back
USUAL_LIMITS = -5.0, -10.0
# what a model's card may say of them
TUNED = (
    "lm_weight", "word_bonus", "temperature", "beam_width", "token_min_logp", "beam_prune_logp", "rescorer_weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """Frozen settings of a decoder. Raises OptionError where a value is outside its bounds."""

    decoder: str = option(
        "beam",
        "beam: search with language model and hotwords, by the C++ engine where ctc-beam-decoder is installed and can "
        "do what is asked; python or fast: the same by our own search or the C++ engine and no other; "
        "greedy: the likeliest token of every frame, no search, no language model; where the model hears sounds beside "
        "letters, its lexicon mends the spelling",
        choices=("beam", "greedy", "python", "fast"),
    )
    beam_width: int | None = option(
        None, "hypotheses kept from frame to frame, more is slower; default: the card's, 100 where it says none",
        minimum=1, maximum=10000,
    )  # fmt: skip
    token_min_logp: float | None = option(
        None, "tokens less likely than this in a frame (natural log) are not tried there; default: the card's, else -5",
        maximum=0,
    )  # fmt: skip
    beam_prune_logp: float | None = option(
        None, "hypotheses this far below the best (natural log) are dropped; default: the card's, else -10", maximum=0
    )
    lm_weight: float | None = option(
        None, "weight of the language model; default: what the model's card was tuned to", minimum=0, maximum=10
    )
    word_bonus: float | None = option(
        None, "added for every word, against the language model's love of few words; default: the card's",
        minimum=-20, maximum=20,
    )  # fmt: skip
    # a network that has learned few voices by heart is too sure of others: beside the language model its rows count for
    # more than they know (RESULTS.md, "Language model")
    temperature: float | None = option(
        None,
        "the network's log-probabilities are divided by it before the search, and made to sum to one again; above 1 a "
        "network that is too sure of itself leaves the language model more to say; default: the card's",
        minimum=0.1, maximum=10,
    )  # fmt: skip
    rescorer_weight: float | None = option(
        None,
        "weight of n-grams and neural language model together, where one travels with the model and the searches "
        "differ; 0 does without it; default: the card's",
        minimum=0, maximum=10,
    )  # fmt: skip
    # strong enough that an unknown word must be heard clearly, weak enough that a name can get through
    unknown_penalty: float = option(
        10.0, "taken off for a word that the language model has never seen", minimum=0, maximum=1000
    )
    nbest: int = option(1, "alternatives to return", minimum=1, maximum=1000)
    hotword: tuple[str, ...] = option(
        (), "a word or phrase to listen for, as 'phrase' or 'phrase:boost' (may be given many times)", metavar="PHRASE"
    )
    hotwords_file: str | None = option(None, "a file of hotwords, one a line, # for comments", metavar="FILE")
    hotword_boost: float = option(
        10.0, "what finding a hotword adds (natural log) where it says nothing itself", minimum=0.1, maximum=100
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def weights(self) -> tuple[float, float]:
        """(α, β): language-model weight and word bonus, the usual ones where neither user nor card says."""
        return (
            USUAL_WEIGHT if self.lm_weight is None else self.lm_weight,
            USUAL_BONUS if self.word_bonus is None else self.word_bonus,
        )

    @property
    def width(self) -> int:
        """The beam's width, the usual one where neither user nor card says."""
        return USUAL_WIDTH if self.beam_width is None else self.beam_width

    @property
    def limits(self) -> tuple[float, float]:
        """(of a token in its frame, of a hypothesis below the best), natural logs; the usual ones where nobody says."""
        return (
            USUAL_LIMITS[0] if self.token_min_logp is None else self.token_min_logp,
            USUAL_LIMITS[1] if self.beam_prune_logp is None else self.beam_prune_logp,
        )

    @property
    def judged_weight(self) -> float:
        """Of n-grams and neural model together, the n-grams' own where neither user nor card says."""
        return self.weights[0] if self.rescorer_weight is None else self.rescorer_weight

    @property
    def softening(self) -> float:
        """The temperature, 1 where neither user nor card says."""
        return 1.0 if self.temperature is None else self.temperature
