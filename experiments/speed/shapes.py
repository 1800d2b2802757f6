"""Memory of training a translator on batches whose shapes vary, against that of the largest batch alone.

    python experiments/speed/shapes.py [--steps 150] [--batch_size 128] [--hidden 128] [--precision 32-true]

Whole sentences of ``fra_eng`` in the order of an epoch. Each figure is the most that a fresh process held in its steps,
above what it held before the first one, and its steps per second of processor time: of the largest batch repeated,
of the batches as they come with freed memory given back as ``fit`` does, and without.
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path

from pairing import machine
from seqlab.callbacks.freed_memory import FreedMemory
from seqlab.data.loader import Shard
from seqlab.data.pairs import PairBatch
from seqlab.data.parallel import FraEng
from seqlab.models.translation import TranslationModel
from seqlab.nn.translation_network import TranslationOptions
from seqlab.runs.allocator import give_back, keep_freed_memory, resident

import lightning.pytorch as pl
from torch.utils.data import DataLoader


def most_held() -> int:
    """Bytes that this process held at most since ``forget``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget() -> None:
    """Has the system count the most that is held anew."""
    Path("/proc/self/clear_refs").write_text("5")


def measured(which: str, steps: int, batch_size: int, hidden: int, precision: str) -> tuple[float, float]:
    """Megabytes and steps per second."""
    keep_freed_memory()
    pl.seed_everything(0, verbose=False)
    data = FraEng(batch_size=batch_size)
    made = data.train_batches(Shard())
    batches: Sequence[PairBatch] = [made.batch(0, index) for index in range(min(steps, len(made)))]
    if which == "largest":
        batches = [max(batches, key=lambda batch: batch.source.numel() + batch.targets.numel())] * min(steps, 20)
    model = TranslationModel(TranslationOptions(hidden_size=hidden, embedding_size=hidden), data.codecs)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        precision=precision,  # type: ignore[arg-type]
        callbacks=[FreedMemory()] if which != "kept" else [],
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    give_back()
    forget()
    before, started = resident(), time.process_time()
    trainer.fit(model, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return (most_held() - before) / 1e6, len(batches) / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--precision", default="32-true")
    options = parser.parse_args()
    print(machine())
    print(f"{'batches':<28}{'MB':>8}{'ratio':>8}{'steps/s':>9}")
    context = multiprocessing.get_context("spawn")
    need = 0.0
    for which, words in {"largest": "the largest alone", "given": "as they come", "kept": "freed memory kept"}.items():
        with context.Pool(1) as pool:
            size, speed = pool.apply(measured, (which,), vars(options))
        need = need or size
        print(f"{words:<28}{size:>8.0f}{size / need:>8.2f}{speed:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
