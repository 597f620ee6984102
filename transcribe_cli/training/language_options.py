"""What the training of the networks of pieces can be told."""

from dataclasses import dataclass

from ..errors import OptionError
from ..options import check, option


@dataclass(frozen=True, slots=True)
class RescorerOptions:
    """A rescorer, a small language model of pieces of words, and its training."""

    pieces: int = option(2048, "pieces that words are made of", minimum=8, maximum=32768)
    width: int = option(192, "numbers a place", minimum=8)
    layers: int = option(4, "blocks", minimum=1)
    heads: int = option(3, "of the attention", minimum=1)
    steps: int = option(5500, "steps; the learning rate falls over the second half", minimum=1)
    batch_size: int = option(128, "rows of 64 pieces a step", minimum=1)
    rate: float = option(4e-3, "highest learning rate", minimum=0)
    warmup_steps: int = option(100, "steps in which the learning rate rises", minimum=0)
    save_steps: int = option(500, "steps after which the state is written and held-out lines are measured", minimum=1)
    report_lines: int = option(200, "held-out lines a source that are measured", minimum=1)
    seed: int = option(1, "of weights and rows", minimum=0)
    device: str = option("cpu", "where it is trained", choices=("cpu", "cuda", "auto"))
    threads: int = option(0, "CPU threads; 0: one a core", minimum=0)
    bfloat16: bool = option(True, "mixed precision, where the processor has instructions for it")
    compile: bool = option(True, "turn the network into a program of its own, where there is a C++ compiler")

    def __post_init__(self) -> None:
        check(self)
        if self.width % (2 * self.heads):
            raise OptionError(f"--width cannot be {self.width}: {self.heads} heads need a multiple of {2 * self.heads}")


@dataclass(frozen=True, slots=True)
class PunctuationTraining(RescorerOptions):
    """A small network that punctuates, and its training."""

    # half as wide as names need, and more pieces, so that many names are one
    pieces: int = option(8192, "pieces that words are made of", minimum=8, maximum=32768)
    width: int = option(128, "numbers a place", minimum=8)
    heads: int = option(2, "of the attention", minimum=1)
    steps: int = option(2400, "steps; the learning rate falls over the second half", minimum=1)
    batch_size: int = option(128, "rows of 64 pieces a step, or as many pieces in shorter ones", minimum=1)
    report_lines: int = option(1000, "held-out lines a source that are measured", minimum=1)
