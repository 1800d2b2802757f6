"""Views of an embedding at the end of training."""

from collections.abc import Callable
from typing import cast

import lightning.pytorch as pl
from torch import Tensor

from seqlab.analysis.embeddings import nearest, shown_token
from seqlab.nn.next_token import NextToken
from seqlab.views.boards import Writes, boards

ROWS, NEIGHBOURS = 40, 5
MOST_POINTS = 10_000
"""Number of tokens in the projector, the most frequent."""


class EmbeddingView(pl.Callback):
    """Fills TensorBoard's projector with the embedding, labelled by tokens, and lists nearest neighbours by cosine.

    Args:
        vectors: Gives the vector of each id ``(ids, size)``; the weights of the network's embedding if not given.
    """

    def __init__(self, vectors: Callable[[], Tensor] | None = None) -> None:
        self._vectors = vectors

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model = cast(Writes, pl_module)
        network, codec = cast(NextToken, model.network), model.codec
        if network.embedding is None:
            return
        every = network.embedding.weight if self._vectors is None else self._vectors()
        vectors = every.detach().float().cpu()[:MOST_POINTS]
        labels = [shown_token(token) for token in codec.vocab.tokens(range(len(vectors)))]
        lines = ["| token | nearest, with cosines |", "|---|---|"]
        rows = list(range(min(ROWS, len(vectors))))
        for row, near in zip(rows, nearest(vectors, rows, NEIGHBOURS), strict=True):
            words = ", ".join(f"`{labels[other]}` {cosine:.2f}" for other, cosine in near)
            lines.append(f"| `{labels[row]}` | {words} |")
        for writer in boards(trainer):
            writer.add_embedding(vectors, labels, global_step=trainer.global_step, tag="embedding")
            writer.add_text("embedding/neighbours", "\n".join(lines), trainer.global_step)
