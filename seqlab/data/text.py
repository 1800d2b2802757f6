"""Text for language models, from any text files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqlab.data.data_module import DataModule
from seqlab.data.encoded import cache_folder
from seqlab.data.loader import Loader, Shard
from seqlab.data.named import name_of_files
from seqlab.data.parts import Split, files_of
from seqlab.data.streams import ContiguousBatches, EvaluationBatches, RandomBatches, TextBatch
from seqlab.data.text_files import Part, Recipe, read_corpus
from seqlab.data.text_lines import EvaluationLines, LineBatches, TextLines
from seqlab.errors import NoPartError, UserError
from seqlab.files import user_path
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.vocab import BOS

PROMPT_TOKENS = 16
"""Number of first tokens that serve as prompt of a text without a prompt of its own."""

TOKENS_PER_STREAM = 8192
"""Fewest tokens of an evaluation stream, so that the initial states have almost no effect."""


class TextData(DataModule):
    """Any UTF-8 text files, plain or compressed (.gz, .bz2, .xz).

    Args:
        path: Text files to train on; without val_path and test_path they are cut into the three parts.
        val_path: Text files to validate on.
        test_path: Text files to test on.
        cleaning: classic (a-z, lines joined as in the book), letters (a-z, words kept apart), spaced (lowercase, space
            before punctuation) or raw.
        tokens: char, word, space (split at white space), bpe, wordpiece or unigram.
        end_of_line: Whether each line end is a token, <eos>, to predict and count.
        lines: stream, or items: each line between <bos> and <eos>, state reset.
        shuffled: Whether to cut items into parts in a random order, from a fixed seed.
        min_freq: Tokens with fewer occurrences in the training part become <unk>.
        num_subwords: Size of a trained vocabulary (bpe, wordpiece and unigram).
        phrases: Passes that join frequent word pairs to phrases, such as new_york.
        phrase_threshold: Score above which two words form a phrase.
        batch_size: Streams, windows (random) or lines (items) in a batch, over all processes.
        num_steps: Tokens of each row in a batch; gradients reach this far back.
        sampling: contiguous (state carried from batch to batch) or random windows.
        max_tokens: Train on only this many first tokens of the training part.
        val_fraction: Share of the characters, before the test part, for validation.
        test_fraction: Share of the characters, at the end, for testing.
        eval_streams: Parallel streams of validation and test text; chosen by its length if not given.
        name_shown: Name of the corpus in reports; that of its file, or of the folder of several, if not given.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of offsets and orders; follows the run's seed if not given.
        codecs: Codec ``text`` of a checkpoint, instead of one built from the training part.
    """

    data_name: ClassVar[str] = "text"
    of_codecs: ClassVar[tuple[str, ...]] = (
        *DataModule.of_codecs,
        "end_of_line",
        "lines",
        "phrases",
        "phrase_threshold",
    )
    of_training: ClassVar[tuple[str, ...]] = ("sampling", "batch_size")
    of_limits: ClassVar[tuple[str, ...]] = ("max_tokens",)
    of_batches: ClassVar[tuple[str, ...]] = ("num_steps", "eval_streams")
    of_splits: ClassVar[tuple[str, ...]] = (*DataModule.of_splits, "shuffled")
    prompt: str | None = None

    def __init__(
        self,
        path: str | list[str] | None = None,
        val_path: str | list[str] | None = None,
        test_path: str | list[str] | None = None,
        cleaning: str = "raw",
        tokens: str = "char",
        end_of_line: bool = False,
        lines: Literal["stream", "items"] = "stream",
        shuffled: bool = False,
        min_freq: int = 0,
        num_subwords: int = 2000,
        phrases: int = 0,
        phrase_threshold: float = 100.0,
        batch_size: int = 32,
        num_steps: int = 35,
        sampling: Literal["contiguous", "random"] = "contiguous",
        max_tokens: int | None = None,
        val_fraction: float = 0.05,
        test_fraction: float = 0.1,
        eval_streams: int | None = None,
        name_shown: str | None = None,
        root: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        for name, value in {"batch_size": batch_size, "num_steps": num_steps}.items():
            if value < 1:
                raise UserError(f"{name} {value} must be a whole number of at least 1")
        for name, limit in {"max_tokens": max_tokens, "eval_streams": eval_streams}.items():
            if limit is not None and limit < 1:
                raise UserError(f"{name} {limit} must be a whole number of at least 1, or left out")
        if sampling not in ("contiguous", "random"):
            raise UserError(f"sampling '{sampling}' must be contiguous or random")
        if lines not in ("stream", "items"):
            raise UserError(f"lines '{lines}' must be stream or items")
        if shuffled and lines != "items":
            raise UserError("shuffled true would tear a text apart; give --data.lines items too, or leave it out")
        self.batch_size, self.num_steps, self.sampling, self.seed = batch_size, num_steps, sampling, seed
        self.eval_streams = eval_streams
        self.root = user_path(root) if root else None
        self.files, found = self.find(files_of(path, val_path, test_path))
        self.corpus_name = name_shown or found
        items = lines == "items"
        marks = end_of_line or items, items
        joins = phrases, phrase_threshold
        recipe = Recipe(cleaning, tokens, min_freq, num_subwords, val_fraction, test_fraction, *marks, shuffled, *joins)
        self.corpus = read_corpus(self.files, recipe, cache_folder(), (codecs or {}).get("text"))
        if not self.codec.vocab.frequencies and len(self.corpus.parts["train"].ids):
            raise UserError(f"all tokens of '{self.corpus_name}' are <unk>; lower --data.min_freq {min_freq}")
        if max_tokens is not None:
            ids, characters = self.corpus.parts["train"]
            share = min(1.0, max_tokens / max(1, len(ids)))
            self.corpus.parts["train"] = Part(ids[:max_tokens], round(characters * share))

    def find(self, files: dict[Split, list[Path]]) -> tuple[dict[Split, list[Path]], str]:
        """The files of each part, and the name of their corpus.

        Raises:
            UserError: No training text was named.
        """
        if "train" not in files:
            raise UserError("--data text needs a text to train on; name a UTF-8 file with --data.path")
        return files, name_of_files(path for paths in files.values() for path in paths)

    @property
    def codec(self) -> Codec:
        """The codec of the text."""
        return self.corpus.codec

    @property
    def vocab_size(self) -> int:
        """Number of ids in the vocabulary."""
        return self.codec.vocab_size

    def has(self, split: Split) -> bool:
        """Whether the corpus has such a part with something to predict."""
        part = self.corpus.parts.get(split)
        return part is not None and len(part.ids) > 1

    def part(self, split: Split) -> Part:
        """One part of the corpus.

        Raises:
            NoPartError: The part holds too little text to predict anything.
        """
        part = self.corpus.parts.get(split)
        if part is None or len(part.ids) < 2:
            way_out = f"give --data.{split}_fraction or --data.{split}_path" if split != "train" else "give more text"
            raise NoPartError(f"the corpus '{self.corpus_name}' has no {split} part to read; {way_out}")
        return part

    @property
    def codecs(self) -> dict[str, Codec | Labels]:
        return {"text": self.codec}

    def inputs(self, split: Split) -> list[str]:
        return [self.prompt or self.codec.written(self.part(split).ids[:PROMPT_TOKENS])]

    def num_items(self) -> int:
        return len(self.part("train").ids)

    def fingerprint(self) -> str:
        digest = hashlib.sha1(repr(self.codec.state()).encode())
        for split in ("train", "val"):
            if split in self.corpus.parts:
                digest.update(split.encode() + self.corpus.parts[split].ids.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        words = f"{len(self.part('train').ids):,} tokens to train on, {self.vocab_size:,} ids"
        return f"{words}, parts cut at line ends" if self.corpus.at_line_ends else words

    def lines_of(self, split: Split) -> TextLines | None:
        """The lines of a part as separate items."""
        return TextLines(self.part(split).ids, self.codec.vocab.id_of(BOS)) if self.codec.line_begins else None

    def train_batches(self, shard: Shard) -> ContiguousBatches | RandomBatches | LineBatches:
        """The training batches, or the rows of them that belong to one process.

        Raises:
            UserError: The text does not fill a batch, or the batch does not divide among the processes.
        """
        if (lines := self.lines_of("train")) is not None:
            return LineBatches(lines, self.batch_size, self.seed, shard)
        batches = ContiguousBatches if self.sampling == "contiguous" else RandomBatches
        return batches(self.part("train").ids, self.batch_size, self.num_steps, self.seed, shard)

    def evaluation_loader(self, split: Split) -> Loader[TextBatch]:
        """Every token of a part exactly once; each stream carries its state.

        Raises:
            NoPartError: The part holds too little text.
        """
        if (lines := self.lines_of(split)) is not None:
            return Loader(EvaluationLines(lines, self.shard()))
        ids = self.part(split).ids
        streams = self.eval_streams or min(64, max(1, len(ids) // TOKENS_PER_STREAM))
        return Loader(EvaluationBatches(ids, streams, max(self.num_steps, 128), self.shard()))
