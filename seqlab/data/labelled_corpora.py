"""Named corpora of labelled texts."""

from pathlib import Path
from typing import Any

from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_files import Rows, read_labelled, read_text
from seqlab.data.named import verified_or_sample
from seqlab.data.parts import Split
from seqlab.data.tables import Layout

SAMPLES = Path(__file__).parent / "samples"
REVIEWS, QUESTIONS = SAMPLES / "reviews.tsv", SAMPLES / "questions.tsv"

COLUMNS = ("format", "text_column", "second_text_column", "label_column", "encoding", "multilabel_separator")
PATHS = ("path", "val_path", "test_path", "name_shown")


class RtPolarity(LabelledData):
    """10,662 sentences of film reviews, half of them praise (pos) and half not (neg); Pang and Lee, 2005, P05-1015.

    There is no official split; published numbers are means of 10 folds.
    """

    data_name = "rt_polarity"
    answered = (*PATHS, *COLUMNS)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            format=None,
            text_column=None,
            second_text_column=None,
            label_column=None,
            encoding=None,
            multilabel_separator=None,
            **kwargs,
        )

    def find(self, files: dict[Split, list[Path]], layout: Layout) -> tuple[dict[Split, Rows], str]:
        """The verified files, or the bundled sample if they are not available and the user named no folder."""
        names = {"pos": "rt_polarity_pos", "neg": "rt_polarity_neg"}
        paths, verified = verified_or_sample([*names.values()], self.root, REVIEWS, "The corpus of film reviews")
        if not verified:
            return {"train": read_labelled(paths, layout)[0]}, "sample"
        rows = Rows([], [])
        for label, path in zip(names, paths, strict=True):
            texts = [line.strip() for line in read_text(path, "latin-1")[0].split("\n") if line.strip()]
            rows.texts.extend(texts)
            rows.labels.extend([label] * len(texts))
        return {"train": rows}, "rt_polarity"


class Trec(LabelledData):
    """Questions by what they ask for, 5,452 to train on and 500 to test on; Li and Roth, 2002, C02-1150.

    Args:
        fine: Whether to use the 50 fine classes (``LOC:city``) instead of the 6 coarse ones (``LOC``).
    """

    data_name = "trec"
    answered = (*PATHS, *COLUMNS, "test_fraction", "folds", "fold")

    def __init__(self, fine: bool = False, **kwargs: Any) -> None:
        self.fine = fine
        super().__init__(
            path=None,
            val_path=None,
            test_path=None,
            name_shown=None,
            format=None,
            text_column=None,
            second_text_column=None,
            label_column=None,
            encoding=None,
            multilabel_separator=None,
            test_fraction=0.1,
            folds=None,
            fold=0,
            **kwargs,
        )

    def find(self, files: dict[Split, list[Path]], layout: Layout) -> tuple[dict[Split, Rows], str]:
        """The verified files, or the bundled sample if they are not available and the user named no folder."""
        names = "trec_train", "trec_test"
        paths, verified = verified_or_sample(names, self.root, QUESTIONS, "The corpus of questions")
        if not verified:
            return {"train": read_labelled(paths, layout)[0]}, "sample"
        layout = Layout("label_first", encoding="latin-1")
        splits: tuple[Split, Split] = "train", "test"
        return {split: self._read(path, layout) for split, path in zip(splits, paths, strict=True)}, "trec"

    def _read(self, path: Path, layout: Layout) -> Rows:
        texts, labels, notes = read_labelled([path], layout)[0]
        return Rows(texts, labels if self.fine else [label.partition(":")[0] for label in labels], notes)
