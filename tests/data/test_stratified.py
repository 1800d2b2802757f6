from collections import Counter

import numpy as np
import pytest

from seqlab.data.stratified import TEST, TRAIN, VAL, apportioned, parts_of

KEYS = [f"text {number % 450}" for number in range(500)]  # the first 50 occur twice
LABELS = ["ab"[number % 450 % 3 == 0] for number in range(500)]


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.5), (0.1,) * 10, (1.0, 0.0)], ids=str)
def test_every_part_has_its_share_of_each_label_and_equal_keys_stay_together(shares: tuple[float, ...]) -> None:
    parts = apportioned(KEYS, LABELS, shares)
    for label in "ab":
        rows = [row for row, each in enumerate(LABELS) if each == label]
        sizes = np.bincount(parts[rows], minlength=len(shares))
        assert np.abs(sizes - len(rows) * np.array(shares)).max() <= 3
    of_key = Counter((key, part) for key, part in zip(KEYS, parts.tolist(), strict=True))
    assert len(of_key) == 450
    assert not (parts == 1).any() or shares[1] > 0


def test_the_order_of_the_items_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(500).tolist()
    shuffled = apportioned([KEYS[row] for row in order], [LABELS[row] for row in order], (0.7, 0.3))
    assert shuffled.tolist() == apportioned(KEYS, LABELS, (0.7, 0.3))[order].tolist()


def test_similar_keys_are_not_dealt_out_in_turns() -> None:
    parts = apportioned([f"{number:03}" for number in range(100)], ["a"] * 100, (0.5, 0.5))
    assert parts.sum() == 50
    assert 30 < np.count_nonzero(np.diff(parts)) < 70


def test_equal_keys_with_different_labels_are_one_group() -> None:
    parts = apportioned(["x", "y", "x", "z"] * 5, ["a", "b", "b", "a"] * 5, (0.5, 0.5))
    assert parts[0] == parts[2]


def test_folds_partition_everything_once() -> None:
    cuts = [parts_of(KEYS, LABELS, 0.2, 0.1, folds=5, fold=fold) for fold in range(5)]
    assert np.array([cut == TEST for cut in cuts]).sum(0).tolist() == [1] * 500
    for cut in cuts:
        assert (cut == TEST).sum() == pytest.approx(100, abs=3)
        assert (cut == VAL).sum() == pytest.approx(80, abs=3)
    assert (parts_of(KEYS, LABELS, 0.0, 0.1, folds=5) == TRAIN).sum() == pytest.approx(400, abs=3)


def test_many_rare_labels_are_shared_out_too() -> None:
    keys, labels = [f"text {number}" for number in range(400)], [f"label {number // 2}" for number in range(400)]
    sizes = np.bincount(apportioned(keys, labels, (0.8, 0.1, 0.1)))
    assert sizes.tolist() == [320, 40, 40]
