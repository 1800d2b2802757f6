import pytest
import torch

from seqlab.errors import UserError
from seqlab.runs.schema import RunOf, check_finite, check_plain, check_shape


def test_what_refers_to_itself_or_is_too_deep_is_refused() -> None:
    inside: list[object] = []
    inside.append(inside)
    with pytest.raises(UserError, match=r"a\.ckpt holds something that holds itself"):
        check_plain(inside, 100, "a.ckpt")
    deep: list[object] = []
    for _ in range(60):
        deep = [deep]
    with pytest.raises(UserError, match="values nested deeper than 40"):
        check_plain(deep, 100, "a.ckpt")


def test_a_missing_key_is_named() -> None:
    check_shape({"name": "a", "config": "", "log": {"step": 3, "events": [b""]}}, RunOf, "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt is no sound checkpoint of seqlab: .*config"):
        check_shape({"name": "a"}, RunOf, "a.ckpt")


def test_weights_that_are_no_numbers_are_counted() -> None:
    check_finite({"w": torch.zeros(2), "ids": torch.zeros(2, dtype=torch.int64)}, "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt has weights that are no numbers: 1 of the 2 of w are NaN"):
        check_finite({"w": torch.tensor([0.0, torch.nan])}, "a.ckpt")
