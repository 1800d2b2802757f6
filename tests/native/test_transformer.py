import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native import transformer
from seqlab.native.compiler import wide
from seqlab.native.transformer import Given, Plain, Shape, Weights, able, layers

pytestmark = pytest.mark.skipif(wide().library is None, reason=wide().reason or "there is")
BATCH, HEADS, SIZE, INNER = 3, 2, 64, 96
NOTHING = Given(None, None, None, None, None)


@pytest.fixture(autouse=True)
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(transformer, "EACH", 1)


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights_of(bias: bool) -> list[Tensor | None]:
    shapes: list[tuple[int, ...]] = [(SIZE,), (3 * SIZE, SIZE), (SIZE, SIZE), (SIZE,), (INNER, SIZE), (SIZE, INNER)]
    pairs = [
        (draws(*shape, seed=n) / 4, draws(shape[0], seed=n + 9) / 4 if bias else None) for n, shape in enumerate(shapes)
    ]
    return [one for pair in pairs for one in pair]


def given_of(time: int, rotary: bool, padded: bool, dropped: bool) -> Given:
    angles = draws(time, SIZE // HEADS // 2, seed=20).repeat(1, 2)
    seen = torch.arange(time) < torch.tensor([[1], [time], [time // 2 + 1]])
    masks = [2 * (draws(BATCH, time, SIZE, seed=n) > 0).double() if dropped else None for n in (21, 22)]
    cos, sin = (angles.cos(), angles.sin()) if rotary else (None, None)
    return Given(cos, sin, seen if padded else None, *masks)


def equations(x: Tensor, weights: list[Tensor | None], shape: Shape, given: Given) -> tuple[Tensor, Tensor]:
    """The layer position by position, without anything of the package."""
    w, (batch, time, _) = Weights(*weights), x.shape

    def rotated(v: Tensor) -> Tensor:
        if given.cos is None or given.sin is None:
            return v
        first, second = v.chunk(2, -1)
        return v * given.cos + torch.cat([-second, first], -1) * given.sin

    projected = F.linear(F.layer_norm(x, (SIZE,), w.first, w.first_shift, shape.epsilon), w.inputs, w.inputs_bias)
    q, k, v = (part.view(batch, time, HEADS, -1).transpose(1, 2) for part in projected.chunk(3, -1))
    scores = rotated(q) @ rotated(k).transpose(-1, -2) / (SIZE // HEADS) ** 0.5
    if shape.causal:
        scores = scores.masked_fill(~torch.ones(time, time, dtype=torch.bool).tril(), -torch.inf)
    if given.seen is not None:
        scores = scores.masked_fill(~given.seen[:, None, None], -torch.inf)
    mixed = F.linear((scores.softmax(-1) @ v).transpose(1, 2).flatten(2), w.output, w.output_bias)
    middle = x + (mixed if given.mask_1 is None else given.mask_1 * mixed)
    inside = F.linear(F.layer_norm(middle, (SIZE,), w.second, w.second_shift, shape.epsilon), w.up, w.up_bias)
    inside = F.gelu(inside) if shape.activation == "gelu" else F.relu(inside)
    new = F.linear(inside, w.down, w.down_bias)
    return middle + (new if given.mask_2 is None else given.mask_2 * new), projected


def floats(tensors: list[Tensor | None]) -> list[Tensor | None]:
    return [None if one is None else one.float() if one.is_floating_point() else one for one in tensors]


def layer(x: Tensor, weights: Weights, shape: Shape, given: Given, plain: Plain) -> tuple[Tensor, Tensor]:
    """One compiled layer."""

    def one(x: Tensor) -> tuple[Tensor, Tensor]:
        y, projected = plain(x)
        return y, projected[None]

    y, (projected,) = layers(x, [weights], shape, [given], one)
    return y, projected


def with_gradients(compiled: bool, x: Tensor, weights: list[Tensor | None], shape: Shape, given: Given) -> list[Tensor]:
    leaves = [None if one is None else one.detach().clone().requires_grad_() for one in (x, *weights)]
    start, made = leaves[0], leaves[1:]
    assert start is not None

    def plain(x: Tensor) -> tuple[Tensor, Tensor]:
        return equations(x, made, shape, given)

    results = layer(start, Weights(*made), shape, given, plain) if compiled else plain(start)
    costs = [(one * draws(*one.shape, seed=30).to(one)).sum() for one in results]
    wanted = [one for one in leaves if one is not None]
    return [*(one.detach() for one in results), *torch.autograd.grad(costs[0] + costs[1], wanted)]


@pytest.mark.parametrize("time", [1, 5, 64, 71, 150])
@pytest.mark.parametrize(
    ("causal", "activation", "bias", "rotary", "padded", "dropped"),
    [
        (True, "gelu", True, True, False, False),
        (True, "gelu", False, False, False, True),
        (False, "relu", True, False, True, True),
        (False, "gelu", False, True, True, False),
    ],
)
def test_values_and_gradients_are_those_of_the_equations(
    time: int, causal: bool, activation: str, bias: bool, rotary: bool, padded: bool, dropped: bool
) -> None:
    """In float64, within what float32 rounds away."""
    shape, given = Shape(HEADS, causal, activation, 1e-5), given_of(time, rotary, padded, dropped)
    x, weights = draws(BATCH, time, SIZE), weights_of(bias)
    wanted = with_gradients(False, x, weights, shape, given)
    found = with_gradients(True, x.float(), floats(weights), shape, Given(*floats([*given])))
    assert len(found) == 3 + (12 if bias else 6)
    for one, exact in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), exact, rtol=0, atol=3e-6 * float(exact.abs().max()))


def test_digits_do_not_depend_on_the_number_of_threads() -> None:
    shape, given = Shape(HEADS, True, "gelu", 1e-5), Given(*floats([*given_of(75, True, False, True)]))
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(with_gradients(True, draws(BATCH, 75, SIZE).float(), floats(weights_of(True)), shape, given))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0)


def above(weights: list[list[Tensor | None]], shape: Shape, given: list[Given]) -> Plain:
    """Layers of which each is the input of the next, by the equations."""

    def plain(x: Tensor) -> tuple[Tensor, Tensor]:
        projected = []
        for own, one in zip(weights, given, strict=True):
            x, found = equations(x, own, shape, one)
            projected.append(found)
        return x, torch.stack(projected)

    return plain


@pytest.mark.parametrize(
    ("count", "parts"), [(1, (True, True)), (2, (True, False)), (3, (False, True)), (4, (True, True))], ids=str
)
def test_layers_above_each_other(count: int, parts: tuple[bool, bool]) -> None:
    """Values and gradients of what comes out, of the projections, or of both; and values where nothing learns."""
    shape = Shape(HEADS, True, "gelu", 1e-5)
    given = [Given(*floats([*given_of(30, True, True, dropped=number % 2 == 1)])) for number in range(count)]
    x = draws(BATCH, 30, SIZE).float().requires_grad_()
    weights = [[one if one is None else one + number / 50 for one in weights_of(True)] for number in range(count)]
    made = [[None if one is None else one.float().requires_grad_() for one in own] for own in weights]
    plain = above(made, shape, given)
    found, wanted = layers(x, [Weights(*own) for own in made], shape, given, plain), plain(x)
    leaves = [x, *(one for own in made for one in own if one is not None)]
    grads = [
        torch.autograd.grad(
            sum((one * draws(*one.shape, seed=n).float()).sum() for n, one in enumerate(made) if parts[n]),
            leaves,
            allow_unused=True,
            materialize_grads=True,
        )
        for made in (found, wanted)
    ]
    for one, exact in zip((*found, *grads[0]), (*wanted, *grads[1]), strict=True):
        torch.testing.assert_close(one, exact, rtol=0, atol=2e-5 * float(exact.detach().abs().max()))
    with torch.no_grad():
        again = layers(x, [Weights(*own) for own in made], shape, given, plain)
    torch.testing.assert_close(again, found, rtol=0, atol=0)


def test_a_part_that_nobody_needs() -> None:
    """Gradients of the vectors alone, of the projection alone, and twice from one graph."""
    shape, given = Shape(HEADS, True, "gelu", 1e-5), NOTHING
    x, weights = draws(BATCH, 9, SIZE).float().requires_grad_(), floats(weights_of(False))
    y, projected = layer(x, Weights(*weights), shape, given, lambda x: equations(x, weights, shape, given))
    exact, exact_projected = equations(x, weights, shape, given)
    for one, other in ((y, exact), (projected, exact_projected), (y, exact)):
        (found,), (wanted,) = (torch.autograd.grad(made.sum(), x, retain_graph=True) for made in (one, other))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_gradients_can_be_differentiated_again() -> None:
    shape, given = Shape(HEADS, True, "gelu", 1e-5), NOTHING
    x, weights = draws(BATCH, 9, SIZE).float().requires_grad_(), floats(weights_of(True))
    of_weights = [one.requires_grad_() for one in weights if one is not None]
    for part in (0, 1):
        found = []
        for made in (
            layer(x, Weights(*weights), shape, given, lambda x: equations(x, weights, shape, given)),
            equations(x, weights, shape, given),
        ):
            slope, *_ = torch.autograd.grad(
                (made[part] ** 2).sum(), [x, *of_weights], create_graph=True, allow_unused=True
            )
            found.append(torch.autograd.grad((slope**2).sum(), x)[0])
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4 * float(found[1].abs().max()))


def test_extremes() -> None:
    """Scores in the thousands weigh one key alone, and what is no number is seen."""
    shape, given = Shape(HEADS, True, "gelu", 1e-5), NOTHING
    x, weights = draws(BATCH, 9, SIZE).float(), floats([one if one is None else 50 * one for one in weights_of(False)])
    y, _ = layer(x, Weights(*weights), shape, given, lambda x: equations(x, weights, shape, given))
    wanted = equations(x.double(), [one if one is None else one.double() for one in weights], shape, given)[0]
    torch.testing.assert_close(y.double(), wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))
    x[1, 4, 2] = torch.nan
    y, _ = layer(x, Weights(*weights), shape, given, lambda x: equations(x, weights, shape, given))
    assert y[1, 4:].isnan().all()
    assert not y[0].isnan().any()


def test_what_compiled_code_takes() -> None:
    x, weight = torch.zeros(4, 16, SIZE), torch.zeros(3, 3)
    assert able(x, HEADS, INNER, [weight])
    assert not able(x.double(), HEADS, INNER, [weight])
    assert not able(x, HEADS, INNER, [weight.double()])
    assert not able(x, HEADS, INNER, [torch.zeros(3, 4).t()])
    assert not able(x, 8, INNER, [weight])  # heads of 8
    assert not able(x, HEADS, 40, [weight])
    assert not able(x[:, :3], HEADS, INNER, [weight])  # packing the weights would not pay
