"""Sentences -> scores of the tags of each word, through a recurrent stack."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from seqlab.cells import CELLS
from seqlab.errors import UserError
from seqlab.nn.characters import CONVOLUTION, CharacterEncoder
from seqlab.nn.crf import CRF
from seqlab.nn.two_ways import TwoWays
from seqlab.options import Options, option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import StackOptions

CASINGS = 11
"""Ways to write a word, that of padding among them."""
UNK = 0
"""The id of ``<unk>`` in every vocabulary of text."""


class Sentences(Protocol):
    """What a network reads; see ``seqlab.data.tagged_batches.TaggedBatch``."""

    @property
    def ids(self) -> Tensor:
        """Of the words ``(batch, time)`` int64."""

    @property
    def casing(self) -> Tensor:
        """How each word is written ``(batch, time)`` int64, below ``CASINGS``."""

    @property
    def places(self) -> Tensor:
        """Row of each word in ``spellings`` ``(batch, time)`` int64."""

    @property
    def spellings(self) -> Tensor:
        """Characters of every different word ``(words, characters)`` int64."""

    @property
    def spelling_lengths(self) -> Tensor:
        """Characters of each, at least 1: ``(words,)`` int64."""

    @property
    def lengths(self) -> Tensor:
        """Words of each sentence, at least 1: ``(batch,)`` int64."""


@dataclass(frozen=True)
class OutputOptions(Options):
    """Options of every network that tags."""

    constrained: bool = option(False, "Never predict tags that their scheme does not allow where they would stand.")


@dataclass(frozen=True)
class WordOptions(OutputOptions):
    """What every network that tags by gradients has: what it knows of a word, and its output layer.

    Raises:
        UserError: A value is out of its bounds, or two do not agree.
    """

    embedding_size: int = option(100, "Size of a word vector.", least=1)
    embedding_std: float = option(0.1, "Standard deviation of the initial word vectors.", above=0, seldom=True)
    vectors: str | None = option(
        None, "File of pretrained word vectors, a word a line, plain or compressed.", once=True
    )
    freeze_vectors: bool = option(False, "Freeze the pretrained vectors.", once=True, seldom=True)
    word_dropout: float = option(
        0.25,
        "A word that training has n times is read as <unk> in a share a / (a + n) of them; this is a.",
        least=0,
        seldom=True,
    )
    casing_size: int = option(8, "Size of the vector of a word's casing (capitals, digits).", least=0, seldom=True)
    characters: str = option("none", "Character encoder: none, cnn or a cell.", choices=("none", CONVOLUTION, *CELLS))
    character_size: int = option(30, "Size of a character's vector.", least=1, seldom=True)
    character_hidden_size: int = option(50, "Filters of each width, or units in each direction.", least=1, seldom=True)
    character_widths: list[int] = option(
        [3], "Widths of the filters of cnn in characters, odd numbers.", least=1, seldom=True
    )
    dropout: float = option(0.3, "Dropout on every connection that is not recurrent.", least=0, below=1)
    output: Literal["softmax", "crf"] = option(
        "softmax", "Output layer: softmax, each tag by itself, or crf, all of a sentence together."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freeze_vectors and self.vectors is None:
            raise UserError("freeze_vectors true needs vectors; give --model.vectors FILE or leave it out")
        if even := next((width for width in self.character_widths if width % 2 == 0), None):
            raise UserError(f"character_widths {even} must be an odd number, so that a filter has a middle")

    def layers(self, input_size: int) -> nn.Module:
        """What reads the vectors of the words of a sentence, in their order."""
        raise NotImplementedError

    def begin(self, network: nn.Module) -> None:
        """Draws the first weights."""
        raise NotImplementedError

    def zeroing(self) -> Dropout:
        """What zeroes units of words and of outputs."""
        return Dropout(self.dropout)

    def build(self, vocab_size: int, characters: int, tags: int) -> "Tagger":
        """The network of these options."""
        return Tagger(vocab_size, characters, tags, self)


@dataclass(frozen=True)
class TaggerOptions(WordOptions, StackOptions):
    """Options of ``Tagger`` with recurrent layers.

    Raises:
        UserError: A value is out of its bounds, or two do not agree.
    """

    hidden_size: int | list[int] = option(
        128, "Units in each recurrent layer, of each direction; a list has one number for each layer.", least=1
    )
    embedding_size: int = option(100, "Size of a word vector.", least=1)
    bidirectional: bool = option(True, "Bidirectional: layers also read the sentence backwards.")
    both_layers: int | None = option(
        None, "Bidirectional layers at the bottom, forward ones above; all if not given.", least=1, seldom=True
    )
    backward_cell: str | None = option(
        None,
        "Cell of the backward direction; that of the forward one if not given.",
        choices=(*CELLS,),
        seldom=True,
    )
    lookahead: int | None = option(
        None, "Most words ahead that the backward direction sees, for streams.", least=1, seldom=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = len(self.hidden_size) if isinstance(self.hidden_size, list | tuple) else self.num_layers or 1
        if self.both_layers is not None and self.both_layers > layers:
            raise UserError(f"both_layers {self.both_layers} must be at most num_layers, {layers}")
        if self.lookahead is not None and self.both_layers not in (None, 1):
            raise UserError(
                f"both_layers {self.both_layers} would look ahead several times; with --model.lookahead it is 1"
            )
        if not self.variant:
            return
        if not self.bidirectional:
            raise UserError("both_layers, backward_cell and lookahead need --model.bidirectional true")
        if self.connections != "plain":
            raise UserError(
                f"connections {self.connections} is for layers that are alike; leave it out, or leave out both_layers, "
                "backward_cell and lookahead"
            )

    @property
    def variant(self) -> bool:
        """Whether the layers are not all of one kind and both directions."""
        return any(one is not None for one in (self.both_layers, self.backward_cell, self.lookahead))

    def layers(self, input_size: int) -> nn.Module:
        if not self.variant:
            return self.stack(input_size, self.bidirectional)
        layers = len(self.hidden_size) if isinstance(self.hidden_size, list | tuple) else self.num_layers or 1
        both = self.both_layers or (layers if self.lookahead is None else 1)
        return TwoWays(self, input_size, both, self.backward_cell or self.cell, self.lookahead)

    def zeroing(self) -> Dropout:
        return Dropout(self.dropout, self.variational)

    def begin(self, network: nn.Module) -> None:
        initialize(network, self.init, self.forget_bias)


class Tagger(nn.Module):
    """Word, casing and characters -> recurrent layers -> a linear layer -> softmax or a chain of tags.

    Huang et al. 2015 (arXiv 1508.01991); Lample et al. 2016 (N16-1030); Ma & Hovy 2016 (P16-1101).

    Args:
        vocab_size: Ids of words.
        characters: Ids of characters.
        tags: How many there are.
        options: Of the network.

    Raises:
        UserError: A bias was asked of a forget gate that the cell does not have.

    Attributes:
        crf: Of the output; its scores are zero with ``softmax``.
        unknown_share: Of each word, how often it is read as ``<unk>`` while training ``(vocab_size,)``.
    """

    unknown_share: Tensor

    def __init__(self, vocab_size: int, characters: int, tags: int, options: WordOptions) -> None:
        super().__init__()
        self.options = options
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)
        size = options.embedding_size + options.casing_size
        self.casing = nn.Embedding(CASINGS, options.casing_size) if options.casing_size else None
        self.characters: CharacterEncoder | None = None
        if options.characters != "none":
            self.characters = CharacterEncoder(
                options.characters,
                characters,
                options.character_size,
                options.character_hidden_size,
                options.character_widths,
            )
            size += self.characters.output_size
        self.dropout = options.zeroing()
        self.recurrent = options.layers(size)
        width = self.recurrent.output_size
        assert isinstance(width, int)
        self.output = nn.Linear(width, tags)
        self.crf = CRF(tags, learned=options.output == "crf")
        self.register_buffer("unknown_share", torch.zeros(vocab_size), persistent=False)
        options.begin(self)
        nn.init.normal_(self.embedding.weight, std=options.embedding_std)
        self.embedding.weight.requires_grad_(not options.freeze_vectors)
        if self.characters is not None:
            self.characters.begin()

    def forward(self, sentences: Sentences) -> Tensor:
        """Scores of the tags of each word ``(batch, time, tags)``; logits with ``softmax``."""
        return self.scores(self.vectors(sentences), sentences.lengths)

    def vectors(self, sentences: Sentences) -> Tensor:
        """What the recurrent layers read of each word ``(batch, time, size)``."""
        parts = [self.embedding(self._read(sentences.ids))]
        if self.casing is not None:
            parts.append(self.casing(sentences.casing))
        if self.characters is not None:
            spelled = self.characters(sentences.spellings, sentences.spelling_lengths)
            parts.append(spelled[sentences.places])
        return torch.cat(parts, -1)

    def scores(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the tags from these ``(batch, time, tags)``, of sentences of ``lengths`` ``(batch,)``."""
        outputs = self.recurrent(self.dropout(vectors), lengths=lengths)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        scores: Tensor = self.output(self.dropout(outputs))
        return scores

    def _read(self, ids: Tensor) -> Tensor:
        """Rare words as ``<unk>`` now and then, so that it is learned what an unknown word is."""
        if not self.training or not self.options.word_dropout:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.unknown_share[ids], UNK)
