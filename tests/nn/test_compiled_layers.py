from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.native.compiler import wide
from seqlab.nn import compiled_layers
from seqlab.nn.transformer import FeedForward, Layer, Transformer, TransformerOptions
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions

pytestmark = pytest.mark.skipif(wide().library is None, reason=wide().reason or "there is")
OPTIONS = TransformerOptions(hidden_size=64, num_heads=2, dropout=0.0)


def vectors() -> Tensor:
    return torch.randn(4, 20, 64, generator=torch.Generator().manual_seed(0))


def runs(options: TransformerOptions = OPTIONS, across: bool = False, seen: Tensor | None = None) -> bool:
    return taken([Layer(options, across)], vectors(), seen)


def taken(layers: list[Layer], x: Tensor, seen: Tensor | None = None) -> bool:
    """Whether compiled code runs the layers."""
    return compiled_layers.run(layers, x, None, seen, None, False) is not None


def test_options_that_compiled_code_knows() -> None:
    assert runs()
    assert runs(replace(OPTIONS, activation="relu", bias=False, dropout=0.5))
    assert not runs(replace(OPTIONS, activation="swiglu"))
    assert not runs(replace(OPTIONS, norm="after"))
    assert not runs(replace(OPTIONS, attention_dropout=0.5))
    assert not runs(across=True)


def test_masks_that_compiled_code_knows() -> None:
    assert runs(seen=torch.ones(4, 1, 1, 20, dtype=torch.bool))
    assert not runs(seen=torch.ones(1, 1, 20, 20, dtype=torch.bool))


def stack() -> tuple[Transformer, list[Layer]]:
    made = Transformer(replace(OPTIONS, num_layers=2))
    return made, made.each_layer()


def test_who_looks_at_a_part_sees_what_goes_through_it() -> None:
    made, layers = stack()
    for part in (layers[1], layers[1].feed_forward.output):
        seen: list[torch.Size] = []
        handle = part.register_forward_hook(lambda _, given, __, seen=seen: seen.append(given[0].shape[:2]))
        made(vectors(), causal=True)
        assert seen == [(4, 20)]
        handle.remove()
    assert taken(layers, vectors())
    layers[0].attention.recorded = []
    made(vectors(), causal=True)
    assert layers[0].attention.recorded[0].shape == (4, 2, 20, 20)


def test_a_part_that_is_replaced_is_used() -> None:
    class Louder(nn.LayerNorm):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    class Silent(Layer):
        def forward(self, x: Tensor, *given: Any, **named: Any) -> Any:
            return 0 * x, super().forward(x, *given, **named)[1]

    class Endless(FeedForward):
        def forward(self, x: Tensor) -> Tensor:
            return torch.full_like(x, torch.nan)

    made, layers = stack()
    layers[1].norms[1] = Louder(64)
    assert not taken(layers, vectors())
    made.layers[1] = Silent(OPTIONS)
    assert not made(vectors())[0].any()
    made, layers = stack()
    layers[1].feed_forward = Endless(OPTIONS)
    assert made(vectors())[0].isnan().all()


def test_layers_of_different_sizes_are_for_torch() -> None:
    others: list[dict[str, Any]] = [
        {"feedforward_size": 512},
        {"num_heads": 1},
        {"activation": "relu"},
        {"bias": False},
    ]
    for options in others:
        assert not taken([Layer(OPTIONS), Layer(replace(OPTIONS, **options))], vectors())
    layers = [Layer(OPTIONS), Layer(OPTIONS)]
    assert taken(layers, vectors())
    layers[1].norms[1].eps = 1e-3
    assert not taken(layers, vectors())


def test_autocast_and_double_precision_are_for_torch() -> None:
    _, layers = stack()
    with torch.autocast("cpu", torch.bfloat16):
        assert not taken(layers, vectors())
    assert not taken([layer.double() for layer in layers], vectors().double())


def network(**options: object) -> TransformerLanguage:
    torch.manual_seed(0)
    given = {"hidden_size": 64, "num_heads": 2, "num_layers": 2, "dropout": 0.3, **options}
    return TransformerLanguage(11, TransformerLanguageOptions(**given))  # type: ignore[arg-type]


def learned(made: TransformerLanguage, ids: Tensor) -> list[Tensor]:
    torch.manual_seed(1)
    nats, _, _ = made.nats(ids, ids)
    return [nats.detach(), *torch.autograd.grad(nats, [*made.parameters()])]


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
def test_a_network_learns_as_without_it(positions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same dropout masks, within rounding."""
    made, ids = network(positions=positions), torch.arange(84).view(3, 28) % 11
    found = learned(made, ids)
    monkeypatch.setattr(compiled_layers, "run", lambda *_: None)
    plain = learned(made, ids)
    assert not all(map(torch.equal, found, plain)), "both by the same code"
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_keys_and_values_go_on_as_without_it() -> None:
    """A text at once is a text in two parts, of which compiled code takes the first alone."""
    made, ids = network().eval(), torch.arange(210).view(3, 70) % 11
    with torch.no_grad():
        whole, _ = made(ids)
        first, state = made(ids[:, :40])
        second, _ = made(ids[:, 40:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-5, atol=1e-5)
