"""The parts of a corpus: their names, their files, and the held-out parts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.data.stratified import parts_of
from seqlab.errors import UserError
from seqlab.files import user_path

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Files = str | list[str] | None
"""Files that a user names: one, several, or none."""


def files_of(*given: Files) -> dict[Split, list[Path]]:
    """The files of each part that has files."""
    named = {split: [one] if isinstance(one, str) else one for split, one in zip(SPLITS, given, strict=True) if one}
    return {split: [user_path(name) for name in names] for split, names in named.items()}


class Asked(NamedTuple):
    """A requested part.

    Args:
        split: The part.
        words: The options that request it, for messages.
        way_out: What to do if it is empty, for messages.
    """

    split: Split
    words: str
    way_out: str


def check_held_out(asked: Collection[Asked], sizes: Mapping[Split, int], lack: str = "empty") -> None:
    """Checks that no requested part is empty.

    Args:
        asked: The requested parts.
        sizes: Number of items in each part.
        lack: Words for a part without items.

    Raises:
        UserError: A requested part is empty.
    """
    for split, words, way_out in asked:
        if not sizes[split]:
            raise UserError(f"{words} leaves the {split} part {lack}; {way_out}")


def of_share(split: Split, share: float, items: str) -> list[Asked]:
    """The part requested by a share of so many items; none if the share is 0."""
    option = f"{split}_fraction"
    way_out = f"give more, or a larger --data.{option}, or --data.{option} 0 to do without"
    return [Asked(split, f"{option} {share} of {items}", way_out)] if share else []


def check_shares(val_fraction: float, test_fraction: float) -> None:
    """Checks shares of a corpus.

    Raises:
        UserError: A share is below 0, or they leave nothing to train on.
    """
    if not (min(val_fraction, test_fraction) >= 0 and val_fraction + test_fraction < 1):
        raise UserError(
            f"val_fraction {val_fraction} and test_fraction {test_fraction} must be at least 0 and sum below 1"
        )


@dataclass(frozen=True)
class HeldOut:
    """The held-out parts of a corpus.

    Args:
        val_fraction: Share for validation; ignored with val_path.
        test_fraction: Share for testing; ignored with folds or test_path.
        folds: Number of folds, one of which is the test part.
        fold: Number of the test fold, from 0.
        val_path: Validation files.
        test_path: Test files.

    Raises:
        UserError: A share or a fold is out of its range, or folds and test_path are both given.
    """

    val_fraction: float
    test_fraction: float
    folds: int | None = None
    fold: int = 0
    val_path: Files = None
    test_path: Files = None

    def __post_init__(self) -> None:
        check_shares(*self.shares(files_of(None, self.val_path, self.test_path)))
        if self.folds is not None and self.folds < 2:
            raise UserError(f"folds {self.folds} must be a whole number of at least 2, or left out")
        if not 0 <= self.fold < (self.folds or 1):
            way_out = "give --data.folds too" if self.folds is None else f"choose one of 0 to {self.folds - 1}"
            raise UserError(f"fold {self.fold} is none of the folds; {way_out}")
        if self.folds is not None and self.test_path:
            raise UserError(f"folds {self.folds} cut the test part and test_path names one; leave one of the two out")

    def shares(self, given: Collection[Split] = ()) -> tuple[float, float]:
        """Shares for validation and testing, if the given parts have items of their own."""
        val = 0.0 if "val" in given else self.val_fraction
        return val, 0.0 if self.folds is not None or "test" in given else self.test_fraction

    def cut(
        self, keys: Sequence[str], labels: Sequence[str], unit: str, given: Collection[Split] = ()
    ) -> NDArray[np.int64]:
        """The part of each item, as an index into ``SPLITS``, see ``seqlab.data.stratified.parts_of``.

        Args:
            keys: A key for each item; items with the same key are equal.
            labels: A label for each item.
            unit: Noun for the items in messages.
            given: Parts that have items of their own.

        Raises:
            UserError: There are more folds than different items.
        """
        if self.folds is not None and self.folds > (different := len(set(keys))):
            raise UserError(f"folds {self.folds} are more than the {different:,} different {unit}; give fewer")
        return parts_of(keys, labels, *self.shares(given), self.folds, self.fold)

    def check(self, sizes: Mapping[Split, int], unit: str, given: Collection[Split] = ()) -> None:
        """Checks that no requested part is empty.

        Args:
            sizes: Number of items in each part.
            unit: Noun for the items in messages.
            given: Parts that have items of their own.

        Raises:
            UserError: A requested part is empty.
        """
        check_held_out([*self._asked(f"{sum(sizes.values()):,} {unit}", unit, given)], sizes)

    def _asked(self, items: str, unit: str, given: Collection[Split]) -> Iterator[Asked]:
        for split, share in zip(SPLITS[1:], self.shares(given), strict=True):
            yield from of_share(split, share, items)
        for split, paths in files_of(None, self.val_path, self.test_path).items():
            words = f"{split}_path {', '.join(map(str, paths))}"
            yield Asked(split, words, f"name files that hold {unit}, or leave out --data.{split}_path")
        if self.folds is not None:
            yield Asked("test", f"fold {self.fold} of {self.folds}, of {items},", "give more, or fewer --data.folds")
