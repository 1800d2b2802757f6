from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions

VOCAB = 11
POSITIONS = [("rotary", None), ("sinusoidal", None), ("learned", 32), ("none", None)]


def network(trained: int = 8, **options: Any) -> TransformerLanguage:
    """With weights large enough that every part of it matters, as if it had learned from windows of a length."""
    torch.manual_seed(0)
    given = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "dropout": 0.0, **options}
    made = TransformerLanguageOptions.from_plain(given).build(VOCAB).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(8).add_(torch.randn_like(weight) * 0.05)
    made.longest = torch.tensor(trained)
    return made.eval()


def some_ids(batch: int = 3, time: int = 6, seed: int = 1) -> Tensor:
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


def in_parts(made: TransformerLanguage, ids: Tensor, *sizes: int) -> Tensor:
    state, logits = None, []
    for part in ids.split([*sizes], 1):
        given, state = made(part, state)
        logits.append(given)
    return torch.cat(logits, 1)


@pytest.mark.parametrize(("positions", "context"), POSITIONS)
@pytest.mark.parametrize("norm", ["before", "after"])
def test_no_token_sees_those_that_follow_it(positions: str, context: int | None, norm: str) -> None:
    made, ids = network(positions=positions, context=context, norm=norm), some_ids()
    changed = ids.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % VOCAB
    one, other = made(ids)[0], made(changed)[0]
    torch.testing.assert_close(one[:, :4], other[:, :4], rtol=0, atol=1e-12)
    assert not torch.allclose(one[:, 4], other[:, 4])


@pytest.mark.parametrize(("positions", "context"), POSITIONS)
def test_every_token_before_counts_and_so_does_their_order(positions: str, context: int | None) -> None:
    made, ids = network(positions=positions, context=context), torch.arange(6).unsqueeze(0)
    swapped = ids[:, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(made(ids)[0][:, -1], made(swapped)[0][:, -1])


@pytest.mark.parametrize("activation", ["gelu", "relu", "swiglu"])
@pytest.mark.parametrize(("positions", "context"), POSITIONS)
def test_step_by_step_equals_all_at_once(positions: str, context: int | None, activation: str) -> None:
    made, ids = network(positions=positions, context=context, activation=activation), some_ids(time=8)
    at_once = made(ids)[0]
    torch.testing.assert_close(in_parts(made, ids, *[1] * 8), at_once, rtol=0, atol=1e-10)
    torch.testing.assert_close(made.train()(ids)[0], at_once, rtol=0, atol=1e-10)


@pytest.mark.parametrize("stride", [None, 1, 3, 8])
@pytest.mark.parametrize(("positions", "context"), [*POSITIONS[:2], ("learned", 8)])
def test_it_makes_no_difference_how_a_long_text_comes_in(
    positions: str, context: int | None, stride: int | None
) -> None:
    made, ids = network(positions=positions, context=context, stride=stride), some_ids(time=29)
    at_once = made(ids)[0]
    for sizes in ([1] * 29, [7, 22], [8, 8, 8, 5], [9, 1, 19]):
        torch.testing.assert_close(in_parts(made, ids, *sizes), at_once, rtol=0, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 3, 8])
def test_windows_by_hand(stride: int) -> None:
    made, ids = network(stride=stride), some_ids(time=29)
    expected = [made(ids[:, :8])[0]]
    for start in range(stride, 29, stride):
        new = ids[:, start : start + 8]
        if new.shape[1] > 8 - stride:
            expected.append(made(new)[0][:, 8 - stride :])
    torch.testing.assert_close(made(ids)[0], torch.cat(expected, 1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("positions", ["rotary", "none"])
def test_memory_sees_as_many_tokens_from_everywhere(positions: str) -> None:
    made, ids = network(memory=4, positions=positions, num_layers=1), some_ids(time=13)
    logits = made(ids)[0]
    for sizes in ([1] * 13, [2, 11], [6, 6, 1]):
        torch.testing.assert_close(in_parts(made, ids, *sizes), logits, rtol=0, atol=1e-10)
    for end in range(5, 13):  # one layer: the last five tokens are all that there is
        alone = made(ids[:, end - 4 : end + 1])[0][:, -1]
        torch.testing.assert_close(alone, logits[:, end], rtol=0, atol=1e-10)


def test_memory_is_the_same_while_it_learns() -> None:
    made, ids = network(memory=4), some_ids(time=12)
    first, state = made.train()(ids[:, :6], None)
    second, _ = made(ids[:, 6:], made.detached(state))
    made.eval()
    torch.testing.assert_close(torch.cat([first, second], 1), made(ids)[0], rtol=0, atol=1e-10)


def test_a_state_is_gathered_and_divided_by_rows() -> None:
    made, ids = network(), some_ids(batch=4)
    _, state = made(ids)
    halves = [made.of_rows(state, torch.tensor(rows)) for rows in ([0, 1], [2, 3])]
    assert [made.num_rows(half) for half in halves] == [2, 2]
    again = made.gathered(halves)
    following = some_ids(batch=4, time=1, seed=2)
    torch.testing.assert_close(made(following, again)[0], made(following, state)[0])


@torch.no_grad()
def test_sums_of_nats_leave_out_padding() -> None:
    made, ids = network(), some_ids(time=7)
    valid = torch.ones(3, 6, dtype=torch.bool)
    valid[1, 4:] = False
    total, count, _ = made.nats(ids[:, :-1], ids[:, 1:], valid)
    each, _ = made.token_nats(ids[:, :-1], ids[:, 1:])
    assert int(count) == 16
    assert float(total) == pytest.approx(float(each[valid].sum()), rel=1e-6)
    changed = ids.clone()
    changed[1, 5:] = 0
    assert float(made.nats(changed[:, :-1], changed[:, 1:], valid)[0]) == pytest.approx(float(total), rel=1e-12)


def test_training_remembers_its_longest_window() -> None:
    made = network(trained=0)
    assert made.window is None
    made.train()(some_ids(time=5))
    made(some_ids(time=3))
    assert made.window == 5
    assert "windows of 5 tokens, a new one every 2" in made.memory_in_words(1, "stream")


def test_input_and_output_share_a_matrix() -> None:
    made = network()
    assert made.embedding.weight is made.output.weight
    made = network(tied=False)
    assert made.embedding.weight is not made.output.weight


def test_what_a_token_costs() -> None:
    """16 numbers, two layers, windows of 8: 4 x 16 x 16 and 2 x 16 x 64 products, and 4 positions on average."""
    made = network()
    assert made.flops() == {
        "projections of attention": 2 * 4 * 16 * 16 * 2,
        "attention": 2 * 2 * 16 * 4 * 2,
        "feed-forward layers": 2 * 2 * 16 * 64 * 2,
        "output layer": 2 * 16 * VOCAB,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"positions": "learned"}, "give --model.context"),
        ({"hidden_size": 18, "num_heads": 2}, "must be a multiple of twice num_heads \\(4\\)"),
        ({"memory": 4, "positions": "sinusoidal"}, "memory 4 needs relative positions"),
        ({"memory": 4, "stride": 2}, "leave out --model.stride"),
        ({"context": 4, "stride": 5}, "stride 5 must be at most context 4"),
    ],
)
def test_refusals(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TransformerLanguageOptions(**options)


def test_more_positions_than_learned_ones_are_refused() -> None:
    made = network(positions="learned", context=4, trained=0).train()
    with pytest.raises(UserError, match="a sequence of 6 positions is longer than the 4 learned positions"):
        made(some_ids())
