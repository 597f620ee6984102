"""Makes the ARPA files in golden/ with KenLM's lmplz: python tests/lm/make_golden.py path/to/lmplz"""

import gzip
import subprocess
import sys
from pathlib import Path

from toy_corpus import sentences

CASES = {  # file name → (order, count thresholds)
    "order1": (1, ""),
    "order2": (2, ""),
    "order3": (3, ""),
    "order4": (4, ""),
    "order5": (5, ""),
    "order3-prune-0-0-1": (3, "0 0 1"),
    "order3-prune-0-1-2": (3, "0 1 2"),
    "order4-prune-0-1": (4, "0 1"),
}
N_SENTENCES = 250

if __name__ == "__main__":
    folder = Path(__file__).parent / "golden"
    folder.mkdir(exist_ok=True)
    text = "".join(sentence + "\n" for sentence in sentences(N_SENTENCES)).encode()
    for name, (order, prune) in CASES.items():
        command = [sys.argv[1], "-o", str(order), "-S", "200M", "--discount_fallback"]
        command += ["--prune", *prune.split()] if prune else []
        arpa = subprocess.run(command, input=text, capture_output=True, check=True)
        fallback = arpa.stderr.count(b"fallback discounts")
        (folder / f"{name}.arpa.gz").write_bytes(gzip.compress(arpa.stdout, mtime=0))
        print(name, len(arpa.stdout), "bytes", f"{fallback} orders with fallback discounts")
