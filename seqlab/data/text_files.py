"""Text files -> a codec built from the training part, and the ids of each part."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from seqlab.data.encoded import kept
from seqlab.data.parts import SPLITS, HeldOut, Split
from seqlab.data.streams import Ids
from seqlab.data.text_cut import Lines, cut_text, in_random_order
from seqlab.files import real_path
from seqlab.text.clean import clean_lines
from seqlab.text.codec import Codec
from seqlab.text.line_reader import is_compressed, read_lines

BARRED = 8 * 2**20
"""Bytes of text files from which on a bar shows how far they are read."""

MEMORY_LIMIT = 32 * 2**20
"""Largest size of text files, in bytes, for ids in memory; larger corpora use a memory map."""

COMPRESSED = 4
"""Typical compression ratio of a text file."""


@dataclass(frozen=True)
class Recipe:
    """How text becomes ids.

    Args:
        cleaning: A name of ``seqlab.text.clean.CLEANERS``.
        tokens: A name of ``seqlab.text.tokenize.TOKENIZERS``.
        min_freq: Tokens with fewer occurrences in the training part become ``<unk>``.
        num_subwords: Size of a trained subword vocabulary.
        val_fraction: Share of the characters, before the test part, for validation.
        test_fraction: Share of the characters, at the end, for testing.
        line_ends: Whether each line end is a token.
        line_begins: Whether each line begins with a token.
        shuffled: Whether the parts are cut from the lines in a random order, from a fixed seed.
        phrases: Passes over the training part that find phrases.
        phrase_threshold: Score above which two words are a phrase.
    """

    cleaning: str = "classic"
    tokens: str = "char"
    min_freq: int = 0
    num_subwords: int = 2000
    val_fraction: float = 0.05
    test_fraction: float = 0.1
    line_ends: bool = False
    line_begins: bool = False
    shuffled: bool = False
    phrases: int = 0
    phrase_threshold: float = 100.0


class Part(NamedTuple):
    """One part of a corpus: its ids ``(tokens,)`` and its number of characters of cleaned text."""

    ids: Ids
    characters: int


@dataclass(frozen=True)
class Corpus:
    """A text ready for batches.

    Args:
        codec: Codec of the text, built from the training part only.
        parts: Those of train, val and test that hold text.
        at_line_ends: Whether the parts match the requested shares to within a line.
    """

    codec: Codec
    parts: dict[Split, Part] = field(repr=False)
    at_line_ends: bool = False


def _watched(paths: list[Path]) -> Iterator[str]:
    """The lines of files; of large ones a bar on a terminal shows how far they are read."""
    size = sum(path.stat().st_size for path in paths)
    if size < BARRED:
        yield from read_lines(paths)
        return
    total = None if any(map(is_compressed, paths)) else size
    with tqdm(total=total, desc="reading", unit="B", unit_scale=True, leave=False, disable=None) as bar:
        if bar.disable:
            yield from read_lines(paths)
            return
        for line in read_lines(paths):
            bar.update(len(line.encode()))
            yield line


def _encode(codec: Codec, lines: Lines, file: Path | None) -> Ids:
    pieces = codec.encode_lines(lines())
    if file is None:
        return np.concatenate([np.empty(0, dtype=codec.dtype), *pieces])
    with file.open("wb") as out:
        for piece in pieces:
            piece.tofile(out)
    return _mapped(file, codec)


def _mapped(file: Path, codec: Codec) -> Ids:
    return np.memmap(file, dtype=codec.dtype, mode="r") if file.stat().st_size else np.empty(0, dtype=codec.dtype)


def _build(
    files: dict[Split, list[Path]], recipe: Recipe, folder: Path | None = None, codec: Codec | None = None
) -> Corpus:
    def lines_of(paths: list[Path]) -> Lines:
        return lambda: _watched(paths)

    parts: dict[Split, Lines] = {split: lines_of(paths) for split, paths in files.items()}
    at_line_ends = False
    if list(files) == ["train"]:
        tokens = recipe.tokens if codec is None else codec.tokenizer.name
        shares = recipe.val_fraction, recipe.test_fraction
        if recipe.shuffled:
            parts["train"] = in_random_order(parts["train"])
        cut, at_line_ends = cut_text(parts["train"], recipe.cleaning, tokens, *shares)
        parts = dict(zip(SPLITS, cut, strict=True))
    codec = codec or Codec.build(
        parts["train"],
        cleaning=recipe.cleaning,
        tokens=recipe.tokens,
        min_freq=recipe.min_freq,
        vocab_size=recipe.num_subwords,
        line_ends=recipe.line_ends,
        line_begins=recipe.line_begins,
        phrases=recipe.phrases,
        phrase_threshold=recipe.phrase_threshold,
    )
    held: dict[Split, Part] = {}
    for split, lines in parts.items():
        characters = sum(map(len, clean_lines(lines(), codec.cleaning)))
        held[split] = Part(_encode(codec, lines, folder / f"{split}.ids" if folder else None), characters)
    return Corpus(codec, held, at_line_ends)


def read_corpus(files: dict[Split, list[Path]], recipe: Recipe, cache: Path, codec: Codec | None = None) -> Corpus:
    """Reads, cleans, cuts and encodes text files, in constant memory.

    Args:
        files: Files of each part; with ``train`` alone its text is cut into the parts by the fractions of the recipe.
        recipe: How text becomes ids.
        cache: Folder that keeps the ids of large corpora for the next run.
        codec: Existing codec, instead of one built from the training part.

    Raises:
        UserError: A file cannot be read, the fractions leave nothing to train on, or a requested part is empty.
    """
    named = {split: [str(path) for path in paths] for split, paths in files.items()}
    shares = (recipe.val_fraction, recipe.test_fraction) if [*files] == ["train"] else (0.0, 0.0)
    held_out = HeldOut(*shares, val_path=named.get("val"), test_path=named.get("test"))
    everything = [path for paths in files.values() for path in paths]
    for _ in read_lines([path for path in everything if not path.is_file()]):
        pass
    size = sum(path.stat().st_size * (COMPRESSED if is_compressed(path) else 1) for path in everything)
    made = _build(files, recipe, None, codec) if size <= MEMORY_LIMIT else _kept(files, recipe, cache, codec)
    sizes = {split: len(part.ids) for split, part in made.parts.items()}
    if any(sizes.values()):
        held_out.check({split: size if (size := sizes.get(split, 0)) > 1 else 0 for split in SPLITS}, "tokens")
    return made


def _kept(files: dict[Split, list[Path]], recipe: Recipe, cache: Path, codec: Codec | None) -> Corpus:
    """The corpus with its ids in files of the cache folder, which the first process writes."""
    identity = {
        "files": {
            s: [(str(real_path(p)), p.stat().st_size, p.stat().st_mtime_ns) for p in f] for s, f in files.items()
        },
        "recipe": vars(recipe),
        "codec": codec and codec.state(),
    }
    name = hashlib.sha1(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return kept(cache, name, lambda folder: _write(folder, files, recipe, codec), _read)


def _write(folder: Path, files: dict[Split, list[Path]], recipe: Recipe, codec: Codec | None) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        corpus = _build(files, recipe, unfinished, codec)
        characters = {split: part.characters for split, part in corpus.parts.items()}
        meta = {"codec": corpus.codec.state(), "characters": characters, "at_line_ends": corpus.at_line_ends}
        (unfinished / "corpus.json").write_text(json.dumps(meta))
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _read(folder: Path) -> Corpus:
    meta = json.loads((folder / "corpus.json").read_text())
    codec = Codec.from_state(meta["codec"])
    parts = {split: Part(_mapped(folder / f"{split}.ids", codec), n) for split, n in meta["characters"].items()}
    return Corpus(codec, parts, meta["at_line_ends"])
