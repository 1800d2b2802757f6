"""Embeddings that begin with word vectors from a file."""

import torch
from torch import nn

from seqlab.files import user_path
from seqlab.text.vectors import read_vectors
from seqlab.text.vocab import Vocab


@torch.no_grad()
def set_vectors(embedding: nn.Embedding, file: str, vocab: Vocab, kind: str = "tokens") -> str:
    """Sets those rows of an embedding whose tokens have a vector in a file.

    Args:
        embedding: Changed in place.
        file: A token and its numbers a line, plain or compressed.
        vocab: Vocab of the embedding.
        kind: What its tokens are called.

    Returns:
        A phrase that says how many had one.

    Raises:
        UserError: The file holds no vectors of such tokens and of the embedding's size.
    """
    path = user_path(file)
    ids, rows = read_vectors(path, vocab, embedding.embedding_dim)
    embedding.weight[torch.from_numpy(ids)] = torch.from_numpy(rows).to(embedding.weight)
    return f"vectors of {len(ids):,} of {len(vocab):,} {kind} from {path.name}"
