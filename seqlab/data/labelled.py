"""Labelled texts for classification: any files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from seqlab.data.class_data import EVALUATED, ClassData
from seqlab.data.columns import Column
from seqlab.data.labelled_batches import (
    SEP,
    EvaluationTexts,
    LabelledBatch,
    LabelledBatches,
    LabelledTexts,
    encode_texts,
)
from seqlab.data.labelled_files import FORMATS, Rows, read_labelled
from seqlab.data.labelled_parts import divided, key_of, without_empty
from seqlab.data.loader import Loader, Shard
from seqlab.data.named import name_of_files
from seqlab.data.parts import SPLITS, Files, HeldOut, Split, files_of
from seqlab.data.tables import Layout
from seqlab.errors import UserError, nearest
from seqlab.files import user_path
from seqlab.text.clean import check_cleaning
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.vocab import PAD, UNK

RESERVED = (UNK, PAD, SEP)


class LabelledData(ClassData):
    """Any texts with labels: TSV, CSV, JSON lines, ``LABEL text`` or fastText's ``__label__X text``.

    Equal texts always fall into the same part, and every part has its share of each label.

    Args:
        path: File or files of the texts, plain or compressed (.gz, .bz2, .xz); parts without val_path or test_path are
            cut from them.
        val_path: File or files to validate on.
        test_path: File or files to test on.
        format: tsv, csv, jsonl, label_first or fasttext; from the file ending if not given.
        text_column: Column of the text, by name or by number from 1; detected if not given.
        second_text_column: Column of the second text of a pair.
        label_column: Column of the label, by name or by number from 1; detected if not given.
        encoding: Encoding of the files; if not given, UTF-8, or Latin-1 if that fails.
        multilabel_separator: Separator between several labels of a text; one label per text if not given.
        cleaning: spaced (lowercase, a space before , . ! ?), letters (a-z, words kept apart), classic or raw.
        tokens: word, char, space (split at white space), bpe, wordpiece or unigram.
        min_freq: Tokens with fewer occurrences in the training part become <unk>.
        num_subwords: Size of a trained vocabulary (bpe, wordpiece and unigram).
        max_length: Most tokens of a text; longer ones are cut.
        batch_size: Texts in a batch, over all processes.
        batch_tokens: Positions in a batch, with padding, instead of batch_size.
        val_fraction: Share of the texts for validation; with folds, of those outside the test fold.
        test_fraction: Share of the texts for testing; not with folds.
        folds: Number of equal folds of the texts; one is the test part.
        fold: Number of the test fold, from 0.
        name_shown: Name of the corpus in reports; that of its file, or of the folder of several, if not given.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of the order of batches; follows the run's seed if not given.
        codecs: Codecs of text and label of a checkpoint, instead of new ones.
    """

    data_name: ClassVar[str] = "labelled"
    item: ClassVar[str] = "text"
    of_codecs: ClassVar[tuple[str, ...]] = (*ClassData.of_codecs, "max_length", "multilabel_separator")
    of_training: ClassVar[tuple[str, ...]] = ("batch_size", "batch_tokens")

    def __init__(
        self,
        path: Files = None,
        val_path: Files = None,
        test_path: Files = None,
        format: str | None = None,
        text_column: Column = None,
        second_text_column: Column = None,
        label_column: Column = None,
        encoding: str | None = None,
        multilabel_separator: str | None = None,
        cleaning: str = "spaced",
        tokens: str = "word",
        min_freq: int = 2,
        num_subwords: int = 8000,
        max_length: int = 256,
        batch_size: int = 32,
        batch_tokens: int | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        folds: int | None = None,
        fold: int = 0,
        name_shown: str | None = None,
        root: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        check_cleaning(cleaning)
        _check_numbers({"max_length": max_length, "batch_size": batch_size, "batch_tokens": batch_tokens})
        held_out = HeldOut(val_fraction, test_fraction, folds, fold, val_path, test_path)
        if format is not None and format not in FORMATS:
            raise UserError(f"unknown format '{format}': {nearest(format, FORMATS)}")
        if multilabel_separator == "":
            raise UserError("multilabel_separator '' must be at least one character, or left out")
        self.cleaning, self.max_length, self.separator = cleaning, max_length, multilabel_separator
        self.batch_size, self.batch_tokens, self.seed = batch_size, batch_tokens, seed
        self.root = user_path(root) if root else None
        layout = Layout(format, text_column, second_text_column, label_column, encoding, multilabel_separator)
        read, found = self.find(files_of(path, val_path, test_path), layout)
        self.corpus_name = name_shown or found
        self._notes = list(dict.fromkeys(note for rows in read.values() for note in rows.notes))
        self._notes += [] if folds is None else [f"fold {fold} (of 0 to {folds - 1}) tests"]
        whole: dict[Split, Rows] = {split: without_empty(rows, cleaning) for split, rows in read.items()}
        self.empty_texts = sum(len(read[split].texts) - len(rows.texts) for split, rows in whole.items())
        self._given = [split for split in whole if split != "train"]
        self._parts = divided(whole, cleaning, self.separator, held_out)
        if codecs is None:
            codecs = {
                "text": self._text_codec(tokens, min_freq, num_subwords),
                "label": self.label_codec(", or another --data.label_column"),
            }
        self._codecs: dict[str, Any] = {name: codecs[name] for name in ("text", "label")}
        self.cut_texts = 0
        self._encoded: dict[Split, LabelledTexts] = {}

    def find(self, files: dict[Split, list[Path]], layout: Layout) -> tuple[dict[Split, Rows], str]:
        """The labelled texts of each part that has files of its own, and the name of the corpus.

        Raises:
            UserError: No training text was named, or a file does not hold labelled texts.
        """
        if "train" not in files:
            raise UserError("--data labelled needs labelled texts to train on; name a file with --data.path")
        read: dict[Split, Rows] = {}
        for split, paths in files.items():
            read[split], layout = read_labelled(paths, layout)
        return read, name_of_files(path for paths in files.values() for path in paths)

    @property
    def text_codec(self) -> Codec:
        """The codec of the texts."""
        codec: Codec = self._codecs["text"]
        return codec

    def texts(self, split: Split) -> list[str]:
        """The texts of a part as in the file; a pair is ``first <sep> second``."""
        return self._parts[split].texts

    def labels(self, split: Split) -> list[str]:
        """The label of each text of a part; several labels are joined by the separator."""
        return self._parts[split].labels

    def encoded(self, split: Split) -> LabelledTexts:
        """The ids of a part; texts of more than ``max_length`` tokens are cut."""
        if split not in self._encoded:
            codecs = {**self._codecs, **self.added}
            self._encoded[split], cut = encode_texts(self.texts(split), codecs, self.targets(split))
            self.cut_texts += cut
        return self._encoded[split]

    def encode_anew(self) -> None:
        self.cut_texts = 0
        self._encoded.clear()

    @property
    def codecs(self) -> dict[str, Codec | Labels]:
        return self._codecs

    def inputs(self, split: Split) -> list[str]:
        return self.texts(split)

    def fingerprint(self) -> str:
        said = [codec.state() for codec in self._codecs.values()]
        rows = [rows for split in ("train", "val") for rows in (self.texts(split), self.labels(split))]
        return hashlib.sha1(repr([*said, *rows, self.max_length]).encode()).hexdigest()

    def describe(self) -> str:
        words = self.counted()
        words += [f"{self.text_codec.vocab_size:,} ids", *self._notes]
        for split in SPLITS:
            self.encoded(split)
        if self.cut_texts:
            words.append(f"{self.cut_texts:,} texts of more than {self.max_length:,} tokens cut")
        if self.empty_texts:
            words.append(f"{self.empty_texts:,} texts of which {self.cleaning} cleaning leaves nothing left out")
        known = {key_of(text, self.cleaning) for text in self.texts("train")} if self._given else set()
        for split in self._given:
            again = sum(key_of(text, self.cleaning) in known for text in self.texts(split))
            words.append(f"{again:,} of the {split} texts also among those to train on")
        words += self.unknown()
        return ", ".join(words)

    def train_batches(self, shard: Shard) -> LabelledBatches:
        self.check_known()
        return LabelledBatches(self.encoded("train"), self.batch_size, self.batch_tokens, self.seed, shard)

    def evaluation_loader(self, split: Split) -> Loader[LabelledBatch]:
        """Every text of a part exactly once.

        Raises:
            NoPartError: The part is empty.
        """
        self.check_has(split)
        return Loader(EvaluationTexts(self.encoded(split), EVALUATED, self.shard()))

    def _text_codec(self, tokens: str, min_freq: int, num_subwords: int) -> Codec:
        sides = [side.strip() for text in self.texts("train") for side in text.split(SEP, 1)]
        codec = Codec.build(sides.__iter__, self.cleaning, tokens, min_freq, num_subwords, RESERVED)
        codec.max_length = self.max_length
        if codec.vocab_size == len(RESERVED):
            raise UserError(f"all tokens of '{self.corpus_name}' are <unk>; lower --data.min_freq {min_freq}")
        return codec


def _check_numbers(numbers: dict[str, int | None]) -> None:
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise UserError(f"{name} {value} must be a whole number of at least 1")
