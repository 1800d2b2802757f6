"""Base classes of recurrent cells: weights, the equations of a step, and hand-written in-place forward and backward."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.tape import Gradient, Tape
from seqlab.native.lookup import columns
from seqlab.native.products import linear

State = tuple[Tensor, ...]
Weights = Mapping[str, Tensor]


def worth_a_table(inputs: Tensor, weight: Tensor) -> bool:
    """Whether inputs are ids, with fewer possible ids than inputs."""
    return not inputs.is_floating_point() and weight.shape[1] < inputs.numel()


def finished_product(inputs: Tensor, weight: Tensor, finish: Callable[[Tensor], Tensor]) -> Tensor:
    """``finish(weight @ inputs)`` of inputs ``(..., input_size)``, or of ids ``(...)`` that stand for one-hot vectors.

    ``finish`` acts on each row by itself, so with few ids each id is computed once. With many ids, a table of their
    gradients would cost far more than looking up columns.
    """
    if inputs.is_floating_point():
        return finish(linear(inputs, weight))
    if worth_a_table(inputs, weight):
        return F.embedding(inputs, finish(weight.t()))
    return finish(columns(weight, inputs.flatten())).unflatten(0, inputs.shape)


def input_product(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``weight @ inputs + bias``, for the same inputs."""
    if inputs.is_floating_point():
        return linear(inputs, weight, bias)
    return finished_product(inputs, weight, lambda rows: rows + bias)


class Cell(ABC):
    """One recurrence over time.

    ``step`` holds the equations. The weights are laid out as ``torch.nn`` lays them out: ``weight_ih``
    ``(gates * hidden_size, input_size)``, ``weight_hh`` ``(gates * hidden_size, hidden_size)``, ``bias_ih`` and
    ``bias_hh`` ``(gates * hidden_size,)``, with the gates stacked in the order of ``gates``.

    The first part of the state is the output of the step. ``sigmoids`` are the sigmoid gates, ``constants`` are weights
    with a fixed initial value under every initialization, ``torch_name`` is torch's function with the same equations,
    if there is one.
    """

    gates: ClassVar[tuple[str, ...]]
    sigmoids: ClassVar[tuple[str, ...]] = ()
    states: ClassVar[tuple[str, ...]] = ("h",)
    forget_gate: ClassVar[str | None] = None
    constants: ClassVar[Mapping[str, float]] = {}
    torch_name: str | None = None

    def __call__(self, inputs: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
        """One step from inputs ``(batch, input_size)`` and a state to the output and the next state."""
        state = self.step(self.project(inputs, weights), state, weights)
        return state[0], state

    def __deepcopy__(self, memo: object) -> "Cell":
        """The cell itself: it has no state, and a copied network keeps the cell of its row in ``CELLS``."""
        return self

    def zero_state(self, batch_size: int, weights: Weights) -> State:
        """The state before the first step, each part ``(batch_size, hidden_size)``."""
        weight = weights["weight_ih"]
        size = len(weight) // len(self.gates)
        return tuple(weight.new_zeros(batch_size, size) for _ in self.states)

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Shape of each weight."""
        rows = len(self.gates) * hidden_size
        return {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Input product of all steps, from inputs ``(..., input_size)`` or ids: ``(..., gates * hidden_size)``."""
        return input_product(inputs, weights["weight_ih"], weights["bias_ih"])

    @abstractmethod
    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        """One step.

        Args:
            projected: ``(batch, gates * hidden_size)``, from ``project``.
            state: State before the step, each part ``(batch, hidden_size)``.
            weights: Weights of the cell.

        Returns:
            The state after the step; its first part is the output.
        """


def log_positive(y: Tensor) -> Tensor:
    """log g(y), with g(y) = y + 1/2 for y >= 0, otherwise sigmoid(y): positive, continuous, increasing (Feng et al.
    2024)."""
    return torch.where(y >= 0, (F.relu(y) + 0.5).log(), F.logsigmoid(y))


class LinearCell(Cell):
    """A recurrence h' = a * h + b; a and b depend only on the input, so that a parallel scan over time is possible.

    The cell has no recurrent weights and no recurrent biases. a lies in (0, 1), b is above 0.
    """

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        rows = len(self.gates) * hidden_size
        return {"weight_ih": (rows, input_size), "bias_ih": (rows,)}

    @abstractmethod
    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """a and b ``(..., hidden_size)`` of projected inputs ``(..., gates * hidden_size)``."""

    @abstractmethod
    def log_coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of a and b."""

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        a, b = self.coefficients(projected)
        return (a * state[0] + b,)


class Kernel(NamedTuple):
    """Compiled code for ``forward`` and ``backward`` of a cell over time, see ``seqlab.native``.

    Args:
        name: Name of its functions.
        vectors: Weights that it reads in addition to the recurrent weights.
        kept: Buffers of the tape that it fills in addition to the blocks.
        norms: Normalizations of the tape.
        given_back: Buffers of the gradient that it fills in addition to the blocks, and their widths in units of
            ``hidden_size``.
        reads_blocks: Whether its backward pass needs the blocks.
    """

    name: str
    vectors: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    given_back: tuple[tuple[str, int], ...] = ()
    reads_blocks: bool = True


class ScannedCell(Cell):
    """A cell that runs over all time steps in place, with hand-written backpropagation through time.

    Given the values of the forward pass, the gradient of every gate is linear in the gradient of the state. So the
    factors are computed at once for all time steps, and the backward pass needs only a few products per step.

    ``blocks`` names the buffers of a step in memory order: first the gates in their order, then any others.
    ``recurrent`` names the block for a gate's recurrent product, if it is not the gate itself. ``kernel`` names
    compiled code for the same computation, if there is any.
    """

    blocks: tuple[str, ...]
    recurrent: Mapping[str, str] = {}
    kernel: Kernel | None = None

    def prepare(self, tape: Tape) -> None:
        """Allocates the buffers of a tape in addition to blocks and states."""

    @abstractmethod
    def forward(self, tape: Tape) -> None:
        """Runs from ``tape.states[k][0]`` to the end; fills ``tape.states`` and the buffers for ``backward``."""

    @abstractmethod
    def backward(self, tape: Tape, gradient: Gradient) -> None:
        """Runs backward from the end; fills ``gradient.blocks`` and ends with the gradient of the first state."""

    def weight_gradients(self, tape: Tape, gradient: Gradient) -> None:
        """Computes the gradient of every recurrent weight, once over all time steps."""
        gradient.recurrent(self.gates[0], self.gates[-1], tape.states[0][:-1])
