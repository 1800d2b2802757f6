"""Attacks seqlab with hostile files, options, disks and outputs, and says how often what was tried and what fell.

    python -m tests.attack [--each 60] [--kind "a hostile"] [--seed 0]

Each attack is a process of its own. The verb must refuse it in a sentence or do what was asked for; it may lose nothing
that stood before, write nowhere else, run no code that a file names, and take neither a minute nor gigabytes.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .collection import KINDS
from .sound import Sound, sound
from .verdict import SORTS, outcome


def attempt(kind: str, here: Sound, each: int, seed: int) -> Counter[str]:
    """Tries up to so many attacks of a kind, drawn by the seed; counts them, and what fell by its sort."""
    counted: Counter[str] = Counter()
    attacks = list(KINDS[kind](here))
    random.Random(f"{kind} {seed}").shuffle(attacks)
    for attack in attacks[:each]:
        counted["tried"] += 1
        if fault := outcome(attack, here.here):
            counted[fault.sort] += 1
            print(f"{kind}: {attack.name}\n{fault.sort}: {fault.words}\n", file=sys.stderr, flush=True)
        shutil.rmtree(here.run("again"), ignore_errors=True)
        here.restore()
    return counted


def main() -> int:
    """Tries attacks of each kind; the exit code says whether anything fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=60)
    parser.add_argument("--kind", default="", help="beginning of the kinds to try")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    fell, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        here = sound(Path(root))
        print(f"| what was tried | how often | {' | '.join(SORTS)} |\n|---|---|{'---|' * len(SORTS)}", flush=True)
        for kind in KINDS:
            if kind.startswith(given.kind):
                counted = attempt(kind, here, given.each, given.seed)
                fell += sum(counted[sort] for sort in SORTS)
                row = (kind, counted["tried"], *(counted[sort] for sort in SORTS))
                print(f"| {' | '.join(map(str, row))} |", flush=True)
    print(f"{fell or 'nothing'} fell, in {time.monotonic() - begun:.0f} s")
    return int(fell > 0)


if __name__ == "__main__":
    sys.exit(main())
