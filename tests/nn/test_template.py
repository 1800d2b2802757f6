from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from seqlab.nn.template import Template, TemplateOptions


class Batch(NamedTuple):
    images: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor


BAR = [[1.0, 1.0, 1.0]]  # a column of ink
BOX = [[1.0, 0.0, 1.0]] * 2
GAP = [[0.0, 0.0, 0.0]]


def batch() -> Batch:
    rows = [GAP + BAR + GAP + BOX + GAP, BOX + GAP + GAP + BOX, BAR + BOX + GAP]  # in the last one two touch
    images = torch.zeros(3, 7, 3)
    for place, row in enumerate(rows):
        images[place, : len(row)] = torch.tensor(row)
    targets = torch.tensor([[0, 1], [1, 1], [0, 1]])
    return Batch(images, torch.tensor([len(row) for row in rows]), targets, torch.tensor([2, 2, 2]))


def counted() -> Template:
    made = TemplateOptions().build(3, 2)
    made.count([batch()])
    return made


def test_pieces_are_runs_of_columns_with_ink_with_their_middle_in_the_middle() -> None:
    found = counted().pieces(*batch()[:2])
    assert found.rows.tolist() == [0, 0, 1, 1, 2]
    assert found.centers.tolist()[:4] == [1, 4, 0, 4]
    assert found.images[0].tolist() == [*GAP, *BAR, *GAP]
    assert found.images[1].tolist() == [*BOX, *GAP]


def test_means_are_those_of_strings_with_a_piece_a_symbol() -> None:
    made = counted()
    assert made.means[0].tolist() == [*GAP, *BAR, *GAP]
    assert made.means[1].sum() == pytest.approx(4.0)


def test_each_piece_says_the_nearest_symbol_at_its_middle_and_all_else_the_blank() -> None:
    made, given = counted(), batch()
    log_probs = made(given.images, given.lengths)
    assert torch.allclose(log_probs.exp().sum(-1), torch.ones(3, 7))
    said = log_probs.argmax(-1)
    assert said[0].tolist() == [0, 1, 0, 0, 2, 0, 0]
    assert [one for one in said[1].tolist() if one] == [2, 2]


def test_nothing_but_ground_is_all_blank() -> None:
    assert counted()(torch.zeros(2, 4, 3), torch.tensor([4, 1])).argmax(-1).tolist() == [[0] * 4] * 2
