import copy
import itertools
import re
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlab.cells import CELLS, Cell
from seqlab.cells.cell import LinearCell, ScannedCell, State, Weights
from seqlab.cells.rnn import RNN
from seqlab.errors import UserError
from seqlab.recurrence import scan as scan_module
from seqlab.recurrence import stack as recurrent_module
from seqlab.recurrence.backends import fastest
from seqlab.recurrence.lengths import backwards
from seqlab.recurrence.linear_scan import linear_scan
from seqlab.recurrence.stack import Recurrent

SIZE, WIDTH, BATCH, TIME = 5, 7, 4, 9
LENGTHS = (9, 3, 1, 6)
TORCH: dict[str, Any] = {
    "rnn": nn.RNN,
    "rnn_relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}
OWN_BACKENDS = ("scan", "reference")


def stack(variant: str | Cell, hidden_size: Any = WIDTH, num_layers: int | None = None, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(variant, SIZE, hidden_size, num_layers, **options).double()


def numbers(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def first_state(network: Recurrent) -> State:
    return tuple(numbers(*part.shape, seed=7 + row) for row, part in enumerate(network.zero_state(BATCH)))


def everything(network: Recurrent, state: State | None, lengths: Tensor | None) -> dict[str, Tensor]:
    """Outputs, states and every gradient, of a loss in which no element counts like another."""
    network.zero_grad()
    inputs = numbers(BATCH, TIME, SIZE).requires_grad_()
    given = None if state is None else tuple(part.clone().requires_grad_() for part in state)
    outputs, last = network(inputs, given, lengths)
    loss = sum((part * numbers(*part.shape, seed=20 + row)).sum() for row, part in enumerate((outputs, *last)))
    assert isinstance(loss, Tensor)
    loss.backward()
    found = {"outputs": outputs, **{f"last {row}": part for row, part in enumerate(last)}, "inputs": inputs.grad}
    found |= {f"first {row}": part.grad for row, part in enumerate(given or ())}
    return {**found, **{name: parameter.grad for name, parameter in network.named_parameters()}}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-11) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=0, atol=tolerance, msg=lambda words, n=name: f"{n}: {words}"
        )


def scenes(layers: int, bidirectional: bool) -> list[tuple[bool, bool]]:
    return [(with_state, with_lengths) for with_state in (False, True)[: 2 - bidirectional] for with_lengths in (0, 1)]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("variant", CELLS)
def test_scan_equals_the_equations(variant: str, num_layers: int, bidirectional: bool) -> None:
    network = stack(variant, num_layers=num_layers, bidirectional=bidirectional)
    for with_state, with_lengths in scenes(num_layers, bidirectional):
        state = first_state(network) if with_state else None
        lengths = torch.tensor(LENGTHS) if with_lengths else None
        results = []
        for network.backend in OWN_BACKENDS:
            results.append(everything(network, state, lengths))
        assert_same(*results)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("variant", TORCH)
def test_every_backend_equals_torch(variant: str, num_layers: int, bidirectional: bool) -> None:
    network = stack(variant, num_layers=num_layers, bidirectional=bidirectional)
    theirs = TORCH[variant](SIZE, WIDTH, num_layers, bidirectional=bidirectional, batch_first=True).double()
    assert network.layers.state_dict().keys() == theirs.state_dict().keys()
    network.layers.load_state_dict(theirs.state_dict())
    for with_state, with_lengths in scenes(num_layers, bidirectional):
        state = first_state(network) if with_state else None
        lengths = torch.tensor(LENGTHS) if with_lengths else None
        expected = everything(Theirs(theirs), state, lengths)  # type: ignore[arg-type]
        for network.backend in ("torch", *OWN_BACKENDS):
            assert_same(everything(network, state, lengths), expected)


class Theirs(nn.Module):
    """A torch module called as a ``Recurrent`` is."""

    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, inputs: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        given: Any = state if state is None or len(state) > 1 else state[0]
        if lengths is None:
            outputs, last = self.layers(inputs, given)
        else:
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            values, last = self.layers(packed, given)
            outputs, _ = pad_packed_sequence(values, batch_first=True)
        return outputs, last if isinstance(last, tuple) else (last,)


@pytest.mark.parametrize("backend", OWN_BACKENDS)
@pytest.mark.parametrize("variant", CELLS)
def test_gradients_are_right(variant: str, backend: str) -> None:
    network = stack(variant, hidden_size=3, backend=backend)
    state = tuple(numbers(1, 2, 3, seed=row).requires_grad_() for row, _ in enumerate(network.cell.states))
    parameters = dict(network.named_parameters())

    def run(inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        held = dict(zip(parameters, rest[len(state) :], strict=True))
        given = (inputs, rest[: len(state)])
        outputs, last = torch.func.functional_call(network, held, given, {"lengths": torch.tensor([4, 2])})
        return outputs, *last

    inputs = numbers(2, 4, SIZE).requires_grad_()
    assert torch.autograd.gradcheck(run, (inputs, *state, *parameters.values()))


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

    assert torch.autograd.gradcheck(run, (inputs.requires_grad_(), *network.parameters()))


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


def test_connections_by_their_formulas() -> None:
    inputs = numbers(BATCH, TIME, SIZE)
    for connections in ("residual", "highway", "dense"):
        network = stack("gru", num_layers=3, connections=connections)
        layers = []
        for name, size in enumerate(network.connection.input_sizes):
            one = Recurrent("gru", size, WIDTH).double()
            weights = {key: value for key, value in network.layers.state_dict().items() if key.endswith(f"_l{name}")}
            one.layers.load_state_dict({key.replace(f"_l{name}", "_l0"): value for key, value in weights.items()})
            layers.append(one)
        steps = inputs
        for row, layer in enumerate(layers):
            outputs = layer(steps)[0]
            if connections == "residual":
                steps = outputs + steps if row else outputs
            elif connections == "highway":
                gate = network.connection.gates[row - 1] if row else None
                share = torch.sigmoid(steps @ gate.weight.T + gate.bias) if gate is not None else 1.0
                steps = share * outputs + (1 - share) * (steps if row else 0)
            else:
                steps = torch.cat([steps, outputs], -1) if row < 2 else outputs
        torch.testing.assert_close(network(inputs)[0], steps, rtol=0, atol=1e-12)


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


class Counted:
    """How often the scan ran and how many single steps were taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
        self.scans = self.steps = 0
        kind = type(cell)
        step, scan = kind.step, scan_module._Scan.apply

        def counted_step(*call: Any) -> State:
            self.steps += 1
            return step(*call)

        def counted_scan(*call: Any) -> tuple[Tensor, ...]:
            self.scans += 1
            return scan(*call)

        monkeypatch.setattr(kind, "step", counted_step)
        monkeypatch.setattr(scan_module._Scan, "apply", counted_scan)


@pytest.mark.parametrize("variant", [name for name, cell in CELLS.items() if isinstance(cell, ScannedCell)])
def test_the_scan_really_ran(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = stack(variant, num_layers=2)
    counted = Counted(monkeypatch, network.cell)
    network.backend = "scan"
    network(numbers(BATCH, TIME, SIZE))
    assert (counted.scans, counted.steps) == (2, 0)
    network.backend = "reference"
    network(numbers(BATCH, TIME, SIZE))
    assert (counted.scans, counted.steps) == (2, 2 * TIME)


def test_auto_looks_many_ids_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.recurrence.backends._fused_lstm_in_bf16", lambda: True)
    assert fastest(CELLS["lstm"], "cpu", 35, learning=True, ids=28, low=True, batch=256) == "torch"
    assert fastest(CELLS["lstm"], "cpu", 35, learning=True, ids=10_000, low=True, batch=256) == "scan"


@pytest.mark.parametrize(
    ("variant", "learning", "steps", "expected"),
    [
        ("gru", True, TIME, "scan"),
        ("rnn", True, TIME, "scan"),
        ("mgu", True, TIME, "scan"),
        ("gru_before", True, TIME, "scan"),
        ("gru", False, TIME, "torch"),
        ("mgu", False, TIME, "scan"),
        ("gru", False, 1, "torch"),
        ("lstm", False, 1, "reference"),
        ("mgu", False, 1, "reference"),
    ],
)
def test_auto_takes_what_was_measured_to_be_fastest(
    variant: str, learning: bool, steps: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    run, run_whole = recurrent_module.run, recurrent_module.run_whole
    monkeypatch.setattr(
        recurrent_module, "run", lambda name, *call, **more: taken.append(name) or run(name, *call, **more)
    )
    monkeypatch.setattr(recurrent_module, "run_whole", lambda *call: taken.append("torch") or run_whole(*call))
    with torch.set_grad_enabled(learning):
        stack(variant)(numbers(BATCH, steps, SIZE))
    assert taken == [expected]


@pytest.mark.parametrize("variant", [name for name, cell in CELLS.items() if isinstance(cell, LinearCell)])
def test_a_parallel_scan_equals_step_by_step(variant: str) -> None:
    cell = CELLS[variant]
    assert isinstance(cell, LinearCell)
    gates = len(cell.gates)
    for time, width in ((1, 3), (64, 3), (200, 3), (10_000, 2)):
        results = []
        for parallel in (False, True):
            projected = (3 * numbers(time, 2, gates * width)).requires_grad_()
            first = numbers(2, width, seed=5).requires_grad_()
            states = linear_scan(cell, projected, first, parallel)
            (states * numbers(*states.shape, seed=6)).sum().backward()
            results.append([states, projected.grad, first.grad])
        torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-11)
        if time <= 200:
            torch.testing.assert_close(results[0][0], by_steps(cell, projected, first), rtol=0, atol=1e-12)


def by_steps(cell: Cell, projected: Tensor, first: Tensor) -> Tensor:
    state: State = (first,)
    steps = [state := cell.step(row, state, {}) for row in projected]
    return torch.stack([step[0] for step in steps])


@pytest.mark.parametrize("variant", CELLS)
def test_copies_and_saved_weights_are_the_same_network(variant: str) -> None:
    network, inputs = stack(variant, num_layers=2), numbers(BATCH, TIME, SIZE)
    other = stack(variant, num_layers=2)
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    other.load_state_dict(network.state_dict())
    for same in (other, copy.deepcopy(network)):
        assert torch.equal(same(inputs)[0], network(inputs)[0])


@pytest.mark.parametrize("variant", CELLS)
@pytest.mark.filterwarnings("ignore")
def test_it_can_be_exported(variant: str) -> None:
    network, inputs = stack(variant, num_layers=2, backend="scan").eval(), numbers(BATCH, TIME, SIZE)
    program = torch.export.export(network, (inputs,))
    torch.testing.assert_close(program.module()(inputs)[0], network(inputs)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", CELLS)
def test_no_gradient_needs_no_graph(variant: str) -> None:
    network, inputs = stack(variant, backend="scan"), numbers(BATCH, TIME, SIZE)
    with torch.no_grad():
        assert torch.equal(network(inputs)[0], network(inputs.clone().requires_grad_())[0].detach())


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


@pytest.mark.parametrize("backend", OWN_BACKENDS)
@pytest.mark.parametrize("variant", CELLS)
def test_computed_twice_in_pieces_is_the_same(variant: str, backend: str) -> None:
    kept = stack(variant, num_layers=2, backend=backend)
    twice = stack(variant, num_layers=2, backend=backend, recompute_every=4)
    for lengths in (None, torch.tensor(LENGTHS)):
        state = first_state(kept)
        assert_same(everything(twice, state, lengths), everything(kept, state, lengths))


def test_pieces_of_both_directions_and_of_ids() -> None:
    options = {"bidirectional": True, "weight_drop": 0.3}
    results = []
    for every in (None, 2):
        network = stack("lstm", recompute_every=every, backend="scan", **options)
        torch.manual_seed(5)
        results.append(everything(network, None, torch.tensor(LENGTHS)))
    assert_same(*results)
    ids = torch.arange(8).view(2, 4) % SIZE
    gradients = []
    for every in (None, 3):
        network = stack("gru", recompute_every=every, backend="scan")
        network(ids)[0].square().sum().backward()
        gradients.append({name: weight.grad for name, weight in network.named_parameters()})
    assert_same(*gradients)


def test_pieces_run_again_under_the_same_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    results, seen = [], []
    made = scan_module.Tape
    monkeypatch.setattr(scan_module, "Tape", lambda *given: (seen.append(given[4]), made(*given))[1])
    for every in (None, 4):
        network = stack("gru", recompute_every=every, backend="scan").float()
        with torch.autocast("cpu", torch.bfloat16):
            outputs, _ = network(numbers(BATCH, TIME, SIZE).float())
        seen.clear()
        outputs.square().sum().backward()
        results.append({"outputs": outputs, **{name: weight.grad for name, weight in network.named_parameters()}})
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=2e-2, atol=2e-2)
    assert seen == [torch.bfloat16] * 3


def test_pieces_keep_no_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each piece the tape is gone when the next begins."""
    alive: list[weakref.ref[Any]] = []
    made = scan_module.Tape

    def noted(*arguments: Any) -> Any:
        assert not [tape for tape in alive if tape() is not None]
        tape = made(*arguments)
        alive.append(weakref.ref(tape))
        return tape

    monkeypatch.setattr(scan_module, "Tape", noted)
    network = stack("gru", recompute_every=3, backend="scan")
    outputs, _ = network(numbers(BATCH, TIME, SIZE))
    assert len(alive) == 3
    outputs.sum().backward()
    assert len(alive) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recompute_every": 0}, "recompute_every 0 must be a whole number of at least 1"),
        (
            {"recompute_every": 4, "backend": "torch"},
            "recompute_every needs a backend of our own; leave out backend torch",
        ),
    ],
)
def test_pieces_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        stack("gru", **options)


def test_reversing_twice_changes_nothing_and_can_be_differentiated_twice() -> None:
    values, lengths = numbers(TIME, BATCH, 2).requires_grad_(), torch.tensor(LENGTHS)
    turned = backwards(values, lengths)
    for row, length in enumerate(LENGTHS):
        assert torch.equal(turned[:length, row], values[:length, row].flip(0))
        assert torch.equal(turned[length:, row], values[length:, row])
    assert torch.equal(backwards(turned, lengths), values)
    assert torch.autograd.gradcheck(lambda given: backwards(given, lengths), values)
    assert torch.autograd.gradgradcheck(lambda given: backwards(given, lengths), values)


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 1])])
@pytest.mark.parametrize("learning", [True, False])
def test_torch_runs_in_training_mode_where_gradients_are_wanted(
    learning: bool, lengths: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, gru = [], torch.gru
    place = 6 if lengths is None else 7
    monkeypatch.setattr(torch, "gru", lambda *given: modes.append(given[place]) or gru(*given))
    stack = Recurrent(CELLS["gru"], 2, [4, 3], 2, backend="torch")
    with torch.set_grad_enabled(learning):
        stack(torch.ones(2, 3, 2), None, lengths)
    assert modes == [learning] * 2
