from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from seqlab.native.compiler import wide
from seqlab.nn import compiled_layer
from seqlab.nn.transformer import Layer, TransformerOptions
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions

pytestmark = pytest.mark.skipif(wide().library is None, reason=wide().reason or "there is")
OPTIONS = TransformerOptions(hidden_size=64, num_heads=2, dropout=0.0)


def vectors() -> Tensor:
    return torch.randn(4, 20, 64, generator=torch.Generator().manual_seed(0))


def runs(options: TransformerOptions = OPTIONS, across: bool = False, seen: Tensor | None = None) -> bool:
    return compiled_layer.runs(Layer(options, across), vectors(), None, seen)


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


def test_who_looks_at_a_part_sees_what_goes_through_it() -> None:
    layer, seen = Layer(OPTIONS), []
    handle = layer.feed_forward.output.register_forward_hook(lambda *given: seen.append(given[-1].shape))
    layer(vectors(), None, None, None, True)
    assert seen == [(4, 20, 64)]
    handle.remove()
    assert compiled_layer.runs(layer, vectors(), None, None)
    layer.attention.recorded = []
    layer(vectors(), None, None, None, True)
    assert layer.attention.recorded[0].shape == (4, 2, 20, 20)


def test_a_part_that_is_replaced_is_used() -> None:
    class Louder(nn.LayerNorm):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    layer = Layer(OPTIONS)
    layer.norms[1] = Louder(64)
    assert not compiled_layer.runs(layer, vectors(), None, None)


def test_autocast_and_double_precision_are_for_torch() -> None:
    layer = Layer(OPTIONS)
    with torch.autocast("cpu", torch.bfloat16):
        assert not compiled_layer.runs(layer, vectors(), None, None)
    assert not compiled_layer.runs(layer.double(), vectors().double(), None, None)


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
    made, ids = network(positions=positions), torch.arange(60).view(3, 20) % 11
    found = learned(made, ids)
    monkeypatch.setattr(compiled_layer, "runs", lambda *_: False)
    for one, other in zip(found, learned(made, ids), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_keys_and_values_go_on_as_without_it() -> None:
    """A text at once is a text in two parts, of which compiled code takes the first alone."""
    made, ids = network().eval(), torch.arange(210).view(3, 70) % 11
    with torch.no_grad():
        whole, _ = made(ids)
        first, state = made(ids[:, :40])
        second, _ = made(ids[:, 40:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-5, atol=1e-5)
