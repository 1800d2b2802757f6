"""Sentence pairs for translation: any files, or a named corpus."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqlab.data.data_module import DataModule
from seqlab.data.loader import Loader, Shard
from seqlab.data.named import name_of_files, verified_or_sample
from seqlab.data.pair_files import Pair, read_columns, read_two, read_zip, split_of
from seqlab.data.pairs import BucketBatches, EvaluationPairs, PairBatch, Pairs, Sentences, Specials
from seqlab.data.parts import SPLITS, HeldOut, Split
from seqlab.errors import UserError, nearest
from seqlab.files import user_path
from seqlab.text.clean import CLEANERS, check_cleaning
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.line_reader import without_compression
from seqlab.text.vocab import BOS, EOS, PAD, UNK

SAMPLE = Path(__file__).parent / "samples" / "english_french.tsv"
RESERVED = (UNK, PAD, BOS, EOS)
EMPTYING = ("classic", "letters")
"""Cleanings that leave a sentence without letters empty."""
EVALUATED = 64
"""Pairs in an evaluation batch."""


LONGEST = 10**6
"""Upper bound of ``max_length``."""


class ParallelData(DataModule):
    """Any sentence pairs: a file of two columns separated by a tab, or two files with matching lines.

    Pairs with the same source always fall into the same part.

    Args:
        path: UTF-8 file of lines ``source TAB target``, plain or compressed (.gz, .bz2, .xz); more columns are ignored.
        source_path: UTF-8 file of sources, instead of path.
        target_path: UTF-8 file of targets, line by line those of source_path; pairs with a blank side are left out.
        val_path: File to validate on, like path, or a list of two files [SOURCES,TARGETS]; without val_path and
            test_path the pairs are cut into the three parts.
        test_path: File to test on, like val_path.
        reverse: Whether to translate from the second language to the first.
        cleaning: spaced (lowercase, a space before , . ! ?, as in the book) or raw.
        tokens: word, char, space (split at white space), bpe, wordpiece or unigram.
        shared_vocab: Whether both languages have one vocabulary.
        min_freq: Tokens with fewer occurrences in the training part become <unk>.
        num_subwords: Size of a trained vocabulary (bpe, wordpiece and unigram).
        batch_size: Pairs in a batch, over all processes.
        batch_tokens: Positions in a batch, source and target with padding, instead of batch_size.
        max_length: Most tokens of either sentence.
        too_long: drop the pairs that have more, or truncate their sentences.
        max_pairs: Read only this many pairs, from the start.
        val_fraction: Share of the sources for validation.
        test_fraction: Share of the sources for testing.
        name_shown: Name of the corpus in reports; that of its file, or of the folder of several, if not given.
        target_language: Code of the language to translate to, such as zh; by the ending of target_path if not given.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of the order of batches; follows the run's seed if not given.
        codecs: Codecs ``source`` and ``target`` of a checkpoint, instead of new ones.
    """

    data_name: ClassVar[str] = "parallel"
    of_files: ClassVar[tuple[str, ...]] = ("path", "source_path", "target_path")
    of_codecs: ClassVar[tuple[str, ...]] = (*DataModule.of_codecs, "shared_vocab", "reverse")
    of_training: ClassVar[tuple[str, ...]] = ("batch_size", "batch_tokens")
    of_limits: ClassVar[tuple[str, ...]] = ("max_pairs",)
    whole: ClassVar[Mapping[str, Any]] = {**DataModule.whole, "max_length": LONGEST}

    def __init__(
        self,
        path: str | None = None,
        source_path: str | None = None,
        target_path: str | None = None,
        val_path: str | list[str] | None = None,
        test_path: str | list[str] | None = None,
        reverse: bool = False,
        cleaning: str = "spaced",
        tokens: str = "word",
        shared_vocab: bool = False,
        min_freq: int = 2,
        num_subwords: int = 8000,
        batch_size: int = 64,
        batch_tokens: int | None = None,
        max_length: int = 50,
        too_long: Literal["drop", "truncate"] = "drop",
        max_pairs: int | None = None,
        val_fraction: float = 0.02,
        test_fraction: float = 0.02,
        name_shown: str | None = None,
        target_language: str | None = None,
        root: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        check_cleaning(cleaning)
        least = {"batch_size": batch_size, "max_length": max_length}
        least |= {name: n for name, n in (("batch_tokens", batch_tokens), ("max_pairs", max_pairs)) if n is not None}
        for name, value in least.items():
            if value < 1:
                raise UserError(f"{name} {value} must be a whole number of at least 1")
        if too_long not in ("drop", "truncate"):
            raise UserError(f"unknown too_long '{too_long}': {nearest(too_long, ('drop', 'truncate'))}")
        shares = (0.0, 0.0) if val_path or test_path else (val_fraction, test_fraction)
        held_out = HeldOut(*shares, val_path=val_path, test_path=test_path)
        self.cleaning, self.batch_size, self.batch_tokens, self.seed = cleaning, batch_size, batch_tokens, seed
        self.max_length, self.too_long = max_length, too_long
        self.root = user_path(root) if root else None
        pairs, found = self.read(path, source_path, target_path)
        held = {"val": val_path, "test": test_path}
        others = [name for files in held.values() if files for name in ([files] if isinstance(files, str) else files)]
        if path is not None or source_path is not None:
            named = [Path(name) for name in (path, source_path, target_path, *others) if name is not None]
            found = name_of_files(named)
        self.corpus_name = name_shown or found
        self.target_language = target_language or self.language_of(source_path if reverse else target_path)
        given = {split: _held_out(files, f"{split}_path") for split, files in held.items() if files}
        self.blank_pairs = self.emptied_pairs = 0
        pairs, *parts = (self._whole(part) for part in (pairs, *given.values()))
        given = dict(zip(given, parts, strict=True))
        if reverse:
            pairs = [(target, source) for source, target in pairs]
            given = {split: [(target, source) for source, target in part] for split, part in given.items()}
        pairs = pairs[:max_pairs]
        self._pairs = _divided(pairs, given, cleaning, *shares)
        self.held_out_pairs = len(pairs) - sum(len(part) for split, part in self._pairs.items() if split not in given)
        if not self._pairs["train"] and not (codecs and given):
            raise UserError("no pair is left to train on; lower --data.val_fraction and --data.test_fraction")
        held_out.check({split: len(part) for split, part in self._pairs.items()}, "pairs")
        made = (codecs["source"], codecs["target"]) if codecs else None
        made = made or self._learned(tokens, shared_vocab, min_freq, num_subwords)
        self.source_codec: Codec = made[0]
        self.target_codec: Codec = made[1]
        self.too_long_pairs = 0
        self._encoded: dict[Split, Pairs] = {}

    def read(self, path: str | None, source_path: str | None, target_path: str | None) -> tuple[list[Pair], str]:
        """All pairs, and the name of the corpus.

        Raises:
            UserError: No file was named, or it does not hold pairs.
        """
        if path is not None:
            return read_columns(user_path(path)), name_of_files([Path(path)])
        if source_path is None or target_path is None:
            raise UserError(
                "--data parallel needs pairs; give --data.path, or --data.source_path and --data.target_path"
            )
        pairs = read_two(user_path(source_path), user_path(target_path))
        return pairs, name_of_files([Path(source_path), Path(target_path)])

    def language_of(self, path: str | None) -> str | None:
        """The language in the ending of a file, if it names one."""
        endings = [] if path is None else without_compression(Path(path)).name.split(".")[1:]
        return endings[-1].lower() if endings and 2 <= len(endings[-1]) <= 3 and endings[-1].isalpha() else None

    def _whole(self, pairs: list[Pair]) -> list[Pair]:
        """The pairs with both sides not empty after cleaning."""
        filled = [pair for pair in pairs if all(pair)]
        self.blank_pairs += len(pairs) - len(filled)
        if self.cleaning not in EMPTYING:
            return filled
        clean = CLEANERS[self.cleaning]
        whole = [pair for pair in filled if all(clean(side).strip() for side in pair)]
        self.emptied_pairs += len(filled) - len(whole)
        return whole

    def _learned(self, tokens: str, shared: bool, min_freq: int, size: int) -> tuple[Codec, Codec]:
        sides = ([pair[0] for pair in self._pairs["train"]], [pair[1] for pair in self._pairs["train"]])
        texts = (sides[0] + sides[1],) if shared else sides
        rest = self.cleaning, tokens, min_freq, size, RESERVED
        made = [Codec.build(text.__iter__, *rest) for text in texts]
        return made[0], made[-1]

    def has(self, split: Split) -> bool:
        """Whether the corpus has such a part."""
        return bool(self._pairs[split])

    def pairs(self, split: Split) -> list[Pair]:
        """The raw sentences of a part, source and target."""
        return self._pairs[split]

    def encoded(self, split: Split) -> Pairs:
        """The ids of a part; in the training part, pairs that are too long are dropped or cut."""
        if split not in self._encoded:
            codecs = self.source_codec, self.target_codec
            sides = [[codec.encode(pair[side]) for pair in self._pairs[split]] for side, codec in enumerate(codecs)]
            if split == "train":
                sides = self._shortened(*sides)
            specials = Specials(*(codecs[0].vocab.id_of(token) for token in (PAD, BOS, EOS)))
            sources, targets = (Sentences(rows, codec.dtype) for rows, codec in zip(sides, codecs, strict=True))
            self._encoded[split] = Pairs(sources, targets, specials)
        return self._encoded[split]

    def _shortened(self, sources: list[list[int]], targets: list[list[int]]) -> list[list[list[int]]]:
        most = self.max_length
        long = [len(source) > most or len(target) > most for source, target in zip(sources, targets, strict=True)]
        self.too_long_pairs = sum(long)
        if self.too_long == "truncate":
            return [[row[:most] for row in rows] for rows in (sources, targets)]
        return [[row for row, cut in zip(rows, long, strict=True) if not cut] for rows in (sources, targets)]

    @property
    def codecs(self) -> dict[str, Codec | Labels]:
        return {"source": self.source_codec, "target": self.target_codec}

    def inputs(self, split: Split) -> list[str]:
        return [source for source, _ in self.pairs(split)]

    def num_items(self) -> int:
        return int(self.encoded("train").targets.lengths.sum()) + len(self.encoded("train").targets)

    def fingerprint(self) -> str:
        said = [codec.state() for codec in (self.source_codec, self.target_codec)]
        return hashlib.sha1(repr([*said, self._pairs["train"], self._pairs["val"]]).encode()).hexdigest()

    def describe(self) -> str:
        ids = f"{self.source_codec.vocab_size:,} and {self.target_codec.vocab_size:,} ids"
        words = f"{len(self.encoded('train').sources):,} pairs to train on, {ids}"
        if self.too_long_pairs:
            done = "left out" if self.too_long == "drop" else "cut"
            words += f", {self.too_long_pairs:,} pairs of more than {self.max_length} tokens {done}"
        if self.held_out_pairs:
            words += f", {self.held_out_pairs:,} pairs whose source is held out left out"
        if self.blank_pairs:
            words += f", {self.blank_pairs:,} pairs with a blank side left out"
        if self.emptied_pairs:
            words += f", {self.emptied_pairs:,} pairs of which {self.cleaning} cleaning leaves nothing left out"
        return words

    def train_batches(self, shard: Shard) -> BucketBatches:
        return BucketBatches(self.encoded("train"), self.batch_size, self.batch_tokens, self.seed, shard)

    def evaluation_loader(self, split: Split) -> Loader[PairBatch]:
        """Every pair of a part exactly once.

        Raises:
            NoPartError: The part is empty.
        """
        self.check_has(split)
        return Loader(EvaluationPairs(self.encoded(split), EVALUATED, self.shard()))


def _held_out(files: str | list[str], option: str) -> list[Pair]:
    """The pairs of one file of two columns, or of two files."""
    paths = [user_path(name) for name in ([files] if isinstance(files, str) else files)]
    if len(paths) > 2:
        raise UserError(f"{option} has {len(paths)} files; give one of pairs, or two as [SOURCES,TARGETS]")
    return read_two(*paths) if len(paths) == 2 else read_columns(*paths)


def _divided(
    pairs: list[Pair], given: dict[str, list[Pair]], cleaning: str, val_fraction: float, test_fraction: float
) -> dict[Split, list[Pair]]:
    parts: dict[Split, list[Pair]] = {split: list(given.get(split, [])) for split in SPLITS}
    clean = CLEANERS[cleaning]
    held = {clean(source) for part in given.values() for source, _ in part}
    for pair in pairs:
        if (cleaned := clean(pair[0])) not in held:
            parts[split_of(cleaned, val_fraction, test_fraction)].append(pair)
    return parts


class FraEng(ParallelData):
    """English-French sentence pairs of the Tatoeba project: 167,130, from short to long."""

    data_name = "fra_eng"
    answered = ("path", "source_path", "target_path", "val_path", "test_path", "name_shown", "target_language")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            source_path=None,
            target_path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            target_language=None,
            **kwargs,
        )

    def read(self, path: str | None, source_path: str | None, target_path: str | None) -> tuple[list[Pair], str]:
        """The verified archive's pairs, or the bundled sample if it is not available and the user named no folder."""
        paths, verified = verified_or_sample(["fra_eng"], self.root, SAMPLE, "The English-French corpus")
        if not verified:
            return read_columns(SAMPLE), "sample"
        return read_zip(paths[0], "fra-eng/fra.txt"), "fra_eng"
