"""Weights from other models: word vectors from a file, and a language model or word vectors from a checkpoint."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

import seqlab
from seqlab.errors import UserError
from seqlab.files import user_path
from seqlab.models.model import Model
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.transformer_language import TransformerLanguage
from seqlab.nn.word_vectors import WordVectors
from seqlab.text.codec import Codec
from seqlab.text.context_codec import ContextCodec
from seqlab.text.tokenize import WORDS
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


def start_from_vectors(model: Model, network: nn.Module, codec: Codec, side: str = "", part: str = "") -> None:
    """``set_vectors`` from the file that the model's option ``vectors`` names, if it names one; ``loaded`` says so.

    Args:
        model: Model with the option.
        network: Its network, with the embedding.
        codec: Codec whose ids the embedding reads.
        side: What stands before the option's name and its tokens, for a model of two texts.
        part: Part of the network that has the embedding; the network itself if not given.

    Raises:
        UserError: As ``set_vectors``.
    """
    option, kind = (f"{side}_vectors", f"{side} tokens") if side else ("vectors", "tokens")
    if (file := getattr(model.options, option, None)) is not None:
        embedding = network.get_submodule(part).get_submodule("embedding")
        assert isinstance(embedding, nn.Embedding)
        model.loaded.append(set_vectors(embedding, file, codec.vocab, kind))


class Context(NamedTuple):
    """A trained language model, or trained word vectors, as a reader of words.

    Args:
        codec: Its codec and the structure of its network.
        weights: Its weights, by name.
        said: A phrase that names it.
    """

    codec: ContextCodec
    weights: Mapping[str, Tensor]
    said: str


def read_context(where: str) -> Context:
    """Reads a language model of words, or word vectors; the vector of words that these do not know is zero.

    Args:
        where: Its checkpoint, or the folder of its run.

    Raises:
        UserError: There is no checkpoint, or its model has no states or vectors, or does not read words.
    """
    model = seqlab.load(user_path(where))
    network, text = getattr(model, "neural", model.network), model.codecs.get("text")
    readers = LanguageNetwork | TransformerLanguage | WordVectors
    if not isinstance(network, readers) or not isinstance(text, Codec):
        raise UserError(
            f"--model.contextual {where} holds a {model.says} '{model.name}', which has no states of words; give a "
            "recurrent or Transformer language model, or word vectors"
        )
    if text.tokenizer.name not in WORDS:
        raise UserError(
            f"--model.contextual {where} reads tokens of kind '{text.tokenizer.name}', which are no words; give a "
            "language model that was trained with --data.tokens word or space"
        )
    if isinstance(network, WordVectors):
        vectors = network.vectors().clone()
        vectors[text.vocab.unk] = 0
        codec = ContextCodec(text, "static", {"embedding_size": vectors.shape[1]})
        return Context(codec, {"embedding.weight": vectors}, f"vectors of {model.run}")
    kind = "recurrent" if isinstance(network, LanguageNetwork) else "transformer"
    codec = ContextCodec(text, kind, model.options.plain())
    return Context(codec, network.state_dict(), f"states of {model.run}")
