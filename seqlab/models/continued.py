"""Continued training of word vectors on another text."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqlab.errors import UserError
from seqlab.files import user_path
from seqlab.models.pretrained import set_vectors
from seqlab.nn.skipgram import SkipGram
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import checkpoint_in
from seqlab.text.any_codec import codec_of
from seqlab.text.codec import Codec
from seqlab.text.vocab import Vocab

SQUARES = "sum"
"""Key of Adagrad's state of each weight."""


class Continued(NamedTuple):
    """Starting point of continued training.

    Args:
        said: A phrase that describes it.
        squares: Adagrad's sums of squared gradients by the name of their weight; empty for a file.
    """

    said: str
    squares: Mapping[str, Tensor] = {}

    def carry(self, optimizer: Optimizer, network: nn.Module) -> None:
        """Copies the sums into an optimizer that keeps such sums, so that its step sizes continue."""
        for name, parameter in network.named_parameters():
            if name in self.squares and SQUARES in optimizer.state.get(parameter, {}):
                optimizer.state[parameter][SQUARES].copy_(self.squares[name])


def continue_from(network: SkipGram, where: str, model: str, vocab: Vocab) -> Continued:
    """Sets the vectors of the words in a file or a run; other words keep their random vectors.

    Args:
        network: Network of word vectors; its tables have a row per word, and possibly more rows after them.
        where: A file of exported vectors; or a checkpoint or a run's folder, which also has the second table and the
            optimizer's state.
        model: Name of the network for ``--model``.
        vocab: Vocabulary of the network.

    Raises:
        UserError: There are no vectors of these words, of this size, from this kind of model.
    """
    path = user_path(where)
    if not path.is_dir() and path.suffix != ".ckpt":
        if network.embedding.num_embeddings > len(vocab):
            raise UserError(f"{path} has no vectors of the parts of words; give a run of {model} as --model.vectors")
        return Continued(set_vectors(network.embedding, where, vocab, "words"))
    checkpoint = read_checkpoint(checkpoint_in(path))
    record = checkpoint["seqlab"]
    if record["model"] != model or "text" not in record["codecs"]:
        raise UserError(
            f"{path} holds a model '{record['model']}', and {model} cannot continue its training; give the vectors "
            "that python -m seqlab.export writes, or a run of the same model"
        )
    codec = codec_of(record["codecs"]["text"])
    assert isinstance(codec, Codec)
    rows = _shared(vocab, codec.vocab)
    if not len(rows[0]):
        raise UserError(f"{path} has none of the {len(vocab):,} words of this text; give a run on the same language")
    squares: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        kept = checkpoint["state_dict"][f"network.{name}"]
        if kept.shape[1:] != parameter.shape[1:]:
            raise UserError(
                f"{path} has vectors of size {kept.shape[1]}, not {parameter.shape[1]}; give --model.embedding_size "
                f"{kept.shape[1]}"
            )
        own, there = rows
        if len(parameter) > len(vocab):
            behind, others = network.rows_behind(len(kept) - len(codec.vocab))
            own, there = torch.cat([own, behind]), torch.cat([there, others + len(codec.vocab)])
        parameter.data[own] = kept[there].to(parameter)
        summed = _squares_of(checkpoint, f"network.{name}")
        if summed is not None:
            squares[name] = torch.zeros_like(parameter)
            squares[name][own] = summed[there].to(parameter)
    run = checkpoint.get("run", {}).get("name", path.name)
    return Continued(f"vectors of {len(rows[0]):,} of {len(vocab):,} words from {run}", squares)


def _shared(new: Vocab, old: Vocab) -> tuple[Tensor, Tensor]:
    """Rows of the shared tokens in each of two vocabularies."""
    tokens = new.tokens(range(len(new)))
    pairs = [(row, old[token]) for row, token in enumerate(tokens) if token in old]
    columns = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _squares_of(checkpoint: Mapping[str, Any], name: str) -> Tensor | None:
    """Adagrad's sums for a weight; None if another optimizer trained it."""
    states, names = checkpoint.get("optimizer_states"), checkpoint["seqlab"]["parameters"]
    if not states or name not in names:
        return None
    found: Tensor | None = states[0]["state"].get(names.index(name), {}).get(SQUARES)
    return found
