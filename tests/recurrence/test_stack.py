import copy
import itertools
import re
from typing import Any

import pytest
import torch
from few_cells import few_cells
from stacks import BATCH, LENGTHS, OWN_BACKENDS, SIZE, TIME, WIDTH, assert_same, everything, numbers, stack
from torch import Tensor, nn

from seqlab.cells import CELLS
from seqlab.cells.cell import State, Weights
from seqlab.cells.rnn import RNN
from seqlab.errors import UserError
from seqlab.recurrence import backends
from seqlab.recurrence.stack import Recurrent

OPTIONS: dict[str, dict[str, Any]] = {
    "hidden_size": {"hidden_size": [6, 4, 7], "num_layers": None},
    "bidirectional": {"bidirectional": True},
    "residual": {"connections": "residual"},
    "highway": {"connections": "highway"},
    "dense": {"connections": "dense"},
    "learned_state": {"learned_state": True},
    "dropout": {"dropout": 0.5},
    "variational": {"dropout": 0.5, "variational": True},
    "weight_drop": {"weight_drop": 0.5},
}


@pytest.mark.parametrize("backend", ["torch", *OWN_BACKENDS])
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_changes_the_function_and_its_gradient_is_right(option: str, backend: str) -> None:
    options: dict[str, Any] = {"hidden_size": 4, "num_layers": 3, "backend": backend, **OPTIONS[option]}
    plain, network = stack("gru", 4, 3, backend=backend), stack("gru", **options)
    if option == "learned_state":
        for part in network.first_state.values():
            nn.init.normal_(part)
    inputs = numbers(2, 4, SIZE)
    torch.manual_seed(3)
    outputs, _ = network(inputs)
    assert outputs.shape != plain(inputs)[0].shape or not torch.allclose(outputs, plain(inputs)[0])

    def run(inputs: Tensor, *weights: Tensor) -> Tensor:
        torch.manual_seed(3)
        held = dict(zip(dict(network.named_parameters()), weights, strict=True))
        result: Tensor = torch.func.functional_call(network, held, inputs)[0]
        return result

    assert torch.autograd.gradcheck(run, (inputs.requires_grad_(), *network.parameters()), fast_mode=True)


@pytest.mark.parametrize("option", OPTIONS)
def test_options_mean_the_same_to_every_backend(option: str) -> None:
    options: dict[str, Any] = {"hidden_size": 4, "num_layers": 3, **OPTIONS[option]}
    network = stack("lstm", **options)
    lengths = torch.tensor(LENGTHS)
    results = []
    for network.backend in ("torch", *OWN_BACKENDS):
        network.eval()
        results.append(everything(network, None, lengths))
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


def test_a_first_state_is_learned() -> None:
    network = stack("lstm", num_layers=2, learned_state=True)
    inputs = numbers(BATCH, TIME, SIZE)
    torch.testing.assert_close(network(inputs)[0], stack("lstm", num_layers=2)(inputs)[0], rtol=0, atol=0)
    with torch.no_grad():
        network.first_state["c"].fill_(0.5)
    given = torch.zeros(2, BATCH, WIDTH).double(), torch.full((2, BATCH, WIDTH), 0.5).double()
    assert torch.equal(network(inputs)[0], network(inputs, given)[0])


def test_a_variational_mask_holds_over_time() -> None:
    for variational in (False, True):
        zeroed = _zeroed_between_layers(variational)
        assert float(zeroed.double().mean()) == pytest.approx(0.5, abs=0.1)
        assert bool((zeroed == zeroed[:1]).all()) == variational
        assert not torch.equal(zeroed[:, 0], zeroed[:, 1])


def _zeroed_between_layers(variational: bool) -> Tensor:
    """Which units were dropped: ``(time, batch, size)``."""
    network = stack("rnn", 64, 2, dropout=0.5, variational=variational, backend="scan")
    seen: list[Tensor] = []
    network.dropout.register_forward_hook(lambda *call: seen.append(call[2] == 0))
    network(numbers(BATCH, TIME, SIZE))
    return seen[0]


