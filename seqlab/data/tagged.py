"""Tagged sentences: any files."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from seqlab.data.columns import Column
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Loader, Shard
from seqlab.data.named import name_of_files
from seqlab.data.parts import SPLITS, Files, HeldOut, Split, files_of
from seqlab.data.tagged_batches import EvaluationSentences, TaggedBatch, TaggedBatches, TaggedSentences
from seqlab.data.tagged_files import FORMATS, TaggedLayout, TaggedRows, read_tagged
from seqlab.errors import UserError, nearest
from seqlab.files import user_path
from seqlab.text.clean import CLEANERS
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.schemes import converted, scheme_of, tag_names, violations
from seqlab.text.spans import SCHEMES, check_scheme, spans_of
from seqlab.text.tokenize import OF_WORDS, CharTokenizer
from seqlab.text.vocab import PAD, UNK, Vocab

RESERVED = (UNK, PAD)
EVALUATED = 64
"""Sentences in an evaluation batch."""
CLEANINGS = ("raw", "lower")


class TaggedData(DataModule):
    """Any sentences with one tag per word: columns separated by tabs or spaces, or CoNLL-U.

    Tags such as ``B-person I-person O`` mark spans. The files may use iob1, iob2, iobes or bilou; the model learns the
    scheme of the option ``scheme``. Equal sentences always fall into the same part.

    Args:
        path: File or files of the sentences, plain or compressed (.gz, .bz2, .xz); parts without val_path or test_path
            are cut from them.
        val_path: File or files to validate on.
        test_path: File or files to test on.
        format: conll (columns) or conllu; from the file ending if not given.
        word_column: Column of the word, by name or by number from 1; if not given, the first, or form in CoNLL-U.
        tag_column: Column of the tag, by name, by number from 1, or from the end as -1; if not given, the last, or upos
            in CoNLL-U (which also has xpos, feats and deprel).
        encoding: Encoding of the files; if not given, UTF-8, or Latin-1 if that fails.
        file_scheme: Scheme of the files' spans: iob1, iob2, iobes, bilou or none; detected if not given.
        scheme: Scheme that the model learns for spans: iob1, iob2, iobes or bilou; that of the files if not given.
        cleaning: raw, or lower for words in lower case; character and casing inputs keep the original case.
        tokenizer: Tokenizer for raw text in prediction: treebank, space, or char, if each word of the files is a
            character.
        min_freq: Words with fewer occurrences in the training part become <unk>.
        max_length: Most words of a sentence; longer ones are cut into parts that are tagged separately.
        max_characters: Most characters of a word; longer words lose their middle.
        batch_size: Sentences in a batch, over all processes.
        batch_tokens: Words in a batch, with padding, instead of batch_size.
        val_fraction: Share of the sentences for validation; with folds, of those outside the test fold.
        test_fraction: Share of the sentences for testing; not with folds.
        folds: Number of equal folds of the sentences; one is the test part.
        fold: Number of the test fold, from 0.
        name_shown: Name of the corpus in reports; that of its file, or of the folder of several, if not given.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of the order of batches; follows the run's seed if not given.
        codecs: Codecs of text, characters and tag of a checkpoint, instead of new ones.
    """

    data_name: ClassVar[str] = "tagged"
    of_codecs: ClassVar[tuple[str, ...]] = (
        *("cleaning", "tokenizer", "min_freq", "max_length", "max_characters", "scheme"),
    )
    of_training: ClassVar[tuple[str, ...]] = ("batch_size", "batch_tokens")
    of_splits: ClassVar[tuple[str, ...]] = ("val_fraction", "test_fraction", "folds", "fold")

    def __init__(
        self,
        path: Files = None,
        val_path: Files = None,
        test_path: Files = None,
        format: str | None = None,
        word_column: Column = None,
        tag_column: Column = None,
        encoding: str | None = None,
        file_scheme: str | None = None,
        scheme: str | None = None,
        cleaning: str = "raw",
        tokenizer: str = "treebank",
        min_freq: int = 1,
        max_length: int = 256,
        max_characters: int = 24,
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
        for name, value in (("max_length", max_length), ("max_characters", max_characters), ("min_freq", min_freq)):
            _check_number(name, value)
        _check_number("batch_size", batch_size)
        _check_number("batch_tokens", batch_tokens)
        _check_name("format", format, FORMATS)
        _check_name("cleaning", cleaning, CLEANINGS)
        _check_name("tokenizer", tokenizer, OF_WORDS)
        _check_name("file_scheme", file_scheme, (*SCHEMES, "none"))
        _check_name("scheme", scheme, SCHEMES)
        held_out = HeldOut(val_fraction, test_fraction, folds, fold, val_path, test_path)
        self.max_length, self.batch_size, self.batch_tokens, self.seed = max_length, batch_size, batch_tokens, seed
        self.root = user_path(root) if root else None
        read, called = self.find(
            files_of(path, val_path, test_path), TaggedLayout(format, word_column, tag_column, encoding)
        )
        self.corpus_name = name_shown or called
        self._notes = list(dict.fromkeys(note for rows in read.values() for note in rows.notes))
        self._notes += [] if folds is None else [f"fold {fold} (of 0 to {folds - 1}) tests"]
        found = scheme_of(read["train"].tags) if file_scheme is None else file_scheme
        self.file_scheme = None if found == "none" else found
        known = None if codecs is None else codecs["tag"].scheme
        self.scheme = known if codecs is not None else scheme if scheme and self.file_scheme else self.file_scheme
        if scheme is not None and self.file_scheme is None:
            raise UserError(f"scheme {scheme} is for tags that mark spans, such as B-person, and these mark none")
        if self.file_scheme is not None and self.scheme is not None:
            for rows in read.values():
                self._convert(rows)
        self._parts = _divided(read, held_out)
        if codecs is None:
            codecs = self._build(cleaning, tokenizer, min_freq, max_characters)
        self._codecs: dict[str, Any] = {name: codecs[name] for name in ("text", "characters", "tag")}
        self._encoded: dict[Split, TaggedSentences] = {}

    def find(self, files: dict[Split, list[Path]], layout: TaggedLayout) -> tuple[dict[Split, TaggedRows], str]:
        """The sentences of each part that has files of its own, and the name of the corpus.

        Raises:
            UserError: No training sentences were named, or a file does not hold tagged sentences.
        """
        if "train" not in files:
            raise UserError("--data tagged needs tagged sentences to train on; name a file with --data.path")
        read = {split: read_tagged(paths, layout) for split, paths in files.items()}
        return read, name_of_files(path for paths in files.values() for path in paths)

    def _convert(self, rows: TaggedRows) -> None:
        """Converts tags of the files to the learned scheme, and counts tags that break their own scheme's rules."""
        assert self.scheme is not None
        assert self.file_scheme is not None
        check_scheme(self.scheme)
        broken = sum(violations(tags, self.file_scheme) for tags in rows.tags)
        if broken:
            words = f"{broken:,} tags that {self.file_scheme} does not allow where they stand, read as conlleval does"
            self._notes.append(words)
        rows.tags = [converted(tags, self.scheme) for tags in rows.tags]

    def _build(self, cleaning: str, tokenizer: str, min_freq: int, max_characters: int) -> dict[str, Codec | Labels]:
        """Codecs of words, characters and tags from the training part."""
        train, clean = self._parts["train"], CLEANERS[cleaning]
        words: dict[str, int] = {}
        characters: dict[str, int] = {}
        for sentence in train.words:
            for word in sentence:
                cleaned = clean(word)
                words[cleaned] = words.get(cleaned, 0) + 1
                for sign in word:
                    characters[sign] = characters.get(sign, 0) + 1
        vocab = Vocab(words, min_freq, RESERVED)
        if len(vocab) == len(RESERVED):
            raise UserError(f"all words of '{self.corpus_name}' are <unk>; lower --data.min_freq {min_freq}")
        seen = [tag for tags in train.tags for tag in tags]
        if self.scheme is not None:
            kinds = {span.kind for tags in train.tags for span in spans_of(tags)}
            labels = Labels(tag_names(kinds, self.scheme), scheme=self.scheme)
        else:
            labels = Labels.build(seen)
        if len(labels) < 2:
            raise UserError(
                f"all words to train on have the tag '{labels.names[0]}'; give sentences of at least two tags, or "
                "another --data.tag_column"
            )
        return {
            "text": Codec(cleaning, OF_WORDS[tokenizer](), vocab, self.max_length),
            "characters": Codec("raw", CharTokenizer(), Vocab(characters, 0, RESERVED), max_characters),
            "tag": labels,
        }

    @property
    def labels(self) -> Labels:
        """The tags of the training part."""
        labels: Labels = self._codecs["tag"]
        return labels

    @property
    def of_characters(self) -> bool:
        """Whether the tagged units are characters of words."""
        return isinstance(self._codecs["text"].tokenizer, CharTokenizer)

    def has(self, split: Split) -> bool:
        """Whether the corpus has such a part."""
        return bool(len(self._parts[split]))

    def words(self, split: Split) -> list[list[str]]:
        """The words of each sentence of a part."""
        return self._parts[split].words

    def tags(self, split: Split) -> list[list[str]]:
        """The tags of each sentence of a part, in the learned scheme."""
        return self._parts[split].tags

    def encoded(self, split: Split) -> TaggedSentences:
        """The ids of a part; sentences of more than ``max_length`` words are cut into parts."""
        if split not in self._encoded:
            self._encoded[split] = TaggedSentences(self.words(split), {**self._codecs, **self.added}, self.tags(split))
        return self._encoded[split]

    def encode_anew(self) -> None:
        self._encoded.clear()

    @property
    def codecs(self) -> dict[str, Codec | Labels]:
        return self._codecs

    def inputs(self, split: Split) -> list[str]:
        between = "" if self.of_characters else " "
        return [between.join(words) for words in self.words(split)]

    def num_items(self) -> int:
        return sum(map(len, self.words("train")))

    def fingerprint(self) -> str:
        said = [codec.state() for codec in self._codecs.values()]
        rows = [rows for split in ("train", "val") for rows in (self.words(split), self.tags(split))]
        return hashlib.sha1(repr([*said, *rows]).encode()).hexdigest()

    def describe(self) -> str:
        held = [split for split in SPLITS[1:] if self.has(split)]
        scheme = f" in {self.scheme}" if self.scheme else ""
        words = [f"{self._sized('train')} with {len(self.labels)} tags{scheme} to train on"]
        aims = {"val": "validate", "test": "test"}
        words += [f"{self._sized(split)} to {aims[split]} on" for split in held]
        text, characters = self._codecs["text"], self._codecs["characters"]
        words += [f"{text.vocab_size:,} ids of words and {characters.vocab_size:,} of characters", *self._notes]
        most = text.max_length
        if most and (cut := sum(len(words) > most for split in SPLITS for words in self.words(split))):
            words.append(f"{cut:,} sentences of more than {most:,} words cut into parts")
        for split in held:
            if unseen := sum(tag not in self.labels for tags in self.tags(split) for tag in tags):
                words.append(f"{unseen:,} of the {split} words with a tag that training lacks")
        return ", ".join(words)

    def _sized(self, split: Split) -> str:
        sentences = len(self._parts[split])
        return f"{sentences:,} sentence{'s' * (sentences > 1)} of {sum(map(len, self.words(split))):,} words"

    def train_batches(self, shard: Shard) -> TaggedBatches:
        for tags in self.tags("train"):
            if unknown := next((tag for tag in tags if tag not in self.labels), None):
                raise UserError(
                    f"the tag '{unknown}' is none of the {len(self.labels)} that the checkpoint was trained with; "
                    "train a new model on these sentences"
                )
        return TaggedBatches(self.encoded("train"), self.batch_size, self.batch_tokens, self.seed, shard)

    def evaluation_loader(self, split: Split) -> Loader[TaggedBatch]:
        """Every sentence of a part exactly once.

        Raises:
            NoPartError: The part is empty.
        """
        self.check_has(split)
        return Loader(EvaluationSentences(self.encoded(split), EVALUATED, self.shard()))


def _divided(read: dict[Split, TaggedRows], held_out: HeldOut) -> dict[Split, TaggedRows]:
    """The three parts: parts with files of their own as they are, the others cut from the training sentences."""
    whole = read["train"]
    keys = ["\t".join(words) for words in whole.words]
    cut = held_out.cut(keys, [""] * len(keys), "sentences", read)
    parts = {split: whole.of((cut == number).nonzero()[0].tolist()) for number, split in enumerate(SPLITS)}
    parts |= {split: rows for split, rows in read.items() if split != "train"}
    if not len(parts["train"]):
        raise UserError("no sentence is left to train on; give more, or lower --data.val_fraction")
    held_out.check({split: len(rows) for split, rows in parts.items()}, "sentences", read)
    return parts


def _check_number(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UserError(f"{name} {value} must be a whole number of at least 1")


def _check_name(name: str, value: str | None, known: Sequence[str] | Mapping[str, Any]) -> None:
    if value is not None and value not in known:
        raise UserError(f"unknown {name} '{value}': {nearest(value, known)}")
