"""fastText's supervised classifier on the very parts that ours are measured on.

    pip install fasttext-wheel && python experiments/speed/classification.py [--data trec rt_polarity] [--epochs 25]

A peer, for this comparison alone; seqlab does not need it. It reads the same texts, cleaned and cut into words by the
corpus's codec. TREC: trained on its training part, tested on its 500 questions. rt_polarity: ten folds, each tested
once by a model that was trained on the rest. It has no use for a validation part, and gets it to train on too. One
thread, since its numbers change with the number of threads.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_corpora import RtPolarity, Trec

import fasttext

FOLDS = 10


def lines(data: LabelledData, split: Any) -> Iterator[str]:
    """``__label__X`` and the tokens of each text of a part."""
    for text, label in zip(data.texts(split), data.labels(split), strict=True):
        tokens = data.text_codec.tokenizer.tokenize(data.text_codec.clean(text))
        yield f"__label__{label} {' '.join(tokens)}\n"


def right_of(data: LabelledData, splits: tuple[Any, ...], options: argparse.Namespace) -> tuple[int, int]:
    """Right answers on the test part, and how many texts it has."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        rows = [line for split in splits for line in lines(data, split)]
        random.Random(0).shuffle(rows)  # it reads them in their order, and rt_polarity's are sorted by label
        file.write_text("".join(rows), encoding="utf-8")
        given = {"epoch": options.epochs, "lr": options.rate, "wordNgrams": options.ngrams, "dim": 100, "minCount": 1}
        model = fasttext.train_supervised(str(file), **given, thread=1, verbose=0)
    right = 0
    for line in lines(data, "test"):
        label, _, text = line.strip().partition(" ")
        (_, said), *_ = model.f.predict(text, 1, 0.0, "strict") or [(0.0, "")]
        right += said == label
    return right, len(data.texts("test"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["trec", "rt_polarity"], choices=["trec", "rt_polarity"])
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--ngrams", type=int, default=2)
    options = parser.parse_args()
    for name in options.data:
        started = time.perf_counter()
        if name == "trec":
            found = [right_of(Trec(min_freq=1, tokens="word_1"), ("train", "val"), options)]
        else:
            folds = (RtPolarity(min_freq=1, tokens="word_1", folds=FOLDS, fold=fold) for fold in range(FOLDS))
            found = [right_of(data, ("train", "val"), options) for data in folds]
        right, texts = (sum(numbers) for numbers in zip(*found, strict=True))
        seconds = time.perf_counter() - started
        words = f"{name:<12} fastText, {options.ngrams}-grams: {right / texts:.2%} of {texts:,} texts, {seconds:.0f} s"
        print(words, flush=True)


if __name__ == "__main__":
    main()
