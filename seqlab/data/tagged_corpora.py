"""Named corpora of tagged sentences, and one word with tagged characters."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqlab.data.named import verified_or_sample
from seqlab.data.parts import SPLITS, Split
from seqlab.data.tagged import TaggedData
from seqlab.data.tagged_files import TaggedLayout, TaggedRows, read_tagged

SAMPLES = Path(__file__).parent / "samples"
SAMPLE, HELLO = SAMPLES / "village.conll", SAMPLES / "hello.conll"


class _Named(TaggedData):
    """A corpus with three parts of its own, or the bundled sample in its place, cut into parts."""

    answered = (
        *("path", "val_path", "test_path", "name_shown"),
        *("format", "word_column", "tag_column", "encoding", "file_scheme"),
        *("val_fraction", "test_fraction", "folds", "fold"),
    )
    names: ClassVar[tuple[str, str, str]]
    title: ClassVar[str]
    layout: ClassVar[TaggedLayout]
    """Names of the files, and name of the sample's column with the same kind of tags."""
    sample_tag: ClassVar[str]

    def find(self, files: dict[Split, list[Path]], layout: TaggedLayout) -> tuple[dict[Split, TaggedRows], str]:
        """The verified files, or the bundled sample if they are not available and the user named no folder."""
        paths, verified = verified_or_sample(self.names, self.root, SAMPLE, self.title)
        if not verified:
            return {"train": read_tagged(paths, TaggedLayout("conll", tag=layout.tag or self.sample_tag))}, "sample"
        own = replace(self.layout, tag=layout.tag)
        return {split: read_tagged([path], own) for split, path in zip(SPLITS, paths, strict=True)}, self.data_name


class UDEnglishEWT(_Named):
    """UD English EWT 2.16: web text, 12,544 sentences to train on, 2,001 to validate and 2,077 to test on.

    Silveira et al., 2014, L14-1067.

    Args:
        tags: Kind of tag to learn: upos, xpos, feats or deprel.
    """

    data_name = "ud_english_ewt"
    names = ("ud_english_ewt_train", "ud_english_ewt_dev", "ud_english_ewt_test")
    title = "UD English EWT"
    layout = TaggedLayout("conllu")
    sample_tag = "upos"

    def __init__(self, tags: Literal["upos", "xpos", "feats", "deprel"] = "upos", **kwargs: Any) -> None:
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            format=None,
            word_column=None,
            tag_column=tags,
            encoding=None,
            file_scheme="none",
            val_fraction=0.1,
            test_fraction=0.1,
            folds=None,
            fold=0,
            **kwargs,
        )


class WNUT17(_Named):
    """Emerging entities of the shared task of WNUT 2017: 3,394 sentences to train on, 1,009 and 1,287 held out.

    Six kinds in iob2: corporation, creative-work, group, location, person, product. Derczynski et al., 2017, W17-4418.
    """

    data_name = "wnut17"
    names = ("wnut17_train", "wnut17_dev", "wnut17_test")
    title = "WNUT 2017"
    layout = TaggedLayout("conll")
    sample_tag = "ner"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            format=None,
            word_column=None,
            tag_column=None,
            encoding=None,
            file_scheme=None,
            val_fraction=0.1,
            test_fraction=0.1,
            folds=None,
            fold=0,
            **kwargs,
        )


class Hello(TaggedData):
    """The word hello with the character tags o h l o l; each part is this word, so that a reader can follow every step.

    The two l have different tags, so a model must remember the characters before.
    """

    data_name = "hello"
    answered = (*_Named.answered, "scheme", "cleaning", "tokenizer", "root")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            format=None,
            word_column=None,
            tag_column=None,
            encoding=None,
            file_scheme="none",
            scheme=None,
            cleaning="raw",
            tokenizer="char",
            val_fraction=0.0,
            test_fraction=0.0,
            folds=None,
            fold=0,
            root=None,
            **kwargs,
        )

    def find(self, files: dict[Split, list[Path]], layout: TaggedLayout) -> tuple[dict[Split, TaggedRows], str]:
        """The word, for each of the parts."""
        return {split: read_tagged([HELLO], layout) for split in SPLITS}, self.data_name
