import torch
from stacks import BATCH, LENGTHS, TIME, numbers

from seqlab.recurrence.lengths import backwards, last_steps, valid_steps


def test_real_steps_by_hand() -> None:
    assert valid_steps(torch.tensor([1, 3]), 3).tolist() == [[True, True], [False, True], [False, True]]


def test_the_last_real_step_of_each_sequence() -> None:
    values = torch.arange(12.0).view(3, 2, 2)  # (time, batch, size)
    assert last_steps(values, torch.tensor([1, 3])).tolist() == [[0, 1], [10, 11]]
    assert last_steps(values, None).tolist() == [[8, 9], [10, 11]]


def test_without_lengths_all_steps_are_reversed() -> None:
    assert backwards(torch.arange(6.0).view(3, 2), None).tolist() == [[4, 5], [2, 3], [0, 1]]


def test_reversing_twice_changes_nothing_and_can_be_differentiated_twice() -> None:
    values, lengths = numbers(TIME, BATCH, 2).requires_grad_(), torch.tensor(LENGTHS)
    turned = backwards(values, lengths)
    for row, length in enumerate(LENGTHS):
        assert torch.equal(turned[:length, row], values[:length, row].flip(0))
        assert torch.equal(turned[length:, row], values[length:, row])
    assert torch.equal(backwards(turned, lengths), values)
    assert torch.autograd.gradcheck(lambda given: backwards(given, lengths), values)
    assert torch.autograd.gradgradcheck(lambda given: backwards(given, lengths), values)