def test_weight_drop_zeroes_recurrent_weights_while_training() -> None:
    seen: list[Tensor] = []

    class Seen(RNN):
        def step(self, projected: Tensor, state: State, weights: Weights) -> State:
            seen.append(weights["weight_hh"])
            return super().step(projected, state, weights)

    network = stack(Seen(), 40, weight_drop=0.25, backend="reference")
    network(numbers(BATCH, 3, SIZE))
    assert float((seen[0] == 0).double().mean()) == pytest.approx(0.25, abs=0.05)
    assert torch.equal(seen[0], seen[2])  # one mask for all steps
    seen.clear()
    network.eval()(numbers(BATCH, 3, SIZE))
    assert torch.equal(seen[0], dict(network.layers.named_parameters())["weight_hh_l0"])


@pytest.mark.parametrize("backend", ["torch", *OWN_BACKENDS])
def test_sequences_without_padding_are_sequences_without_lengths(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last digit, and nothing is sorted or packed for them."""
    monkeypatch.setattr(backends, "pack_padded_sequence", None)
    network = stack("gru", bidirectional=True, backend=backend)
    inputs = numbers(BATCH, TIME, SIZE)
    (outputs, (last,)), (wanted, (end,)) = network(inputs, lengths=torch.full((BATCH,), TIME)), network(inputs)
    assert torch.equal(outputs, wanted)
    assert torch.equal(last, end)


@pytest.mark.parametrize("backend", ["torch", *OWN_BACKENDS])
@pytest.mark.parametrize("variant", ["gru", "lstm"])
def test_what_lies_behind_a_length_changes_nothing(variant: str, backend: str) -> None:
    network = stack(variant, num_layers=2, bidirectional=True, backend=backend)
    inputs, lengths = numbers(BATCH, TIME, SIZE), torch.tensor(LENGTHS)
    outputs, last = network(inputs, lengths=lengths)
    dirty = inputs.clone()
    for row, length in enumerate(LENGTHS):
        dirty[row, length:] = float("nan")
        assert not outputs[row, length:].any()
        alone, own = network(inputs[row : row + 1, :length])
        torch.testing.assert_close(outputs[row, :length], alone[0], rtol=0, atol=1e-12)
        for part, expected in zip(last, own, strict=True):
            torch.testing.assert_close(part[:, row], expected[:, 0], rtol=0, atol=1e-12)
    again = dirty.requires_grad_()
    results, _ = network(again, lengths=lengths)
    assert torch.equal(results, outputs)
    results.sum().backward()
    assert again.grad is not None
    assert bool(again.grad.isfinite().all())


@pytest.mark.parametrize("variant", CELLS)
def test_windows_with_the_state_carried_equal_one_pass(variant: str) -> None:
    network = stack(variant, [7, 5])
    inputs = numbers(BATCH, 12, SIZE)
    whole, last = network(inputs)
    state, pieces = None, []
    for window in inputs.split([5, 1, 4, 2], dim=1):
        outputs, state = network(window, state)
        pieces.append(outputs)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-12)
    assert state is not None
    torch.testing.assert_close(state, last, rtol=0, atol=1e-12)
    assert {part.shape for part in last} == {(2, BATCH, 7)}


@pytest.mark.parametrize("backend", OWN_BACKENDS)
@pytest.mark.parametrize("variant", CELLS)
def test_no_output_sees_a_later_input(variant: str, backend: str) -> None:
    network = stack(variant, num_layers=2, backend=backend)
    inputs = numbers(BATCH, TIME, SIZE)
    before, _ = network(inputs)
    for t in range(1, TIME):
        changed = inputs.clone()
        changed[:, t] += 1
        after, _ = network(changed)
        assert torch.equal(after[:, :t], before[:, :t])
        assert not torch.allclose(after[:, t:], before[:, t:])


@pytest.mark.parametrize("backend", ["auto", *OWN_BACKENDS])
@pytest.mark.parametrize("variant", CELLS)
def test_ids_stand_for_one_hot_vectors(variant: str, backend: str) -> None:
    network = stack(variant, num_layers=2, backend=backend)
    ids = torch.randint(SIZE, (BATCH, TIME))
    vectors = nn.functional.one_hot(ids, SIZE).double()
    torch.testing.assert_close(network(ids)[0], network(vectors)[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("variant", CELLS)
def test_a_state_of_another_precision_is_taken(variant: str) -> None:
    network = stack(variant)
    inputs = numbers(BATCH, TIME, SIZE)
    state = tuple(part.float() for part in network(inputs)[1])
    outputs, last = network(inputs, state)
    assert outputs.dtype == last[0].dtype == torch.float64
    assert torch.equal(outputs, network(inputs, tuple(part.double() for part in state))[0])


@pytest.mark.parametrize("backend", ["auto", *OWN_BACKENDS])
@pytest.mark.parametrize("variant", CELLS)
def test_under_autocast_the_state_stays_in_full_precision(variant: str, backend: str) -> None:
    torch.manual_seed(0)
    network = Recurrent(variant, 16, 32, 2, backend=backend)
    inputs = torch.randn(BATCH, 20, 16)
    expected, _ = network(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, last = network(inputs)
        outputs.float().sum().backward()
    if backend == "scan":
        assert {part.dtype for part in (outputs, *last)} == {torch.float32}
    assert float((outputs.float() - expected).abs().mean().detach()) < 0.01
    assert not torch.equal(outputs.float(), expected)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("variant", CELLS)
def test_copies_and_saved_weights_are_the_same_network(variant: str) -> None:
    network, inputs = stack(variant, num_layers=2), numbers(BATCH, TIME, SIZE)
    other = stack(variant, num_layers=2)
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    other.load_state_dict(network.state_dict())
    for same in (other, copy.deepcopy(network)):
        assert torch.equal(same(inputs)[0], network(inputs)[0])


@few_cells
@pytest.mark.filterwarnings("ignore")
def test_it_can_be_exported(cell: str) -> None:
    network, inputs = stack(cell, num_layers=2, backend="scan").eval(), numbers(BATCH, TIME, SIZE)
    program = torch.export.export(network, (inputs,))
    torch.testing.assert_close(program.module()(inputs)[0], network(inputs)[0], rtol=0, atol=1e-12)


def test_weights_that_are_frozen_stay_without_gradient() -> None:
    network = stack("gru", backend="scan")
    weights = dict(network.layers.named_parameters())
    weights["weight_hh_l0"].requires_grad_(False)
    network(numbers(BATCH, TIME, SIZE))[0].sum().backward()
    assert weights["weight_hh_l0"].grad is None
    assert weights["weight_ih_l0"].grad is not None


def test_dropout_lies_between_layers_alone() -> None:
    inputs = numbers(BATCH, TIME, SIZE)
    for backend, (num_layers, differs) in itertools.product(("torch", "scan"), ((1, False), (2, True))):
        dropping, keeping = (stack("gru", num_layers=num_layers, dropout=d, backend=backend) for d in (0.5, 0.0))
        assert torch.equal(dropping(inputs)[0], keeping(inputs)[0]) != differs
        assert torch.equal(dropping.eval()(inputs)[0], keeping.eval()(inputs)[0])


@pytest.mark.parametrize(
    ("cell", "words"),
    [("gro", "did you mean 'gru'?"), ("transformer", f"choose one of {', '.join(sorted(CELLS))}")],
)
def test_unknown_cell(cell: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        Recurrent(cell, 5, 7)
    assert str(caught.value) == f"unknown cell '{cell}': {words}"


def test_a_carried_state_needs_one_direction() -> None:
    network = stack("gru", bidirectional=True)
    words = "a bidirectional stack takes no state: its backward half starts at the end of a sequence"
    with pytest.raises(UserError, match=f"^{words}$"):
        network(numbers(BATCH, TIME, SIZE), network.zero_state(BATCH))


@pytest.mark.parametrize("wrong", [[9, 3, 0, 6], [9, 3, 10, 6]])
def test_lengths_lie_within_the_steps(wrong: list[int]) -> None:
    words = re.escape(f"lengths {wrong} must lie between 1 and the 9 steps")
    with pytest.raises(UserError, match=f"^{words}$"):
        stack("gru")(numbers(BATCH, TIME, SIZE), lengths=torch.tensor(wrong))
