"""The network alone on one core: × real time by window, of models in turns, so that what else runs touches all alike.

    python benchmarks/network.py en en-lite --seconds 5,10,15,20,30

Noise stands in for features, whose values do not change the time. Processor seconds of one thread, the least of all
rounds.
"""

import argparse
import time

import numpy as np

from transcribe_cli.bundle.session import open_graph
from transcribe_cli.bundle.store import find


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names or folders")
    parser.add_argument("--seconds", default="5,10,15,20,30")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    bundles = [find(name) for name in arguments.models]
    graphs = [open_graph(bundle.graph_path, ["CPUExecutionProvider"], 1) for bundle in bundles]
    draw = np.random.default_rng(0)
    print(f"| window | {' | '.join(arguments.models)} |")
    print("|---" * (len(bundles) + 1) + "|")
    for seconds in map(float, arguments.seconds.split(",")):
        best = [float("inf")] * len(bundles)
        for _ in range(arguments.rounds + 1):  # the first one warms up
            for i, (bundle, graph) in enumerate(zip(bundles, graphs, strict=True)):
                recipe = bundle.card.features
                shape = (1, recipe.dimension, round(seconds / recipe.hop_seconds))
                features = draw.normal(0, 0.5, shape).astype(np.float32)
                began = time.process_time()
                graph.run(None, {bundle.card.input.name: features})
                best[i] = min(best[i], time.process_time() - began)
        print(f"| {seconds:g} s | {' | '.join(f'{seconds / spent:.0f}' for spent in best)} |", flush=True)


if __name__ == "__main__":
    main()
