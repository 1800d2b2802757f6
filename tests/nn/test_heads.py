import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqlab.nn.heads import Heads, attention_weights, recorded_weights, reference
from seqlab.nn.positions import Rotation

BATCH, HEADS, TIME, SIZE = 2, 3, 5, 4


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("masked", [False, True])
def test_plain_equations_equal_the_fused_kernel(masked: bool) -> None:
    queries, keys, values = (draws(BATCH, HEADS, TIME, SIZE, seed=seed) for seed in range(3))
    seen = torch.ones(TIME, TIME, dtype=torch.bool).tril() if masked else None
    fused = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
    torch.testing.assert_close(reference(queries, keys, values, seen), fused, rtol=0, atol=1e-12)


def test_weights_by_hand() -> None:
    queries, keys = draws(BATCH, HEADS, TIME, SIZE), draws(BATCH, HEADS, TIME, SIZE, seed=1)
    scores = [float(queries[1, 2, 3] @ keys[1, 2, k]) / SIZE**0.5 for k in range(TIME)]
    expected = torch.tensor(scores, dtype=torch.float64).softmax(0)
    torch.testing.assert_close(attention_weights(queries, keys, None)[1, 2, 3], expected, rtol=0, atol=1e-12)


def test_heads_equal_those_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Heads(12, HEADS).double(), nn.MultiheadAttention(12, HEADS, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.inputs.weight)
        theirs.in_proj_bias.copy_(ours.inputs.bias)
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    x = draws(BATCH, TIME, 12)
    future = torch.ones(TIME, TIME, dtype=torch.bool).triu(1)
    expected = theirs(x, x, x, attn_mask=future, need_weights=False)[0]
    torch.testing.assert_close(ours(x, None, None, None, True)[0], expected, rtol=0, atol=1e-12)


def test_recorded_weights_are_those_that_were_used() -> None:
    torch.manual_seed(0)
    made, x = Heads(12, HEADS).double(), draws(BATCH, TIME, 12)
    plain = made(x, None, None, None, True)[0]
    made.recorded = []
    torch.testing.assert_close(made(x, None, None, None, True)[0], plain, rtol=0, atol=1e-12)
    (weights,) = made.recorded
    assert weights.shape == (BATCH, HEADS, TIME, TIME)
    torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, HEADS, TIME, dtype=torch.float64))
    assert not weights.triu(1).any()


@pytest.mark.parametrize("across", [False, True])
def test_one_kind_of_attention_is_recorded(across: bool) -> None:
    within, between = Heads(12, HEADS).double(), Heads(12, HEADS, across=True).double()
    x, valid = draws(BATCH, TIME, 12), torch.ones(BATCH, 7, dtype=torch.bool)
    with recorded_weights(nn.ModuleList([within, between]), across) as weights:
        within(x, None, None, None, False)
        between.across(x, between.kept(draws(BATCH, 7, 12)), valid)
    assert [one.shape for one in weights] == [(BATCH, HEADS, TIME, 7 if across else TIME)]
    assert within.recorded is between.recorded is None


def test_rows_that_share_a_memory_equal_rows_of_their_own() -> None:
    torch.manual_seed(0)
    made = Heads(12, HEADS, across=True).double()
    memory, x = draws(BATCH, 7, 12), draws(BATCH * 2, TIME, 12, seed=1)
    valid = torch.arange(7) < torch.tensor([[7], [4]])
    shared = made.across(x, made.kept(memory), valid)
    alone = made.across(x, made.kept(memory.repeat_interleave(2, 0)), valid.repeat_interleave(2, 0))
    torch.testing.assert_close(shared, alone, rtol=0, atol=1e-12)
    changed = memory.clone()
    changed[1, 4:] = 9.0
    torch.testing.assert_close(made.across(x, made.kept(changed), valid), shared, rtol=0, atol=1e-12)


def test_rotated_products_depend_on_the_distance_alone() -> None:
    rotation = Rotation(9, SIZE, draws(1))
    query, key = draws(1, 1, 1, SIZE).expand(1, 1, 9, SIZE), draws(1, 1, 1, SIZE, seed=1).expand(1, 1, 9, SIZE)
    scores = (rotation(query) @ rotation(key).transpose(-1, -2))[0, 0]
    for distance in range(-8, 9):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-12)
    assert not torch.allclose(scores[0, 0], scores[0, 1])
