"""Named corpora of text for language models."""

from pathlib import Path
from typing import Any, ClassVar

from seqlab.data.named import verified_or_sample
from seqlab.data.parts import SPLITS, Split
from seqlab.data.text import TextData

SAMPLES = Path(__file__).parent / "samples"
SAMPLE, FIVE_SENTENCES = SAMPLES / "the_lamp_keeper.txt", SAMPLES / "five_sentences.txt"
SAMPLE_PROMPT = "the keeper"

ANSWERED = ("path", "val_path", "test_path", "name_shown")


class TimeMachine(TextData):
    """H. G. Wells, The Time Machine (1895): 170,580 characters, 32,775 words.

    Args:
        cleaning: classic (a-z, lines joined as in the book), letters (a-z, spaced) or raw.
    """

    data_name = "time_machine"
    answered = ANSWERED
    prompt = "time traveller"

    def __init__(self, cleaning: str = "classic", **kwargs: Any) -> None:
        super().__init__(path=None, val_path=None, test_path=None, name_shown=None, cleaning=cleaning, **kwargs)

    def find(self, files: dict[Split, list[Path]]) -> tuple[dict[Split, list[Path]], str]:
        """The verified file, or the bundled sample if it is not available and the user named no folder."""
        paths, verified = verified_or_sample(["time_machine"], self.root, SAMPLE, "The Time Machine")
        if not verified:
            self.prompt = SAMPLE_PROMPT
        return {"train": paths}, "time_machine" if verified else "sample"


class _Benchmark(TextData):
    """A text with three parts of its own, split into words at white space; or the bundled sample, cut into parts.

    Args:
        tokens: space (split at white space), char, word, bpe, wordpiece or unigram.
        end_of_line: Whether each line end is a token, <eos>, that is predicted and counted.
    """

    answered = (*ANSWERED, "val_fraction", "test_fraction")
    names: ClassVar[tuple[str, str, str]]
    title: ClassVar[str]

    def __init__(self, tokens: str = "space", end_of_line: bool = True, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            val_fraction=0.05,
            test_fraction=0.1,
            tokens=tokens,
            end_of_line=end_of_line,
            **kwargs,
        )

    def find(self, files: dict[Split, list[Path]]) -> tuple[dict[Split, list[Path]], str]:
        """The verified files, or the bundled sample if they are not available and the user named no folder."""
        paths, verified = verified_or_sample(self.names, self.root, SAMPLE, self.title)
        if not verified:
            self.prompt = SAMPLE_PROMPT
            return {"train": paths}, "sample"
        return {split: [path] for split, path in zip(SPLITS, paths, strict=True)}, self.data_name


class PennTreebank(_Benchmark):
    """The Penn Treebank as a language-model benchmark: 929,589 words and line ends, 10,000 distinct.

    Marcus et al., 1993, J93-2004; cut and reduced by Mikolov et al., 2010.

    Args:
        tokens: space (split at white space), char, word, bpe, wordpiece or unigram.
        end_of_line: Whether each line end is a token, <eos>, that is predicted and counted.
    """

    data_name = "ptb"
    names = ("ptb_train", "ptb_valid", "ptb_test")
    title = "Penn Treebank"


class WikiText2(_Benchmark):
    """WikiText-2: articles of Wikipedia, 2,088,628 words and line ends, 33,278 distinct; Merity et al., 2017.

    Args:
        tokens: space (split at white space), char, word, bpe, wordpiece or unigram.
        end_of_line: Whether each line end is a token, <eos>, that is predicted and counted.
    """

    data_name = "wikitext2"
    names = ("wikitext2_train", "wikitext2_valid", "wikitext2_test")
    title = "WikiText-2"


class FiveSentences(TextData):
    """Five sentences on learning, 11 distinct words; each part has all of them, so that a reader can follow every word.

    Args:
        batch_size: Sentences in a batch, over all processes.
    """

    data_name = "five_sentences"
    answered = (
        *ANSWERED,
        "cleaning",
        "tokens",
        "end_of_line",
        "lines",
        "shuffled",
        "val_fraction",
        "test_fraction",
        "root",
    )
    prompt = "deep learning"

    def __init__(self, batch_size: int = 1, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            cleaning="raw",
            tokens="word",
            end_of_line=False,
            lines="items",
            shuffled=False,
            val_fraction=0.0,
            test_fraction=0.0,
            root=None,
            batch_size=batch_size,
            **kwargs,
        )

    def find(self, files: dict[Split, list[Path]]) -> tuple[dict[Split, list[Path]], str]:
        """The sentences, for each of the parts."""
        return {split: [FIVE_SENTENCES] for split in SPLITS}, self.data_name
