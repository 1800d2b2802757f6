"""Sentences -> scores of the tags of each word, through a recurrent stack."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from seqlab.cells import CELLS
from seqlab.errors import UserError
from seqlab.nn.characters import CONVOLUTION, CharacterEncoder
from seqlab.nn.contextual import Contextual, beside, size_of
from seqlab.nn.crf import CRF
from seqlab.nn.two_ways import TwoWays
from seqlab.options import Options, option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import StackOptions

CASINGS = 11
"""Kinds of casing, with one for padding."""
UNK = 0
"""The id of ``<unk>`` in every vocabulary of text."""


class Sentences(Protocol):
    """Input of a network; see ``seqlab.data.tagged_batches.TaggedBatch``."""

    @property
    def ids(self) -> Tensor:
        """Ids of the words ``(batch, time)`` int64."""

    @property
    def casing(self) -> Tensor:
        """Casing of each word ``(batch, time)`` int64, below ``CASINGS``."""

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

    @property
    def context(self) -> Tensor:
        """Ids of the words for a language model ``(batch, time)`` int64; empty without one."""


@dataclass(frozen=True)
class OutputOptions(Options):
    """Options of every network that tags."""

    constrained: bool = option(False, "Never predict a tag sequence that the tagging scheme forbids.")


@dataclass(frozen=True)
class WordOptions(OutputOptions):
    """Options of every tagger trained by gradients: word vectors, characters and output layer.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    embedding_size: int = option(100, "Size of a word vector.", least=1)
    embedding_std: float = option(0.1, "Standard deviation of the initial word vectors.", above=0, seldom=True)
    vectors: str | None = option(
        None, "File of pretrained word vectors, one word per line, plain or compressed.", once=True
    )
    freeze_vectors: bool = option(False, "Freeze the word vectors, pretrained or random.", seldom=True)
    contextual: str | None = option(
        None,
        "Checkpoint or run of a language model of words whose states are inputs too (ELMo, Peters et al. 2018), or of "
        "word vectors, which also know words that the training part lacks.",
        once=True,
    )
    word_dropout: float = option(
        0.25,
        "a: in training, a word with n occurrences is replaced by <unk> with probability a / (a + n).",
        least=0,
        seldom=True,
    )
    casing_size: int = option(8, "Size of the vector of a word's casing (capitals, digits).", least=0, seldom=True)
    characters: str = option("none", "Character encoder: none, cnn or a cell.", choices=("none", CONVOLUTION, *CELLS))
    character_size: int = option(30, "Size of a character's vector.", least=1, seldom=True)
    character_hidden_size: int = option(50, "Filters of each width, or units in each direction.", least=1, seldom=True)
    character_widths: list[int] = option(
        [3], "Widths of the cnn's filters in characters, odd numbers.", least=1, seldom=True
    )
    dropout: float = option(0.3, "Dropout on every non-recurrent connection.", least=0, below=1)
    output: Literal["softmax", "crf"] = option(
        "softmax", "Output layer: softmax (each tag by itself) or crf (all tags of a sentence together)."
    )
    recall_margin: float = option(
        0.0,
        "Score added to O in training at each word of a span (softmax-margin), so that more spans are found.",
        least=0,
        seldom=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if even := next((width for width in self.character_widths if width % 2 == 0), None):
            raise UserError(f"character_widths {even} must be an odd number, so that a filter has a middle")

    def layers(self, input_size: int) -> nn.Module:
        """The layers over the word vectors of a sentence."""
        raise NotImplementedError

    def begin(self, network: nn.Module) -> None:
        """Initializes the weights."""
        raise NotImplementedError

    def zeroing(self) -> Dropout:
        """Dropout of word vectors and of outputs."""
        return Dropout(self.dropout)

    def build(self, vocab_size: int, characters: int, tags: int, contextual: Contextual | None = None) -> "Tagger":
        """The network of these options."""
        return Tagger(vocab_size, characters, tags, self, contextual)


@dataclass(frozen=True)
class TaggerOptions(WordOptions, StackOptions):
    """Options of ``Tagger`` with recurrent layers.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    hidden_size: int | list[int] = option(
        128, "Units in each recurrent layer and direction; a list has one number for each layer.", least=1
    )
    embedding_size: int = option(100, "Size of a word vector.", least=1)
    bidirectional: bool = option(True, "Bidirectional: layers also read the sentence backwards.")
    both_layers: int | None = option(
        None, "Number of bidirectional layers, at the bottom; all layers if not given.", least=1, seldom=True
    )
    backward_cell: str | None = option(
        None,
        "Cell of the backward direction; that of the forward direction if not given.",
        choices=(*CELLS,),
        seldom=True,
    )
    lookahead: int | None = option(
        None, "Most later words that the backward direction sees, for streaming.", least=1, seldom=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = len(self.hidden_size) if isinstance(self.hidden_size, list | tuple) else self.num_layers or 1
        if self.both_layers is not None and self.both_layers > layers:
            raise UserError(f"both_layers {self.both_layers} must be at most num_layers, {layers}")
        if self.lookahead is not None and self.both_layers not in (None, 1):
            raise UserError(
                f"both_layers {self.both_layers} would look ahead several times; --model.lookahead needs both_layers 1"
            )
        if not self.variant:
            return
        if not self.bidirectional:
            raise UserError("both_layers, backward_cell and lookahead need --model.bidirectional true")
        if self.connections != "plain":
            raise UserError(
                f"connections {self.connections} needs layers of one kind; leave it out, or leave out both_layers, "
                "backward_cell and lookahead"
            )

    @property
    def variant(self) -> bool:
        """Whether the layers differ in kind or direction."""
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
    """Word, casing, characters and context -> recurrent layers -> a linear layer -> softmax or CRF.

    Huang et al. 2015 (arXiv 1508.01991); Lample et al. 2016 (N16-1030); Ma & Hovy 2016 (P16-1101).

    Args:
        vocab_size: Number of word ids.
        characters: Number of character ids.
        tags: Number of tags.
        options: Options of the network.
        contextual: Language model whose states are inputs too; none if not given.

    Raises:
        UserError: A forget-gate bias is given, but the cell has no forget gate.

    Attributes:
        crf: CRF of the output; its scores are zero with ``softmax``.
        unknown_share: How often each word is replaced by ``<unk>`` in training ``(vocab_size,)``.
    """

    unknown_share: Tensor

    def __init__(
        self, vocab_size: int, characters: int, tags: int, options: WordOptions, contextual: Contextual | None = None
    ) -> None:
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
        size += size_of(contextual)
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
        self.contextual = contextual

    def forward(self, sentences: Sentences) -> Tensor:
        """Scores of the tags of each word ``(batch, time, tags)``; logits with ``softmax``."""
        return self.scores(self.vectors(sentences), sentences.lengths)

    def vectors(self, sentences: Sentences) -> Tensor:
        """Input of the recurrent layers ``(batch, time, size)``."""
        parts = [self.embedding(self._read(sentences.ids))]
        if self.casing is not None:
            parts.append(self.casing(sentences.casing))
        if self.characters is not None:
            spelled = self.characters(sentences.spellings, sentences.spelling_lengths)
            parts.append(spelled[sentences.places])
        return beside(torch.cat(parts, -1), self.contextual, sentences.context, sentences.lengths)

    def scores(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the tags ``(batch, time, tags)`` from these vectors; ``lengths`` ``(batch,)`` of the sentences."""
        outputs = self.recurrent(self.dropout(vectors), lengths=lengths)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        scores: Tensor = self.output(self.dropout(outputs))
        return scores

    def _read(self, ids: Tensor) -> Tensor:
        """Replaces rare words by ``<unk>`` at random, so that the network learns a vector for unknown words."""
        if not self.training or not self.options.word_dropout:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.unknown_share[ids], UNK)
