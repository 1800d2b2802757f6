import math
import re
from typing import Any

import pytest
import torch
from few_cells import few_cells
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.language_network import ForwardAndBackward, LanguageNetwork, LanguageOptions

VOCAB, HIDDEN = 11, 8
TORCH = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def network(cell: str = "gru", seed: int = 0, **options: Any) -> LanguageNetwork:
    torch.manual_seed(seed)
    given = {"cell": cell, "hidden_size": HIDDEN, "embedding_size": None, "dropout": 0.0, **options}
    return LanguageOptions.from_plain(given).build(VOCAB).double()


def some_ids(batch: int = 3, time: int = 6, seed: int = 1) -> Tensor:
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("cell", TORCH)
def test_equals_torch_layers_with_the_same_weights(cell: str, num_layers: int) -> None:
    made = network(cell, embedding_size=5, num_layers=num_layers)
    table, layers = nn.Embedding(VOCAB, 5), TORCH[cell](5, HIDDEN, num_layers)  # time first
    output = nn.Linear(HIDDEN, VOCAB)
    reference = nn.ModuleList([table, layers, output]).double()
    with torch.no_grad():
        for own, weight in zip(made.parameters(), reference.parameters(), strict=True):
            assert own.shape == weight.shape
            weight.copy_(own)
    ids = some_ids()
    logits, _ = made(ids)
    assert logits.shape == (3, 6, VOCAB)
    expected = output(layers(table(ids.T))[0]).transpose(0, 1)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)


def test_one_hot_inputs_pick_columns_of_the_input_weights() -> None:
    one_hot = network("rnn")
    ids = some_ids()
    weights = dict(one_hot.recurrent.layers.named_parameters())
    hidden = torch.zeros(3, HIDDEN, dtype=torch.float64)
    for t in range(ids.shape[1]):
        column = weights["weight_ih_l0"][:, ids[:, t]].T  # what an embedding would look up
        bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
        hidden = torch.tanh(column + hidden @ weights["weight_hh_l0"].T + bias)
        torch.testing.assert_close(one_hot(ids)[0][:, t], one_hot.output(hidden), rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("embedding_size", [None, 5])
@few_cells
def test_windows_with_the_state_carried_equal_one_pass(cell: str, embedding_size: int | None, num_layers: int) -> None:
    made = network(cell, embedding_size=embedding_size, num_layers=num_layers)
    ids = some_ids(time=12)
    whole, last = made(ids)
    state, pieces = None, []
    for window in ids.split(5, dim=1):
        logits, state = made(window, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-12)
    assert not torch.allclose(made(ids[:, 5:])[0], whole[:, 5:])


@pytest.mark.parametrize("num_layers", [1, 3])
@few_cells
def test_no_logit_sees_a_later_token(cell: str, num_layers: int) -> None:
    made = network(cell, num_layers=num_layers, embedding_size=5)
    ids = some_ids()
    before, _ = made(ids)
    for t in range(1, ids.shape[1]):
        changed = ids.clone()
        changed[:, t] = (changed[:, t] + 1) % VOCAB
        after, _ = made(changed)
        assert torch.equal(after[:, :t], before[:, :t])
        assert not torch.allclose(after[:, t:], before[:, t:])


@few_cells
def test_a_row_alone_is_the_row_of_a_batch(cell: str) -> None:
    made, ids = network(cell, num_layers=2), some_ids(batch=8)
    together, state = made(ids)
    for row in range(8):
        alone, own = made(ids[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-12)
        torch.testing.assert_close(own[0][:, 0], state[0][:, row], rtol=0, atol=1e-12)


def test_tied_weights_are_one_matrix_and_train() -> None:
    made = network(embedding_size=HIDDEN, tied=True)
    assert made.embedding is not None
    assert made.output.weight.data_ptr() == made.embedding.weight.data_ptr()
    loose = network(embedding_size=HIDDEN)
    assert sum(p.numel() for p in loose.parameters()) - sum(p.numel() for p in made.parameters()) == VOCAB * HIDDEN
    before = made.embedding.weight.detach().clone()
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    made(some_ids())[0].logsumexp(-1).sum().backward()
    optimizer.step()
    assert torch.equal(made.output.weight, made.embedding.weight)
    assert not torch.allclose(made.embedding.weight, before)


def test_tied_weights_survive_saving() -> None:
    made, other = (network(embedding_size=HIDDEN, tied=True, seed=seed) for seed in (0, 1))
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(some_ids())[0], made(some_ids())[0])
    assert other.embedding is not None
    assert other.output.weight is other.embedding.weight


@pytest.mark.parametrize("embedding_size", [None, 5])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_acts_in_training_alone(embedding_size: int | None, num_layers: int) -> None:
    options = {"embedding_size": embedding_size, "num_layers": num_layers}
    dropping, keeping = (network(dropout=dropout, **options) for dropout in (0.5, 0.0))
    ids = some_ids()
    assert not torch.equal(dropping(ids)[0], dropping(ids)[0])
    assert torch.equal(keeping(ids)[0], keeping(ids)[0])
    assert torch.equal(dropping.eval()(ids)[0], keeping.eval()(ids)[0])


def test_dropout_spares_the_recurrence() -> None:
    made = network("rnn", dropout=0.5)
    ids = some_ids()
    assert torch.equal(made(ids)[1][0], made(ids)[1][0])


def test_dropout_of_the_embedding_alone() -> None:
    seen = []
    made = network(embedding_size=64, dropout=0.0, embedding_dropout=0.25)
    made.recurrent.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    made(torch.arange(VOCAB).repeat(4, 50))
    assert float((seen[0] == 0).double().mean()) == pytest.approx(0.25, abs=0.03)


def test_dropout_reaches_the_embedding_and_the_output() -> None:
    made = network(embedding_size=64, hidden_size=64, dropout=0.5)
    seen: list[Tensor] = []
    made.recurrent.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    made.output.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    made(some_ids(batch=8, time=20))
    assert [float((values == 0).double().mean()) == pytest.approx(0.5, abs=0.03) for values in seen] == [True, True]


def test_init_and_forget_bias_reach_the_weights() -> None:
    made = network("lstm", init="normal", forget_bias=2.0, num_layers=2)
    assert float(made.output.weight.detach().std()) == pytest.approx(0.01, rel=0.3)
    for layer in range(2):
        weights = dict(made.recurrent.layers.named_parameters())
        both = weights[f"bias_ih_l{layer}"] + weights[f"bias_hh_l{layer}"]
        assert both.tolist() == [0.0] * HIDDEN + [2.0] * HIDDEN + [0.0] * 2 * HIDDEN


def by_hand(logits: Tensor, targets: Tensor, valid: Tensor) -> float:
    """The sum over real tokens of log sum exp minus the target's logit, in Python floats."""
    total = 0.0
    for values, target in zip(logits[valid].tolist(), targets[valid].tolist(), strict=True):
        top = max(values)
        total += top + math.log(sum(math.exp(value - top) for value in values)) - values[target]
    return total


VALID = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [False] * 6])


