import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.analysis.translation_attention import TranslationAttention, attention_by_head
from seqlab.nn.heads import Heads
from seqlab.nn.transformer import Transformer
from seqlab.nn.transformer_translation import TransformerTranslation, TransformerTranslationOptions

LAYERS, DECODER_LAYERS, HEADS, BATCH, POSITIONS, TIME = 3, 2, 2, 3, 5, 4
LENGTHS = torch.tensor([5, 2, 3])


def network(**options: Any) -> TransformerTranslation:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_heads": HEADS, "num_layers": LAYERS, "decoder_layers": DECODER_LAYERS}
    return TransformerTranslationOptions(**{**sizes, "init": "torch", **options}).build(11, 13).double()


def ids(vocab: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(4, vocab, shape, generator=torch.Generator().manual_seed(seed))


SOURCE, INPUTS = ids(11, BATCH, POSITIONS), ids(13, BATCH, TIME, seed=2)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "none"])
def test_rows_sum_to_one_and_neither_the_future_nor_padding_is_seen(positions: str) -> None:
    made = network(positions=positions, dropout=0.5, attention_dropout=0.5)
    encoder, decoder, cross = found = attention_by_head(made, SOURCE, LENGTHS, INPUTS)
    assert encoder.shape == (LAYERS, BATCH, HEADS, POSITIONS, POSITIONS)
    assert decoder.shape == (DECODER_LAYERS, BATCH, HEADS, TIME, TIME)
    assert cross.shape == (DECODER_LAYERS, BATCH, HEADS, TIME, POSITIONS)
    for weights in found:
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert not decoder.triu(1).any()
    padding = (torch.arange(POSITIONS) >= LENGTHS.unsqueeze(1))[:, None, None]
    for weights in (encoder, cross):
        assert not weights.masked_select(padding).any()
        assert weights.masked_select(~padding).all()
    assert made.training
    assert not [one for one in made.modules() if isinstance(one, Heads) and one.recorded is not None]


def plain(stack: Transformer, x: Tensor, seen: Tensor, memory: Tensor | None, valid: Tensor) -> tuple[Tensor, Any]:
    """Equation 1 of Vaswani et al. (2017) in each layer before its residual sum."""
    found: tuple[list[Tensor], list[Tensor]] = ([], [])

    def heads(vectors: Tensor) -> Tensor:
        return vectors.view(*vectors.shape[:2], HEADS, -1).transpose(1, 2)

    def attend(one: Heads, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor, into: list[Tensor]) -> Tensor:
        scores = heads(queries) @ heads(keys).mT / math.sqrt(queries.shape[-1] / HEADS)
        into.append(scores.masked_fill(~seen, -torch.inf).softmax(-1))
        return one.output((into[-1] @ heads(values)).transpose(1, 2).flatten(2))

    for layer in stack.each_layer():
        own = layer.attention.inputs(layer.norms[0](x)).chunk(3, -1)
        x = x + attend(layer.attention, *own, seen, found[0])
        if layer.look is not None:
            assert memory is not None
            assert layer.look.query is not None
            asked = layer.look.query(layer.norms[1](x))
            x = x + attend(layer.look, asked, *layer.look.inputs(memory).chunk(2, -1), valid, found[1])
        x = x + layer.feed_forward(layer.norms[-1](x))
    assert stack.last is not None
    return stack.last(x), [torch.stack(weights).float() for weights in found if weights]


@torch.no_grad()
def test_the_weights_are_those_that_the_network_uses() -> None:
    made = network(positions="none", dropout=0.0)
    valid = (torch.arange(POSITIONS) < LENGTHS.unsqueeze(1))[:, None, None]
    memory, expected = plain(made.encoder.layers.transformer, made.encoder.embedding(SOURCE), valid, None, valid)
    causal = torch.ones(TIME, TIME, dtype=torch.bool).tril()
    features, of_decoder = plain(made.decoder.layers, made.decoder.embedding(INPUTS), causal, memory, valid)
    torch.testing.assert_close(made.output(features), made(SOURCE, LENGTHS, INPUTS), rtol=0, atol=1e-12)
    for weights, wanted in zip(attention_by_head(made, SOURCE, LENGTHS, INPUTS), [*expected, *of_decoder], strict=True):
        torch.testing.assert_close(weights, wanted)


def test_figures_name_what_looks_and_what_is_looked_at() -> None:
    source, target = ["i", "run", "<eos>"], ["je", "cours", ".", "<eos>"]
    weights = torch.rand(1, 2, 3, 3), torch.rand(2, 2, 4, 4), torch.rand(2, 2, 4, 3)
    figures = TranslationAttention(source, target, *weights).figures()
    assert [*figures] == ["encoder", "decoder", "cross"]
    read = ["<bos>", "je", "cours", "."]
    shown = {"encoder": (source, source, 2), "decoder": (read, read, 4), "cross": (source, target, 4)}
    for name, (columns, rows, panels) in shown.items():
        axes = [one for one in figures[name].axes if one.get_title()]
        assert len(axes) == panels
        assert [label.get_text() for label in axes[-2].get_xticklabels()] == columns
        assert [label.get_text() for label in axes[-2].get_yticklabels()] == rows
        assert figures[name].get_supylabel() == f"token that {'is predicted' if name == 'cross' else 'looks'}"


def test_a_long_sentence_is_drawn_in_part() -> None:
    source, target = [f"s{k}" for k in range(40)], [f"t{k}" for k in range(35)]
    weights = torch.rand(1, 1, 40, 40), torch.rand(1, 1, 35, 35), torch.rand(1, 1, 35, 40)
    cross = TranslationAttention(source, target, *weights).figures()["cross"].axes[0]
    assert cross.images[0].get_array().shape == (32, 32)
    assert cross.get_yticklabels()[-1].get_text() == "t31"
