"""A word at its places in a text that weights of Hugging Face read, from a local folder, through ``transformers``."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch

from seqlab.analysis.embeddings import nearest, shown_token
from seqlab.analysis.projection import Method
from seqlab.analysis.subword_states import Place, SubwordReader
from seqlab.analysis.text_to_read import text_of
from seqlab.analysis.word_in_context import NEIGHBOURS, Reading, WordInContext, compare_places
from seqlab.errors import UserError, reason_of
from seqlab.text.codec import Codec
from seqlab.text.line_reader import split_lines
from seqlab.text.treebank import offsets_of
from seqlab.text.vocab import Vocab
from seqlab.text.words import WORD, WordTokenizer

MEAN = "the vector of a word is the mean of its subwords'"
ENCODER = f"states that have read the whole line; {MEAN}"
CAUSAL = f"states after the word was read, from the beginning of its line: of what follows they know nothing; {MEAN}"
POOLER = "pooler."
"""Prefix of weights that no state depends on, which masked language models come without."""
MOST_SAID = 160
"""Most characters of another library's message to repeat."""


class HuggingFace:
    """Weights of Hugging Face in a local folder; nothing is downloaded, and no code of the folder runs.

    Args:
        folder: Folder with ``config.json``, weights and a tokenizer.
    """

    task: ClassVar[str] = "weights of Hugging Face"
    says: ClassVar[str] = "model of Hugging Face"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def inspect(
        self, data: object = None, *, text: str | None = None, word: str | None = None, projection: Method = "pca"
    ) -> WordInContext:
        """Compares the states of every layer at the places of a word (Ethayarajh 2019, arXiv 1909.00512).

        Args:
            data: Not used, since such a folder does not name the training text.
            text: Text to read, or a UTF-8 file of it; each line is read by itself.
            word: A word that stands at least twice in the text.
            projection: Projection of the states in the figure: pca, or tsne, which needs scikit-learn.

        Raises:
            UserError: An option or the package is missing, the folder cannot be read, or the text lacks the word twice.
        """
        if word is None or text is None:
            missing = "--word" if word is None else "--text"
            raise UserError(
                f"{missing} is missing: {self.folder} holds weights of Hugging Face; give --word and --text"
            )
        if (many := len(_spans(word))) != 1:
            raise UserError(f"word '{word}' is {many} words; give one word")
        word = word.strip()
        content, source = text_of(text)
        reader = load_reader(self.folder)
        lines = split_lines(content)
        places = [place for number, line in enumerate(lines) for place in _places(number, line)]
        written = [lines[line][begin:end] or "\n" for line, begin, end in places]
        if reader.ignores_case():
            word, written = word.lower(), [one.lower() for one in written]
        codec = Codec("raw", WordTokenizer(), Vocab.in_order(dict.fromkeys(["\n", *written])))
        reading = Reading(
            self.folder.resolve().name,
            source,
            f"{len(written) - len(lines):,} words",
            ENCODER if reader.reads_ahead else CAUSAL,
            codec,
            torch.tensor(codec.vocab.ids(written), dtype=torch.int64),
            lambda asked: reader.vectors(lines, [places[place] for place in asked.tolist()]),
            codec.vocab["\n"],
        )
        return compare_places(reading, word, _static_neighbours(reader, word), projection)


def load_reader(folder: Path) -> SubwordReader:
    """The network and the tokenizer of a folder.

    Raises:
        UserError: The package is missing, or the folder lacks a tokenizer or readable weights.
    """
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError:
        raise UserError(
            f"{folder} holds weights of Hugging Face, which need transformers; install with "
            "pip install 'seqlab[transformers]'"
        ) from None
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with _silence():
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        except Exception as error:  # strange files make the library raise many kinds
            raise UserError(
                f"cannot read a tokenizer in {folder}: {_said(error)}; give it as it was published"
            ) from error
        if not tokenizer.is_fast or not any((folder / name).is_file() for name in tokenizer.vocab_files_names.values()):
            raise UserError(f"{folder} holds no fast tokenizer; put its tokenizer.json beside the weights")
        try:
            network, found = AutoModel.from_pretrained(folder, **local, output_loading_info=True)
        except Exception as error:
            raise UserError(f"cannot read weights in {folder}: {_said(error)}; give a whole folder") from error
    if missing := sorted(name for name in found["missing_keys"] if not name.startswith(POOLER)):
        raise UserError(
            f"{folder} lacks {len(missing)} of the weights that its config.json asks for, such as {missing[0]}; "
            "give a whole folder"
        )
    return SubwordReader(str(folder), tokenizer, network.float().eval())


@contextmanager
def _silence() -> Iterator[None]:
    """A context without the library's progress bars and warnings."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _said(error: Exception) -> str:
    return textwrap.shorten(reason_of(error).rstrip("."), MOST_SAID, placeholder="...")


def _spans(line: str) -> list[tuple[int, int]]:
    """Where the words and marks of a line begin and end."""
    return offsets_of([word for run in line.split() for word in WORD.findall(run)], line)


def _places(number: int, line: str) -> Iterator[Place]:
    """The words of a line, and its end as an empty one."""
    yield from (Place(number, *span) for span in _spans(line))
    yield Place(number, len(line), len(line))


def _static_neighbours(reader: SubwordReader, word: str) -> dict[str, float]:
    """The subwords nearest to the mean embedding of a word's subwords, with cosines, without its own spellings."""
    vector = reader.vectors([word], [Place(0, 0, len(word))])["static"]
    (near,) = nearest(torch.cat([reader.embedding, vector]), [len(reader.embedding)], 4 * NEIGHBOURS)
    found: dict[str, float] = {}
    for one in near:
        token = reader.tokenizer.decode([one.id]).strip()
        if token.lower() not in ("", word.lower()):
            found.setdefault(shown_token(token), one.cosine)
    return dict([*found.items()][:NEIGHBOURS])