@pytest.mark.parametrize("valid", [None, VALID, VALID & False])
def test_nats_are_those_of_the_real_tokens(valid: Tensor | None) -> None:
    model, ids, targets = network("lstm"), some_ids(), some_ids(seed=2)
    nats, tokens, state = model.nats(ids, targets, valid)
    logits, after = model(ids)
    real = VALID | True if valid is None else valid
    assert int(tokens) == int(real.sum())
    assert float(nats.detach()) == pytest.approx(by_hand(logits, targets, real), rel=1e-12)
    torch.testing.assert_close(state, after, rtol=0, atol=0)


@pytest.mark.parametrize("padding", [1, 7])
def test_padding_changes_no_number_and_no_gradient(padding: int) -> None:
    model, ids, targets = network(embedding_size=5), some_ids(), some_ids(seed=2)
    nats, tokens, _ = model.nats(ids, targets)
    wide_ids, wide_targets = (torch.cat([part, some_ids(time=padding)], 1) for part in (ids, targets))
    padded, counted, _ = model.nats(wide_ids, wide_targets, torch.arange(6 + padding).expand(3, -1) < 6)
    assert int(counted) == tokens
    torch.testing.assert_close(padded, nats, rtol=1e-14, atol=0)
    gradients = (torch.autograd.grad(loss, list(model.parameters())) for loss in (padded, nats))
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-14)


