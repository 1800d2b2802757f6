"""Vectors of words in their contexts, from all layers of a frozen language model, or those of frozen word vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.language_network import ForwardAndBackward, LanguageNetwork, LanguageOptions
from seqlab.nn.layer_outputs import outputs_of_layers
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions
from seqlab.options import Options, option
from seqlab.recurrence.lengths import backwards


@dataclass(frozen=True)
class StaticOptions(Options):
    """Options of ``StaticWords``."""

    embedding_size: int = option(100, "Size of a word vector.", least=1)

    def network(self, vocab_size: int) -> "StaticWords":
        """The network with initialized weights."""
        return StaticWords(vocab_size, self)


class StaticWords(nn.Module):
    """Word vectors as a reader without layers: a word has the same vector in every context.

    Args:
        vocab_size: Number of ids.
        options: Options of the network.
    """

    def __init__(self, vocab_size: int, options: StaticOptions) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)


Reader = LanguageNetwork | TransformerLanguage | StaticWords
READERS: dict[str, type[LanguageOptions | TransformerLanguageOptions | StaticOptions]] = {
    "recurrent": LanguageOptions,
    "transformer": TransformerLanguageOptions,
    "static": StaticOptions,
}
"""Options of networks that have states or vectors of words, by kind."""


def reader_of(kind: str, options: Mapping[str, Any], vocab_size: int) -> Reader:
    """A network that reads words, with initialized weights.

    Args:
        kind: A name of ``READERS``.
        options: Plain options of the network.
        vocab_size: Number of its ids.

    Raises:
        UserError: An option is unknown or wrong.
    """
    return READERS[kind].from_plain(options).network(vocab_size)


class Contextual(nn.Module):
    """A learned sum of the layers of a frozen language model (Peters et al. 2018, N18-1202, equation 1).

        c_k = gamma * sum_j s_j h_kj,    s = softmax(weights)

    h_kj is layer j after reading up to word k from the initial state, joined with the state of a backward stack, which
    reads from the end of the sentence to word k. The lowest layer is the static embedding of the word, twice if there
    are two directions; it is left out if its size differs from that of the layers. A Transformer reads long sentences
    in its windows of evaluation. Word vectors are a lowest layer alone.

    Args:
        network: The language model, or word vectors; frozen, always in evaluation mode, and without its output layer.

    Raises:
        UserError: The layers have different sizes.

    Attributes:
        weights: Logits of the layers' weights.
        gamma: Scale of the sum.
        names: Names of the layers, the lowest first.
        size: Size of a vector.
    """

    def __init__(self, network: Reader) -> None:
        super().__init__()
        ways = 2 if isinstance(network, ForwardAndBackward) else 1
        widths: list[int] = []
        if isinstance(network, LanguageNetwork):
            widths = network.recurrent.widths
        elif isinstance(network, TransformerLanguage):
            widths = [network.options.hidden_size] * len(network.transformer.each_layer())
        if len({*widths}) > 1:
            raise UserError(
                f"a sum of layers needs layers of one size, and the language model's have {', '.join(map(str, widths))}"
                " units; give one with a single hidden_size"
            )
        static = [] if network.embedding is None else [network.embedding.embedding_dim]
        size = (widths or static)[0]
        self.size = ways * size
        self.reads_static = static == [size]
        self.names = ["static"] * self.reads_static + [f"layer {layer}" for layer in range(len(widths))]
        self.weights = nn.Parameter(torch.zeros(len(self.names)))
        self.gamma = nn.Parameter(torch.ones(()))
        self.network = network.requires_grad_(False).eval()
        if not isinstance(network, StaticWords):
            del network.output
        if isinstance(network, ForwardAndBackward):
            del network.behind.output

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of all but the language model, which stays in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self

    def read_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Takes the weights of a trained language model, by name."""
        self.network.load_state_dict({name: weights[name] for name in self.network.state_dict()})

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The vectors of words; padding changes none of them.

        Args:
            ids: Ids of the language model ``(batch, time)`` int64, padded with any ids.
            lengths: Words of each sentence ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, time, size)``; of no meaning at padding.
        """
        with torch.no_grad():
            layers = self._layers(ids, lengths)
        shares = zip(self.weights.softmax(0), layers, strict=True)
        return self.gamma * torch.stack([share * layer for share, layer in shares]).sum(0)

    def shares(self) -> dict[str, float]:
        """The weight of each layer in the sum, by name, the lowest first."""
        return dict(zip(self.names, self.weights.detach().softmax(0).tolist(), strict=True))

    def _layers(self, ids: Tensor, lengths: Tensor) -> list[Tensor]:
        layers = [] if isinstance(self.network, StaticWords) else outputs_of_layers(self.network, ids)
        static = [self.network.embedding(ids)] if self.reads_static and self.network.embedding is not None else []
        if isinstance(self.network, ForwardAndBackward):
            reverse = backwards(ids.t(), lengths).t()
            behind = outputs_of_layers(self.network.behind, reverse)
            turned = [backwards(layer.transpose(0, 1), lengths).transpose(0, 1) for layer in behind]
            layers = [torch.cat(pair, -1) for pair in zip(layers, turned, strict=True)]
            static = [torch.cat([each, each], -1) for each in static]
        return [*static, *layers]


def size_of(contextual: Contextual | None) -> int:
    """Size of the vectors in context; 0 without a language model."""
    return 0 if contextual is None else contextual.size


def beside(vectors: Tensor, contextual: Contextual | None, ids: Tensor | None, lengths: Tensor) -> Tensor:
    """Word vectors joined with the words' vectors in context, if there are any.

    Args:
        vectors: ``(batch, time, size)``.
        contextual: The language model; None for word vectors alone.
        ids: Its ids of the words ``(batch, time)`` int64.
        lengths: Words of each sentence ``(batch,)`` int64.
    """
    if contextual is None:
        return vectors
    assert ids is not None
    return torch.cat([vectors, contextual(ids, lengths)], -1)
