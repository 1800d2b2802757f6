"""Skip-gram: predicts the words near a word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.native.sparse_rows import able
from seqlab.native.word_pairs import Places, pairs_against_noise
from seqlab.nn.word_blocks import BLOCK, Blocks, in_blocks, kept_words, number_of_blocks
from seqlab.nn.word_vectors import Scored, Told, WordVectorOptions, WordVectors
from seqlab.options import option

SHARED = 32
"""Noise words that all pairs of a block share (Ji et al. 2016, arXiv 1604.04661)."""


@dataclass(frozen=True)
class SkipGramOptions(WordVectorOptions):
    """Options of ``SkipGram``."""

    trained_by: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adagrad", "lr": 0.2},
        "lr_scheduler": {"name": "none"},
    }

    objective: Literal["negative", "full"] = option(
        "negative", "negative (negative sampling) or full (softmax over all words, for small corpora)."
    )
    negatives: int = option(5, "Negative samples for each true pair.", least=1, most=1000)
    noise_power: float = option(0.75, "Power of the unigram counts in the noise distribution.", least=0.0, most=2.0)
    subsample: float = option(
        1e-3,
        "Subsampling threshold t of frequent words (Mikolov et al. 2013); 0 keeps all.",
        least=0,
    )
    vectors: str | None = option(
        None,
        "Initial vectors: a run or checkpoint of the same model, or a file of word vectors; new words are initialized "
        "at random.",
        once=True,
    )

    def build(self, counts: Tensor, words: Sequence[str] = ()) -> "SkipGram":
        """The network of these options.

        Args:
            counts: Occurrences of each word ``(vocab_size,)``.
            words: The word of each id, for networks that read its characters.
        """
        return SkipGram(counts, self)


class SkipGram(WordVectors):
    """v_c of the center word and u_o of a context word (Mikolov et al. 2013, arXiv 1310.4546).

        negative    see ``WordVectors``; the pairs of a block share their noise words
        full        -log softmax(v_c . u)_o

    Training keeps a word w with probability min(1, sqrt(t / f_w) + t / f_w), where f_w is its share of the text and t
    is ``subsample``, and draws how far each window reaches from 1 to ``window``. Gradients are sparse.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
    """

    means: ClassVar[bool] = False
    """Whether all words near a position together predict its word."""

    def __init__(self, counts: Tensor, options: SkipGramOptions) -> None:
        super().__init__(counts, options, options.negatives, options.noise_power)
        size, self.full = options.embedding_size, options.objective == "full"
        share = self.counts / self.counts.sum().clamp(min=1)
        kept = (options.subsample / share).sqrt() + options.subsample / share
        kept = torch.where(share > 0, kept if options.subsample else torch.ones_like(share), 0.0)
        self.register_buffer("kept", kept.float(), persistent=False)
        self.kept: Tensor
        self.embedding = nn.Embedding(len(counts), size, sparse=not self.full)
        self.context_embedding = nn.Embedding(len(counts), size, sparse=not self.full)
        nn.init.uniform_(self.embedding.weight, -0.5 / size, 0.5 / size)
        nn.init.zeros_(self.context_embedding.weight)

    def inputs(self) -> Tensor:
        return self.embedding.weight

    def outputs(self) -> Tensor:
        return self.context_embedding.weight

    def heads(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors v ``(vectors, size)``, and the index of each word's vector.

        Args:
            ids: ``(words,)`` int64.

        Returns:
            The vectors, and rows of them ``(words,)`` int64.
        """
        return self.embedding.weight, ids

    def rows_behind(self, count: int) -> tuple[Tensor, Tensor]:
        """Rows after those of words in the first table, and the matching rows of another network.

        Args:
            count: Number of rows that the other network has after its words.

        Returns:
            Rows of this table, and their offsets after the words of the other network, both ``(rows,)`` int64.
        """
        none = torch.empty(0, dtype=torch.int64)
        return none, none

    def centers(self, ids: Tensor) -> Tensor:
        vectors, rows = self.heads(ids.flatten())
        return F.embedding(rows, vectors, sparse=not self.full).view(*ids.shape, -1)

    def words_of(self, ids: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        if not self.training:
            return super().words_of(ids, valid)
        chances = self.kept.index_select(0, ids.flatten()).view(ids.shape)  # 0 for what is no word
        keep = torch.rand(ids.shape, device=ids.device) < chances
        return kept_words(ids, keep if valid is None else keep & valid)

    def nats(self, ids: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Training loss of rows of text, and the number of pairs.

        Args:
            ids: ``(batch, time)`` int64.
            valid: Which are real ``(batch, time)`` bool; all if not given.

        Returns:
            Two scalars, float and int64.
        """
        words, rows = self.words_of(ids, valid)
        count = number_of_blocks(len(words))
        reach = torch.randint(1, self.window + 1, (count, BLOCK), device=ids.device)
        places = torch.rand(0 if self.full else count, SHARED, dtype=torch.float64, device=ids.device)
        drawn = self.drawn(places)
        if self.compiled():
            inputs, heads = self.heads(words)
            text = Places(words, heads, rows, reach.flatten(), drawn, BLOCK, self.window)
            return pairs_against_noise(inputs, self.outputs(), text, self.negatives / SHARED, self.means)
        blocks = in_blocks(words, rows, self.window)
        near = (blocks.distance > 0) & (blocks.distance <= reach.unsqueeze(-1))
        return self.cost(blocks, near, None if self.full else drawn)

    def compiled(self) -> bool:
        """Whether compiled code trains it; its results do not depend on the number of threads."""
        return not self.full and able(self.embedding.weight, self.outputs())

    def cost(self, blocks: Blocks, near: Tensor, drawn: Tensor | None) -> tuple[Tensor, Tensor]:
        """Loss of blocks, and the number of pairs.

        Args:
            blocks: Blocks of words.
            near: Which pairs count ``(blocks, BLOCK, BLOCK + 2 window)`` bool.
            drawn: Noise words of each block ``(blocks, SHARED)`` int64; none for the full softmax.
        """
        scored, against = self._against(blocks, near, drawn)
        pairs = scored.weights.sum(-1)
        if drawn is None:
            normalizers = against.logsumexp(-1)
            nats = (pairs * normalizers).sum() - (scored.weights * scored.said).sum()
        else:
            share = self.negatives / drawn.shape[1]
            nats = (scored.weights * F.softplus(-scored.said)).sum()
            nats = nats + share * (pairs * F.softplus(against).sum(-1)).sum()
        return nats, pairs.sum().long()

    def _against(self, blocks: Blocks, near: Tensor, drawn: Tensor | None) -> tuple[Scored, Tensor]:
        """Log-odds of the pairs, and of each center with the noise ``(blocks, BLOCK, SHARED)`` or with all words."""
        hidden = self.centers(blocks.centers)
        asked, width = blocks.around, blocks.around.shape[1]
        found = self.context_embedding(asked if drawn is None else torch.cat([asked, drawn], 1))
        said = hidden @ found[:, :width].transpose(1, 2)
        others = self.outputs().t() if drawn is None else found[:, width:].transpose(1, 2)
        return Scored(hidden, said, near.to(hidden.dtype)), hidden @ others

    @torch.no_grad()
    def told(self, ids: Tensor, valid: Tensor | None = None, ranks: bool = True) -> Told:
        found = super().told(ids, valid, ranks)
        return found._replace(nats=self._full_nats(ids, valid)) if self.full else found

    def _full_nats(self, ids: Tensor, valid: Tensor | None) -> Tensor:
        blocks, total = self.blocks_of(ids, valid), torch.zeros((), dtype=torch.float64, device=ids.device)
        for part in zip(*(part.split(AT_ONCE_FULL) for part in blocks), strict=True):
            own = Blocks(*part)
            weights = torch.where(own.distance > 0, self.window + 1 - own.distance, 0)
            hidden, said, weights = self.scored(own, weights.to(self.outputs().dtype))
            normalizers = (hidden @ self.outputs().t()).logsumexp(-1, keepdim=True)
            total += (weights * (normalizers - said)).double().sum()
        return total


AT_ONCE_FULL = 16
"""Blocks per softmax over all words."""
