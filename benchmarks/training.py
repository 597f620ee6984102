"""A step of training over a cache, in float32 and in bfloat16 in turns: × real time on one core.

    python benchmarks/training.py configs/en-wide.toml --utterances 16 --seconds 12

Random frames stand in for cached ones, whose values do not change the time, and the sum of the log-probabilities for
the loss. Processor seconds of one thread, the least of all rounds.
"""

import argparse
import time
from pathlib import Path

import torch

from transcribe_cli.training import cache, options
from transcribe_cli.training.network import Head, Recogniser, facts, untrained

LETTERS, SOUNDS = 29, 41


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--utterances", type=int, default=16, help="a batch")
    parser.add_argument("--seconds", type=float, default=12.0, help="an utterance")
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    run = options.load(arguments.config)
    shape = run.network
    torch.set_num_threads(1)
    torch.manual_seed(0)
    whole = untrained(shape, LETTERS, SOUNDS if shape.auxiliary_layer else 0, over_cache=True)
    network: Head | Recogniser = whole.head if whole.frozen else whole
    merged_later = 1 if cache.merged_in_cache(run) else shape.merge
    frames = round(arguments.seconds / facts(shape).frame_seconds * merged_later)
    inputs = torch.randn(arguments.utterances, frames, facts(shape).dimension)
    lengths = torch.full((arguments.utterances,), frames)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-5)
    speech, best = arguments.utterances * arguments.seconds, {False: float("inf"), True: float("inf")}
    for _ in range(arguments.rounds + 1):  # the first one warms up
        for half in best:
            began = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                log_probs, sounds, _ = network.both(inputs, lengths)
            (log_probs.sum() + (sounds.sum() if sounds is not None else 0)).backward()
            optimiser.step()
            optimiser.zero_grad()
            best[half] = min(best[half], time.process_time() - began)
    print(f"float32   {speech / best[False]:5.1f} x real time")
    print(f"bfloat16  {speech / best[True]:5.1f} x real time, {best[False] / best[True]:.2f} times as fast")


if __name__ == "__main__":
    main()
