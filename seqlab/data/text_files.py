"""Text files -> a codec built from the training part, and the ids of each part."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from filelock import FileLock

from seqlab.data.streams import Ids
from seqlab.errors import UserError
from seqlab.files import open_regular, read_regular
from seqlab.text.clean import clean_lines
from seqlab.text.codec import Codec

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

LONGEST_LINE = 4096
"""Characters; a longer line is read as several, broken at spaces, so that a file of one line needs no more memory."""

MEMORY_LIMIT = 32 * 2**20
"""Bytes of text files up to which ids are held in memory; ids of larger corpora are read through a memory map."""

Lines = Callable[[], Iterator[str]]


@dataclass(frozen=True)
class Recipe:
    """How text becomes ids.

    Args:
        cleaning: A name of ``seqlab.text.clean.CLEANERS``.
        tokens: A name of ``seqlab.text.tokenize.TOKENIZERS``.
        min_freq: Tokens seen less often in the training part become ``<unk>``.
        num_subwords: Size of a trained subword vocabulary.
        val_fraction: Share of the characters, before the test part, that validates.
        test_fraction: Share of the characters, at the end, that tests.
    """

    cleaning: str = "classic"
    tokens: str = "char"
    min_freq: int = 0
    num_subwords: int = 2000
    val_fraction: float = 0.05
    test_fraction: float = 0.1


class Part(NamedTuple):
    """One part of a corpus: its ids ``(tokens,)`` and how many characters of cleaned text they stand for."""

    ids: Ids
    characters: int


@dataclass(frozen=True)
class Corpus:
    """A text ready to be read in batches.

    Args:
        codec: Between text and ids; built from the training part alone.
        parts: Of train, val and test those that hold text.
    """

    codec: Codec
    parts: dict[Split, Part] = field(repr=False)


def read_lines(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of UTF-8 files one after the other, line ends as ``\\n``, over-long lines in pieces.

    Raises:
        UserError: A file is missing, unreadable or not UTF-8.
    """
    for path in paths:
        try:
            with TextIOWrapper(open_regular(path), encoding="utf-8-sig") as file:
                number = 0
                while line := file.readline(LONGEST_LINE):
                    pieces, size = [line], len(line)
                    while size >= LONGEST_LINE and not pieces[-1][-1].isspace() and (more := file.readline(64)):
                        pieces.append(more)
                        size += len(more)
                    line = "".join(pieces)
                    number += line.endswith("\n")
                    yield line
        except UnicodeDecodeError as error:
            number += error.object[: error.start].count(b"\n") + 1  # decoded ahead of the lines given so far
            raise UserError(
                f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} in line {number}); "
                "convert it, for example with iconv -t UTF-8"
            ) from None
        except OSError as error:
            reason = "is a folder" if path.is_dir() else (error.strerror or str(error)).lower()
            raise UserError(f"cannot read {path}: {reason}; name an existing text file with --data.path") from None


def _cut(lines: Lines, recipe: Recipe) -> dict[Split, Lines]:
    """Cuts one text by characters of its cleaned form, at line borders: train, then val, then test."""
    lengths = np.fromiter((len(line) for line in _cleaned_each(lines(), recipe.cleaning)), dtype=np.int64)
    begins = np.cumsum(lengths) - lengths
    shares = (1 - recipe.val_fraction - recipe.test_fraction, 1 - recipe.test_fraction)
    first, second = (int(np.searchsorted(begins, share * lengths.sum())) for share in shares)
    return {
        "train": lambda: islice(lines(), 0, first),
        "val": lambda: islice(lines(), first, second),
        "test": lambda: islice(lines(), second, None),
    }


def _cleaned_each(lines: Iterable[str], cleaning: str) -> Iterator[str]:
    return ("".join(clean_lines([line], cleaning)) for line in lines)


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


def _build(parts: dict[Split, Lines], recipe: Recipe, folder: Path | None, codec: Codec | None) -> Corpus:
    codec = codec or Codec.build(
        parts["train"],
        cleaning=recipe.cleaning,
        tokens=recipe.tokens,
        min_freq=recipe.min_freq,
        vocab_size=recipe.num_subwords,
    )
    held: dict[Split, Part] = {}
    for split, lines in parts.items():
        characters = sum(map(len, clean_lines(lines(), codec.cleaning)))
        held[split] = Part(_encode(codec, lines, folder / f"{split}.ids" if folder else None), characters)
    return Corpus(codec, held)


def read_corpus(files: dict[Split, list[Path]], recipe: Recipe, cache: Path, codec: Codec | None = None) -> Corpus:
    """Reads, cleans, cuts and encodes text files, in memory that does not grow with them.

    Args:
        files: Of each part; with ``train`` alone its text is cut into the parts by the fractions of the recipe.
        recipe: How text becomes ids.
        cache: Folder that keeps the ids of large corpora for the next run.
        codec: One that exists already, instead of one built from the training part.

    Raises:
        UserError: A file cannot be read, or the fractions leave nothing to train on.
    """
    shares = recipe.val_fraction, recipe.test_fraction
    if not (min(shares) >= 0 and sum(shares) < 1):
        raise UserError(
            f"val_fraction {recipe.val_fraction} and test_fraction {recipe.test_fraction} must be at least 0 "
            "and leave a share to train on; their sum must be below 1"
        )
    everything = [path for paths in files.values() for path in paths]
    for _ in read_lines([path for path in everything if not path.is_file()]):
        pass

    def lines_of(paths: list[Path]) -> Lines:
        return lambda: read_lines(paths)

    def parts() -> dict[Split, Lines]:
        if list(files) == ["train"]:
            return _cut(lines_of(files["train"]), recipe)
        return {split: lines_of(paths) for split, paths in files.items()}

    if sum(path.stat().st_size for path in everything) <= MEMORY_LIMIT:
        return _build(parts(), recipe, None, codec)
    return _build_once(files, parts, recipe, cache, codec)


def _build_once(
    files: dict[Split, list[Path]],
    parts: Callable[[], dict[Split, Lines]],
    recipe: Recipe,
    cache: Path,
    codec: Codec | None,
) -> Corpus:
    """The corpus with its ids in files of the cache folder, written by the first process that asks."""
    identity = {
        "files": {s: [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in f] for s, f in files.items()},
        "recipe": vars(recipe),
        "codec": codec and codec.state(),
    }
    folder = cache / hashlib.sha1(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _write(folder, parts(), recipe, codec)
    except OSError as error:
        raise UserError(
            f"cannot keep the encoded text in {cache}: {(error.strerror or str(error)).lower()}; "
            "name a folder with space to write in with --data.root"
        ) from None
    meta = json.loads(read_regular(folder / "corpus.json"))
    codec = Codec.from_state(meta["codec"])
    return Corpus(codec, {s: Part(_mapped(folder / f"{s}.ids", codec), n) for s, n in meta["characters"].items()})


def _write(folder: Path, parts: dict[Split, Lines], recipe: Recipe, codec: Codec | None) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        corpus = _build(parts, recipe, unfinished, codec)
        characters = {split: part.characters for split, part in corpus.parts.items()}
        (unfinished / "corpus.json").write_text(json.dumps({"codec": corpus.codec.state(), "characters": characters}))
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
