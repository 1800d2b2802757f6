"""Word vectors of this project beside gensim's, on the same words, one after the other.

    python experiments/speed/vectors.py TEXT [--models skipgram cbow] [--whose seqlab gensim]
        [--epochs 3] [--rows 64] [--threads 2] [--workers 2] [--similarity FILE] [--analogies FILE]

Ours takes --rows rows of 256 words a step. 100 dimensions, window 5, 5 negatives, min_count 5, subsampling from 1e-3,
no held-out part. A word is one of the text, whether or not it is kept. Memory is the most that the process has held
until then, the text included: ask for one of both alone. gensim is a peer to measure and no dependency: install it
beside.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from pairing import machine
from seqlab.analysis.word_knowledge import answer_analogies, rank_similarity
from seqlab.analysis.word_queries import WordSpace
from seqlab.data.loader import Shard
from seqlab.data.text import TextData
from seqlab.models import TASKS
from seqlab.models.vectors import WordVectorModel
from seqlab.runs.allocator import keep_freed_memory
from seqlab.text.word_questions import read_analogies, read_similarity

import torch
from torch.optim import Adagrad

SENTENCE = 1000
"""Words that gensim is given at once."""


def ours(name: str, data: TextData, epochs: int) -> tuple[float, WordSpace]:
    options = TASKS["vectors"].networks[name].made({})
    torch.manual_seed(1)
    rate = options.trained_by["optimizer"]["lr"]
    model = WordVectorModel(options, data.codecs, partial(Adagrad, lr=rate), name=name)
    optimizer: Any = model.configure_optimizers()
    batches = data.train_batches(Shard())
    started = time.perf_counter()
    for epoch in range(epochs):
        for index in range(len(batches)):
            total, items, _ = model.loss(batches.batch(epoch, index), "train")
            optimizer.zero_grad()
            (total / items).backward()
            model.on_after_backward()
            optimizer.step()
    return time.perf_counter() - started, model.space()


def gensims(name: str, words: Sequence[str], epochs: int, workers: int) -> tuple[float, WordSpace]:
    from gensim.models import FastText, Word2Vec

    sentences = [words[begin : begin + SENTENCE] for begin in range(0, len(words), SENTENCE)]
    sizes = {"vector_size": 100, "window": 5, "negative": 5, "min_count": 5, "sample": 1e-3}
    made = FastText if name == "fasttext" else Word2Vec
    model = made(**sizes, sg=int(name != "cbow"), workers=workers, seed=1)
    model.build_vocab(sentences)
    started = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
    seconds = time.perf_counter() - started
    return seconds, WordSpace(model.wv.index_to_key, torch.from_numpy(model.wv.vectors.copy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--models", nargs="+", default=["skipgram", "cbow"])
    parser.add_argument("--whose", nargs="+", choices=["seqlab", "gensim"], default=["seqlab", "gensim"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--similarity")
    parser.add_argument("--analogies")
    given = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    shares = {"val_fraction": 0.0, "test_fraction": 0.0}
    text = {"tokens": "word", "min_freq": 5, "batch_size": given.rows, "num_steps": 256, **shares}
    data = TextData(given.text, **text) if "seqlab" in given.whose else None
    words = Path(given.text).read_text(encoding="utf-8").split()
    print(f"{machine()}; gensim with {given.workers} workers; {len(words):,} words, {given.epochs} epochs")
    for name, whose in product(given.models, given.whose):
        if whose == "seqlab":
            seconds, space = ours(name, data, given.epochs)
        else:
            seconds, space = gensims(name, words, given.epochs, given.workers)
        row = f"{name:<10}{whose:<8}{given.epochs * len(words) / seconds:>10,.0f} words/s"
        row += f"  {getrusage(RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"
        if given.similarity:
            row += f"  {rank_similarity(space, read_similarity(Path(given.similarity)))}"
        if given.analogies:
            row += f"  analogies {answer_analogies(space, read_analogies(Path(given.analogies))).all()}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
