"""Labelled texts of files -> training, validation and test part."""

import numpy as np

from seqlab.data.class_data import separated
from seqlab.data.labelled_batches import SEP
from seqlab.data.labelled_files import Rows
from seqlab.data.parts import SPLITS, HeldOut, Split
from seqlab.errors import UserError
from seqlab.text.clean import CLEANERS


def key_of(text: str, cleaning: str) -> str:
    """A key that is the same for equal texts: their cleaned words in lower case; empty if cleaning leaves nothing."""
    clean = CLEANERS[cleaning]
    sides = [" ".join(clean(side).lower().split()) for side in text.partition(SEP)[::2]]
    return f" {SEP} ".join(sides) if sides[1] else sides[0]


def without_empty(rows: Rows, cleaning: str) -> Rows:
    """The rows whose text is not empty after cleaning."""
    kept = [row for row, text in enumerate(rows.texts) if key_of(text, cleaning)]
    return Rows([rows.texts[row] for row in kept], [rows.labels[row] for row in kept], rows.notes)


def divided(
    whole: dict[Split, Rows],
    cleaning: str,
    separator: str | None,
    held_out: HeldOut,
) -> dict[Split, Rows]:
    """The three parts: parts with files of their own as they are, the others cut from the training texts.

    Args:
        whole: Texts of the files of each part; train is required.
        cleaning: Cleaning before texts are compared.
        separator: Separator between several labels of one text.
        held_out: The held-out parts.

    Raises:
        UserError: There are more folds than texts, or a part is empty.
    """
    texts, labels, _ = whole["train"]
    keys = [key_of(text, cleaning) for text in texts]
    strata = ["\n".join(sorted(separated(label, separator))) for label in labels]
    cut = held_out.cut(keys, strata, "texts", whole)
    parts: dict[Split, Rows] = {}
    for number, split in enumerate(SPLITS):
        rows = np.flatnonzero(cut == number).tolist()
        parts[split] = Rows([texts[row] for row in rows], [labels[row] for row in rows])
    parts |= {split: rows for split, rows in whole.items() if split != "train"}
    if not parts["train"].texts:
        raise UserError("no text is left to train on; give more texts, or lower --data.val_fraction")
    held_out.check({split: len(rows.texts) for split, rows in parts.items()}, "texts", whole)
    return parts
