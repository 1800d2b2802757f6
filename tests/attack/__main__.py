"""Attacks seqlab with hostile files, and says how often what was tried and what was lost.

python -m tests.attack [--each 400] [--seed 0]
"""

import argparse
import importlib
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .collection import KINDS, sound
from .verdict import outcome


def main() -> int:
    """Tries up to so many attacks of each kind, drawn by the seed; the exit code says whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    tried: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as root:
        here, good = sound(Path(root), importlib.import_module("seqlab.fit").main)
        for kind, made in KINDS.items():
            attacks = list(made(good, here))
            random.Random(given.seed).shuffle(attacks)
            for attack in attacks[: given.each]:
                tried[kind] += 1
                if wrong := outcome(attack, here):
                    lost[kind] += 1
                    print(f"{kind}: {attack.name}\n{wrong}", file=sys.stderr)
                shutil.rmtree(here / "lightning_logs" / "again", ignore_errors=True)
    print("| what was tried | how often | what was lost |\n|---|---|---|")
    for kind, count in tried.items():
        print(f"| {kind} | {count} | {lost[kind] or 'nothing'} |")
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
