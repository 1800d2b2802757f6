from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.counted_tables import are_counts, check_table, is_rising
from seqlab.nn.ibm1 import IBM1
from seqlab.nn.naive_bayes import NaiveBayes, NaiveBayesOptions
from seqlab.nn.ngram import NGram


def test_rising() -> None:
    assert is_rising(torch.tensor([0, 2, 5]), 6)
    assert is_rising(torch.empty(0, dtype=torch.int64), 0)
    for wrong in (torch.tensor([0, 2, 6]), torch.tensor([-1, 2]), torch.tensor([1, 1]), torch.tensor([2, 1])):
        assert not is_rising(wrong, 6)
    assert not is_rising(torch.tensor([[0, 1]]), 6)
    assert not is_rising(torch.tensor([0.0, 1.0]), 6)


def test_counts() -> None:
    assert are_counts(torch.tensor([0, 3]), 2)
    for wrong in (torch.tensor([0, -3]), torch.tensor([1]), torch.tensor([2**62, 2**62]), torch.tensor([1.0, 1.0])):
        assert not are_counts(wrong, 2)


def test_what_does_not_fit_is_named() -> None:
    check_table(True, "keys")
    with pytest.raises(UserError, match="its table 'keys' does not fit the others"):
        check_table(False, "keys")


def ngram(vocab_size: int) -> NGram:
    network = NGram(vocab_size, 3)
    network.count(torch.tensor([3, 1, 4, 1, 5, 2, 1, 4, 3, 1]))
    return network


def ibm1() -> IBM1:
    network = IBM1(6, 7)
    network.count([[3, 4], [4, 5]], [[4, 5, 6], [5]])
    return network


def naive_bayes() -> NaiveBayes:
    network = NaiveBayes(6, 2, NaiveBayesOptions())
    network.count([[1, 2], [2, 3], [4, 5]], [0, 1, 0])
    return network


MADE: dict[str, Callable[[], nn.Module]] = {
    "ngram": lambda: ngram(6),
    "ngram of many words": lambda: ngram(2**22),
    "ibm1": ibm1,
    "naive_bayes": naive_bayes,
}
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "below 0": lambda table: torch.cat([table[:-1], -torch.ones_like(table[-1:])]),
    "first below 0": lambda table: torch.cat([-table[:1] - 1, table[1:]]),
    "too large": lambda table: torch.cat([table[:-1], torch.full_like(table[-1:], 2**63 - 1)]),
    "shorter": lambda table: table[:-1],
    "nothing": lambda table: table[:0],
    "a column": lambda table: table.unsqueeze(1),
    "floats": lambda table: table.double(),
}


@pytest.mark.parametrize("made", MADE)
def test_a_table_that_does_not_fit_is_refused_or_harmless(made: str) -> None:
    """Whole numbers that are looked up lie in the bounds of what they are looked up in."""
    network = MADE[made]()
    kept = network.state_dict()
    other = MADE[made]()
    other.load_state_dict(kept)
    for name, table in kept.items():
        if table.dtype != torch.int64:
            continue
        for how, change in CHANGES.items():
            if (name, how) == ("shapes", "shorter"):
                continue  # one pair fewer is as sound
            with pytest.raises(UserError, match="its table '.*' does not fit"):
                other.load_state_dict({**kept, name: change(table)})


def test_weights_have_a_row_for_each_key() -> None:
    network = naive_bayes()
    kept = network.state_dict()
    for name in ("weights", "bias"):
        with pytest.raises(UserError, match=f"its table '{name}' does not fit"):
            network.load_state_dict({**kept, name: kept[name][:-1]})


def test_an_ngram_without_the_end_of_a_longer_one_is_refused() -> None:
    network = ngram(6)
    kept = network.state_dict()
    keep = kept["keys_2"] != 1 * 6 + 4
    ends = kept["keys_3"] // 6 != 1 * 6 + 4
    cut = {
        f"{name}_{m}": kept[f"{name}_{m}"][which] for name in ("keys", "counts") for m, which in ((2, keep), (3, ends))
    }
    network.load_state_dict({**kept, **cut})
    with pytest.raises(UserError, match="its table 'keys_2' does not fit"):
        network.levels()
