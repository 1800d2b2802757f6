import math

import pytest
import torch
from torch import Tensor

from seqlab.metrics import TokenLoss, bits, token_nats


def by_hand(logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> float:
    """The sum over real tokens of log sum exp minus the target's logit, in Python floats."""
    total = 0.0
    for row in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if valid is None or valid[row, t]:
                values = logits[row, t].double().tolist()
                top = max(values)
                log_sum = top + math.log(sum(math.exp(value - top) for value in values))
                total += log_sum - values[int(targets[row, t])]
    return total


def some(batch: int, time: int, vocab_size: int = 9, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(batch, time, vocab_size, generator=generator)
    return logits, torch.randint(vocab_size, (batch, time), generator=generator)


def test_literal() -> None:
    logits = torch.tensor([[[0.0, 0.0], [math.log(3), 0.0]]])
    nats, tokens = token_nats(logits, torch.tensor([[1, 0]]))
    assert float(nats) == pytest.approx(math.log(2) + math.log(4 / 3), rel=1e-6)
    assert tokens == 2


def test_equals_the_sum_by_hand() -> None:
    logits, targets = some(3, 5)
    nats, tokens = token_nats(logits, targets)
    assert float(nats) == pytest.approx(by_hand(logits, targets), rel=1e-6)
    assert tokens == 15
    valid = torch.tensor([[True] * 5, [True, False, True, True, False], [False] * 5])
    nats, tokens = token_nats(logits, targets, valid)
    assert float(nats) == pytest.approx(by_hand(logits, targets, valid), rel=1e-6)
    assert int(tokens) == 8


def test_all_valid_is_no_mask() -> None:
    logits, targets = some(3, 5)
    masked, tokens = token_nats(logits, targets, torch.ones(3, 5, dtype=torch.bool))
    assert torch.equal(masked, token_nats(logits, targets)[0])
    assert int(tokens) == 15


@pytest.mark.parametrize("padding", [1, 7])
def test_padding_changes_nothing(padding: int) -> None:
    logits, targets = some(3, 5)
    wide_logits = torch.cat([logits, torch.full((3, padding, 9), math.nan)], dim=1)
    wide_targets = torch.cat([targets, torch.zeros(3, padding, dtype=torch.int64)], dim=1)
    valid = torch.arange(5 + padding).expand(3, -1) < 5
    nats, tokens = token_nats(wide_logits, wide_targets, valid)
    assert float(nats) == float(token_nats(logits, targets)[0])
    assert int(tokens) == 15


def test_padding_sends_no_gradient() -> None:
    logits, targets = some(2, 4)
    logits.requires_grad_()
    valid = torch.tensor([[True, True, True, False], [True, False, False, False]])
    token_nats(logits, targets, valid)[0].backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().sum(-1) > 0, valid)


def test_nothing_but_padding() -> None:
    logits, targets = some(2, 4)
    nats, tokens = token_nats(logits, targets, torch.zeros(2, 4, dtype=torch.bool))
    assert (float(nats), int(tokens)) == (0.0, 0)


@pytest.mark.parametrize("gap", [120.0, 10_000.0])
def test_a_wide_gap_stays_finite(gap: float) -> None:
    nats, _ = token_nats(torch.tensor([[[gap, 0.0]]]), torch.tensor([[1]]))
    assert float(nats) == gap


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits, targets = some(4, 64)
    half = logits.bfloat16()
    nats, _ = token_nats(half, targets)
    assert nats.dtype == torch.float32
    assert float(nats) == pytest.approx(by_hand(half, targets), rel=1e-6)


def test_bits() -> None:
    assert bits(math.log(2)) == 1.0
    assert bits(3 * math.log(2)) == pytest.approx(3.0, rel=1e-15)


def test_mean_over_uneven_batches_weighs_tokens() -> None:
    logits, targets = some(2, 13)
    total = TokenLoss()
    for begin, end in ((0, 5), (5, 10), (10, 13)):
        total.update(*token_nats(logits[:, begin:end], targets[:, begin:end]))
    assert float(total.compute()) == pytest.approx(by_hand(logits, targets) / 26, rel=1e-6)
    assert float(total.compute().exp()) == pytest.approx(math.exp(by_hand(logits, targets) / 26), rel=1e-6)
    means = [by_hand(logits[:, a:b], targets[:, a:b]) / (2 * (b - a)) for a, b in ((0, 5), (5, 10), (10, 13))]
    assert abs(sum(means) / 3 - float(total.compute())) > 1e-3  # what a mean of means would say


def test_batches_of_nothing_but_padding_weigh_nothing() -> None:
    logits, targets = some(2, 4)
    total = TokenLoss()
    total.update(*token_nats(logits, targets))
    before = float(total.compute())
    total.update(*token_nats(logits, targets, torch.zeros(2, 4, dtype=torch.bool)))
    assert float(total.compute()) == before
    assert int(total.tokens) == 8


def test_sums_are_float64_and_whole_numbers() -> None:
    total = TokenLoss()
    total.update(torch.tensor(2.0**24), 2**24)
    for _ in range(3):
        total.update(torch.tensor(1.0), 1)
    assert (float(total.nats), int(total.tokens)) == (2**24 + 3, 2**24 + 3)  # in float32 each 1 would be lost
    assert (total.nats.dtype, total.tokens.dtype) == (torch.float64, torch.int64)


def test_sums_stay_float64_in_a_module_of_another_precision() -> None:
    module = torch.nn.Module()
    module.total = TokenLoss()
    module.half()
    module.total.update(torch.tensor(1.0), 1)
    assert module.total.nats.dtype == torch.float64


def test_reset_forgets() -> None:
    total = TokenLoss()
    total.update(torch.tensor(5.0), 2)
    assert float(total.compute()) == 2.5
    total.reset()
    total.update(torch.tensor(3.0), 1)
    assert float(total.compute()) == 3.0


def test_keeps_no_graph() -> None:
    total = TokenLoss()
    total.update(torch.tensor(5.0, requires_grad=True) * 2, 2)
    assert not total.nats.requires_grad
