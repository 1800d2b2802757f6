"""Layers of self-attention (Vaswani et al. 2017, arXiv 1706.03762)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn import compiled_layers
from seqlab.nn.heads import Heads
from seqlab.nn.kept import Kept, Steps
from seqlab.nn.linear import Linear
from seqlab.nn.positions import Positions, Rotation, sinusoidal
from seqlab.options import Options, option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.lengths import valid_steps

GPT2_STD = 0.02


@dataclass(frozen=True)
class TransformerOptions(Options):
    """Options of every network of self-attention.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    trained_by: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adamw", "lr": 0.001, "betas": [0.9, 0.99], "weight_decay": 0.1},
        "lr_scheduler": {"name": "warmupcosinelr", "warmup_fraction": 0.05, "final_factor": 0.1},
    }
    decays_matrices_alone: ClassVar[bool] = True

    hidden_size: int = option(128, "Size of a position's vector.", least=2, most=2**20)
    num_layers: int = option(4, "Number of layers.", least=1, most=256)
    num_heads: int = option(4, "Attention heads; each has hidden_size / num_heads units.", least=1, most=2**16)
    feedforward_size: int | None = option(
        None,
        "Units of the feed-forward layer; if not given, 4 times hidden_size, or 8/3 times with swiglu.",
        least=1,
        most=2**24,
        seldom=True,
    )
    positions: Positions = option(
        "rotary", "Position encoding: rotary, sinusoidal, learned or none (by the causal mask alone)."
    )
    norm: Literal["before", "after"] = option(
        "before", "Layer norm before each block (pre-norm), or after the residual sum (post-norm, Vaswani et al. 2017)."
    )
    activation: Literal["gelu", "relu", "swiglu"] = option("gelu", "Activation between the two linear layers.")
    dropout: float = option(0.1, "Dropout of embeddings and block outputs.", least=0, below=1)
    attention_dropout: float = option(0.0, "Dropout of attention weights.", least=0, below=1, seldom=True)
    bias: bool = option(True, "Whether linear layers and norms have biases.", seldom=True)
    init: Literal["gpt2", "torch", "normal", "xavier"] = option(
        "gpt2",
        "Initialization: gpt2 (std 0.02, smaller for layers that end a block), torch, normal (0.01) or xavier.",
        seldom=True,
    )
    context: int | None = option(
        None,
        "Most positions in one window, required for learned positions; as in training if not given.",
        least=1,
        most=2**24,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % (2 * self.num_heads):
            raise UserError(
                f"hidden_size {self.hidden_size} must be a multiple of twice num_heads ({2 * self.num_heads}); "
                "give another --model.hidden_size or --model.num_heads"
            )
        if self.positions == "learned" and self.context is None:
            raise UserError("positions learned need a number of positions; give --model.context, such as 256")

    @property
    def inner(self) -> int:
        """Units between the two linear layers of a position."""
        factor = 8 / 3 if self.activation == "swiglu" else 4
        return self.feedforward_size or round(factor * self.hidden_size)


class FeedForward(nn.Module):
    """Two linear layers for each position by itself.

    gelu, relu   y = W_2 f(W_1 x)
    swiglu       y = W_2 (silu(W_g x) * (W_1 x))        Shazeer 2020, arXiv 2002.05202, equation 6
    """

    def __init__(self, options: TransformerOptions) -> None:
        super().__init__()
        self.gated = options.activation == "swiglu"
        self.activation = options.activation
        inner = options.inner
        self.inputs = Linear(options.hidden_size, (1 + self.gated) * inner, bias=options.bias)
        self.output = Linear(inner, options.hidden_size, bias=options.bias)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inputs(x)
        if self.gated:
            gate, inner = inner.chunk(2, -1)
            inner = F.silu(gate) * inner
        else:
            inner = F.gelu(inner) if self.activation == "gelu" else F.relu(inner)
        result: Tensor = self.output(inner)
        return result


class Layer(nn.Module):
    """Self-attention, attention to a memory if there is one, and a feed-forward block, each with a residual connection.

        norm before   x + f(norm(x)),    norm after   norm(x + f(x))

    Args:
        options: Options of the network.
        across: Whether the layer also attends to a memory.
    """

    def __init__(self, options: TransformerOptions, across: bool = False) -> None:
        super().__init__()
        size, self.first = options.hidden_size, options.norm == "before"
        self.attention = Heads(size, options.num_heads, options.attention_dropout, options.bias)
        self.look = Heads(size, options.num_heads, options.attention_dropout, options.bias, True) if across else None
        self.feed_forward = FeedForward(options)
        self.norms = nn.ModuleList(nn.LayerNorm(size, bias=options.bias) for _ in range(2 + across))
        self.dropout = Dropout(options.dropout)

    def forward(
        self,
        x: Tensor,
        before: Kept | Steps | None,
        seen: Tensor | None,
        rotation: Rotation | None,
        causal: bool,
        memory: Kept | None = None,
        valid: Tensor | None = None,
        masks: Sequence[Tensor | None] | None = None,
    ) -> tuple[Tensor, Kept | Steps]:
        """One layer; see ``Heads`` for the other arguments, and ``Heads.across`` for the memory.

        Args:
            masks: Dropout masks of the blocks; drawn if not given.
        """
        mixed, kept = self.attention(self._read(x, 0), before, seen, rotation, causal)
        x = self._add(x, mixed, 0, masks)
        if self.look is not None:
            assert memory is not None
            assert valid is not None
            x = self._add(x, self.look.across(self._read(x, 1), memory, valid), 1, masks)
        last = len(self.norms) - 1
        return self._add(x, self.feed_forward(self._read(x, last)), last, masks), kept

    def _read(self, x: Tensor, block: int) -> Tensor:
        return self.norms[block](x) if self.first else x

    def _add(self, x: Tensor, new: Tensor, block: int, masks: Sequence[Tensor | None] | None) -> Tensor:
        drop = None if masks is None else masks[block]
        total = x + (self.dropout(new) if drop is None else new * drop)
        return total if self.first else self.norms[block](total)


def seen_back(done: int, time: int, most: int | None, device: torch.device) -> Tensor:
    """Causal mask ``(1, 1, time, done + time)`` of the last positions: True up to ``most`` steps back."""
    places = torch.arange(done + time, device=device)
    back = places[done:].unsqueeze(1) - places
    seen = back >= 0
    return (seen if most is None else seen & (back <= most))[None, None]


class Transformer(nn.Module):
    """Layers over vectors; position encodings are added to the vectors, or rotate the heads.

    Args:
        options: Options of the network.
        across: Whether every layer also attends to a memory.
    """

    def __init__(self, options: TransformerOptions, across: bool = False) -> None:
        super().__init__()
        self.options = options
        self.layers = nn.ModuleList(Layer(options, across) for _ in range(options.num_layers))
        self.last = nn.LayerNorm(options.hidden_size, bias=options.bias) if options.norm == "before" else None
        self.table = None
        if options.positions == "learned":
            assert options.context is not None
            self.table = nn.Embedding(options.context, options.hidden_size)
        self.dropout = Dropout(options.dropout)

    def forward(
        self,
        x: Tensor,
        before: Sequence[Kept | Steps] | None = None,
        seen: Tensor | None = None,
        causal: bool = False,
        memory: Sequence[Kept] | None = None,
        valid: Tensor | None = None,
        most: int | None = None,
    ) -> tuple[Tensor, list[Kept | Steps]]:
        """Runs all layers.

        Args:
            x: ``(batch, time, hidden_size)``.
            before: Keys and values of earlier positions in each layer; none if not given.
            seen: True where a position may attend ``(batch or 1, 1, time, positions)``; everywhere if not given.
            causal: Whether position t attends only to positions up to t; replaces ``seen``.
            memory: Keys and values of another sequence in each layer.
            valid: Real positions of that sequence ``(batch, positions)`` bool.
            most: Most earlier positions that a causal position attends to; all if not given.

        Returns:
            ``(batch, time, hidden_size)``, and the keys and values of each layer.

        Raises:
            UserError: The sequence has more positions than the table of learned positions.
        """
        done = 0 if before is None else before[0].positions
        steps = done + x.shape[1]
        if causal and (done or most is not None):
            sees_all = x.shape[1] == 1 and most is None
            seen, causal = None if sees_all else seen_back(done, x.shape[1], most, x.device), False
        x = self.dropout(self._placed(x, done))
        heads, size = self.options.num_heads, self.options.hidden_size
        rotation = Rotation(steps, size // heads, x) if self.options.positions == "rotary" else None
        layers = self.each_layer()
        as_built = all(type(layer) is Layer and type(layer.feed_forward) is FeedForward for layer in layers)
        compiled = compiled_layers.run(layers, x, before, seen, rotation, causal) if as_built else None
        if compiled is not None:
            x, kept = compiled
        else:
            kept = []
            for number, layer in enumerate(layers):
                own = None if before is None else before[number]
                looked = None if memory is None else memory[number]
                x, one = layer(x, own, seen, rotation, causal, looked, valid)
                kept.append(one)
        return x if self.last is None else self.last(x), kept

    def _placed(self, x: Tensor, first: int) -> Tensor:
        """The input plus its position encodings, if they are vectors."""
        steps = x.shape[1]
        if self.options.positions == "sinusoidal":
            size = x.shape[-1]
            return x * size**0.5 + sinusoidal(first, steps, size, x)  # section 3.4 of Vaswani et al.
        if self.table is None:
            return x
        if first + steps > self.table.num_embeddings:
            raise UserError(
                f"a sequence of {first + steps:,} positions is longer than the {self.table.num_embeddings:,} learned "
                "positions; give a larger --model.context, or --model.positions rotary"
            )
        vectors: Tensor = self.table.weight[first : first + steps]
        return x + vectors

    def each_layer(self) -> list[Layer]:
        """The layers, from the lowest up."""
        return [cast(Layer, layer) for layer in self.layers]

    def flops(self, positions: float) -> dict[str, int]:
        """Floating-point operations of one position in the forward pass, by part, if it sees so many positions."""
        size, layers = self.options.hidden_size, len(self.layers)
        matrices = (weight for weight in self.each_layer()[0].feed_forward.parameters() if weight.ndim == 2)
        inner = sum(weight.numel() for weight in matrices)
        return {
            "projections of attention": 2 * 4 * size * size * layers,
            "attention": round(2 * 2 * size * positions) * layers,
            "feed-forward layers": 2 * inner * layers,
        }


class TransformerEncoder(nn.Module):
    """Layers that attend to the whole sequence, over vectors of any size.

    Args:
        options: Options of the network.
        input_size: Size of the vectors; a linear layer projects them to ``hidden_size`` if it differs.

    Attributes:
        output_size: Size of a position's output.
    """

    def __init__(self, options: TransformerOptions, input_size: int) -> None:
        super().__init__()
        width = options.hidden_size
        self.project = nn.Identity() if input_size == width else Linear(input_size, width)
        self.transformer, self.output_size = Transformer(options), width

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Runs all layers.

        Args:
            inputs: ``(batch, time, input_size)``.
            lengths: Real positions of each sequence ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, time, hidden_size)``; padding changes none of the real positions.
        """
        valid = valid_steps(lengths, inputs.shape[1]).t()
        outputs, _ = self.transformer(self.project(inputs), seen=valid[:, None, None])
        return outputs


@torch.no_grad()
def begin(network: nn.Module, options: TransformerOptions) -> None:
    """Initializes the weights of a network.

    ``gpt2`` is N(0, 0.02) with zero biases, divided by sqrt(blocks) in the last layer of each block (Radford et al.
    2019, section 2.3), so that the sum over all blocks does not grow with their number.

    Args:
        network: Network to initialize in place.
        options: Options of the network.
    """
    if options.init != "gpt2":
        initialize(network, options.init)
        _even_norms(network)
        return
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=GPT2_STD)
        else:
            nn.init.zeros_(parameter)
    _even_norms(network)
    for stack in network.modules():
        if isinstance(stack, Transformer):
            layers = stack.each_layer()
            blocks = sum(len(layer.norms) for layer in layers)
            for layer in layers:
                ends = (layer.attention, layer.look, layer.feed_forward)
                for end in (end for end in ends if end is not None):
                    end.output.weight.div_(blocks**0.5)


def _even_norms(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