def test_a_network_of_zeros_predicts_all_alike() -> None:
    made = network()
    for parameter in made.parameters():
        nn.init.zeros_(parameter)
    loss = nn.functional.cross_entropy(made(some_ids())[0].flatten(0, 1), some_ids(seed=2).flatten())
    assert float(loss.detach()) == pytest.approx(math.log(VOCAB), abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hidden_size": 0}, "hidden_size 0 must be a whole number of at least 1, or a list of such"),
        ({"embedding_size": 0}, "embedding_size 0 must be a whole number of at least 1"),
        ({"num_layers": 0}, "num_layers 0 must be a whole number of at least 1"),
        ({"dropout": 1.0}, "dropout 1.0 must be at least 0 and below 1"),
        ({"embedding_size": 8, "embedding_dropout": 1.5}, "embedding_dropout 1.5 must be at least 0 and below 1"),
        (
            {"embedding_dropout": 0.1},
            "embedding_dropout needs an embedding; give --model.embedding_size or leave it out",
        ),
        ({"dropout": -0.1}, "dropout -0.1 must be at least 0 and below 1"),
        ({"dropout": math.nan}, "dropout nan must be at least 0 and below 1"),
        ({"cell": "lstn"}, "unknown cell 'lstn': did you mean 'lstm'?"),
        ({"init": "zeros"}, "unknown init 'zeros': choose one of normal, orthogonal, torch, uniform, xavier"),
        ({"hidden_size": [3, -1]}, "hidden_size [3, -1] must be a whole number of at least 1, or a list of such"),
        ({"hidden_size": []}, "hidden_size [] must be a whole number of at least 1, or a list of such"),
        (
            {"hidden_size": [3, 4], "num_layers": 3},
            "num_layers 3 does not agree with the 2 widths of hidden_size",
        ),
        ({"hiden_size": 9}, "unknown option 'hiden_size': did you mean 'hidden_size'?"),
        (
            {"cell": "mgu", "backend": "torch"},
            "backend torch does not have this MGU; choose one of auto, reference, scan",
        ),
        ({"backend": "triton"}, "unknown backend 'triton': choose one of auto, reference, scan, torch"),
        ({"weight_drop": 1.0}, "weight_drop 1.0 must be at least 0 and below 1"),
        (
            {"connections": "residual", "hidden_size": [4, 5]},
            "residual connections need layers of one width, not [4, 5]",
        ),
        (
            {"forget_bias": 1.0},
            "forget_bias 1.0 needs a cell with a forget gate (lstm, lstm_peephole, lstm_coupled, "
            "lstm_no_output_gate, lstm_layer_norm, min_lstm); leave it out",
        ),
        (
            {"tied": True},
            "tied weights need embedding_size (None) equal to hidden_size (8); "
            "give --model.embedding_size 8 or leave out --model.tied",
        ),
        (
            {"tied": True, "embedding_size": 5},
            "tied weights need embedding_size (5) equal to hidden_size (8); "
            "give --model.embedding_size 8 or leave out --model.tied",
        ),
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        network(**wrong)


TEXT = torch.randint(9, (3, 8), generator=torch.Generator().manual_seed(0))


def both_ways(**options: Any) -> ForwardAndBackward:
    torch.manual_seed(0)
    network = LanguageOptions("gru", 6, embedding_size=6, dropout=0.0, backward=True, **options).build(9)
    assert isinstance(network, ForwardAndBackward)
    return network


def nats_of(stack: LanguageNetwork, row: torch.Tensor) -> float:
    """Of one row alone ``(tokens,)``, by the logits."""
    logits, _ = stack(row[None, :-1])
    return float(-logits[0].log_softmax(-1).gather(1, row[1:, None]).sum().detach())


def test_training_takes_the_mean_of_both_directions() -> None:
    network = both_ways()
    nats, tokens, _ = network.nats(TEXT[:, :-1], TEXT[:, 1:])
    one, other = (
        sum(nats_of(stack, row) for row in rows) for stack, rows in ((network, TEXT), (network.behind, TEXT.flip(1)))
    )
    assert float(nats.detach()) == pytest.approx((one + other) / 2, rel=1e-5)
    assert tokens == 21
    nats, _, _ = network.eval().nats(TEXT[:, :-1], TEXT[:, 1:])
    assert float(nats.detach()) == pytest.approx(one, rel=1e-5)


def test_padding_changes_nothing() -> None:
    network, lengths = both_ways(), [7, 4, 1]
    valid = torch.arange(7) < torch.tensor(lengths)[:, None]
    inputs, targets = (torch.where(valid, part, 0) for part in (TEXT[:, :-1], TEXT[:, 1:]))
    nats, tokens, _ = network.nats(inputs, targets, valid)
    rows = [row[: length + 1] for row, length in zip(TEXT, lengths, strict=True)]
    expected = sum(nats_of(network, row) + nats_of(network.behind, row.flip(0)) for row in rows) / 2
    assert float(nats.detach()) == pytest.approx(expected, rel=1e-5)
    assert int(tokens) == 12


def test_both_stacks_learn_and_share_embedding_and_output() -> None:
    network = both_ways(tied=True)
    assert network.behind.embedding is network.embedding
    assert network.behind.output is network.output
    assert network.output.weight is network.embedding.weight
    network.nats(TEXT[:, :-1], TEXT[:, 1:])[0].backward()
    assert all(weights.grad is not None and bool(weights.grad.abs().sum() > 0) for weights in network.parameters())
    alone = LanguageOptions("gru", 6, embedding_size=6, tied=True).build(9)
    stack = sum(weights.numel() for weights in alone.recurrent.parameters())
    assert sum(w.numel() for w in network.parameters()) == sum(w.numel() for w in alone.parameters()) + stack
    assert network.flops() == {part: 2 * cost for part, cost in alone.flops().items()}


def test_what_continues_a_text_is_the_forward_stack() -> None:
    network = both_ways()
    before, _ = network.eval()(TEXT)
    with torch.no_grad():
        for weights in network.behind.recurrent.parameters():
            weights.zero_()
    torch.testing.assert_close(network(TEXT)[0], before)
