"""Initialization of embeddings with word vectors from a file."""

import torch
from torch import nn

from seqlab.files import user_path
from seqlab.text.vectors import read_vectors
from seqlab.text.vocab import Vocab


@torch.no_grad()
def set_vectors(embedding: nn.Embedding, file: str, vocab: Vocab, kind: str = "tokens") -> str:
    """Sets the rows of an embedding whose tokens have a vector in a file.

    Args:
        embedding: Embedding, changed in place.
        file: File with a token and its numbers on each line, plain or compressed.
        vocab: Vocabulary of the embedding.
        kind: Noun for its tokens.

    Returns:
        A phrase with the number of tokens that had a vector.

    Raises:
        UserError: The file holds no vectors of such tokens and of the embedding's size.
    """
    path = user_path(file)
    ids, rows = read_vectors(path, vocab, embedding.embedding_dim)
    embedding.weight[torch.from_numpy(ids)] = torch.from_numpy(rows).to(embedding.weight)
    return f"vectors of {len(ids):,} of {len(vocab):,} {kind} from {path.name}"
