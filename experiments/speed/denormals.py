"""The first steps of translation with denormal numbers flushed to zero, as every verb has it, against without.

    python experiments/speed/denormals.py [--steps 150] [--rounds 3]

``fra_eng-attention`` in fp32, each run a process of its own, by turns. Ratios are of tokens a second, flushed over
kept; the training perplexity of both stands beside.
"""

import argparse
import multiprocessing
import statistics
import tempfile
from importlib import import_module
from pathlib import Path

SCHEDULED = 3_900
"""Steps of the whole recipe."""

CONFIG = Path(__file__).parents[1] / "fra_eng-attention.yaml"


def trained(flushed: bool, steps: int, folder: str) -> tuple[float, float]:
    """Tokens per second and training perplexity of a run."""
    verb = import_module("seqlab.fit")
    if not flushed:
        verb.flush_denormals = lambda: None
    trainer = {"max_steps": steps, "precision": "32-true", "limit_val_batches": 1, "default_root_dir": folder}
    options = {"watch": "none", "bar": "none", "run": f"flushed={flushed}", "overwrite": True}
    schedule = {"total_steps": SCHEDULED, "warmup_steps": 200}
    run = verb.fit(config=str(CONFIG), trainer=trainer, lr_scheduler=schedule, **options)
    return run.metrics["train/tokens_per_second"], run.metrics["train/perplexity"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            reached = {}
            for flushed in (True, False) if number % 2 else (False, True):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    reached[flushed] = pool.apply(trained, (flushed, given.steps, folder))
                speed, perplexity = reached[flushed]
                said = "flushed" if flushed else "kept"
                print(f"{said:<8} {speed:9,.0f} tokens/s, train perplexity {perplexity:.3f}", flush=True)
            ratios.append(reached[True][0] / reached[False][0])
    print(f"flushed / kept {statistics.median(ratios):.2f} [{min(ratios):.2f} .. {max(ratios):.2f}]")


if __name__ == "__main__":
    main()
