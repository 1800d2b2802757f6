"""Base of models that read words: pretrained vectors, and the states of a language model as inputs."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from seqlab.errors import UserError
from seqlab.models.model import Codecs, Model
from seqlab.models.pretrained import read_context, start_from_vectors
from seqlab.nn.contextual import Contextual, reader_of
from seqlab.text.codec import Codec
from seqlab.text.context_codec import ContextCodec
from seqlab.text.tokenize import WORDS

CONTEXT = "context"
"""Name of the codec that the options ``contextual`` add."""


class WordInputs(Model):
    """A model of words. Its codec ``text`` numbers them; ``context``, if there is one, is that of a language model."""

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        context = codecs.get(CONTEXT)
        if not isinstance(context, ContextCodec):
            return super().network_of(options, codecs)
        sizes = (codec.vocab_size for name, codec in codecs.items() if name != CONTEXT)
        reader = reader_of(context.network, context.options, context.vocab_size)
        made: nn.Module = options.build(*sizes, contextual=Contextual(reader))
        return made

    def build(self) -> nn.Module:
        made: Any
        if (where := getattr(self.options, "contextual", None)) is None:
            made = super().build()
        else:
            if self.text.tokenizer.name not in WORDS:
                raise UserError(
                    f"--model.contextual reads words, and these data have tokens of kind '{self.text.tokenizer.name}'; "
                    "give data of words, or leave it out"
                )
            self.codecs[CONTEXT], weights, said = read_context(where)
            made = super().build()
            made.contextual.read_weights(weights)
            self.loaded.append(f"{said} ({', '.join(made.contextual.names)})")
        start_from_vectors(self, made, self.text)
        return made

    @property
    def text(self) -> Codec:
        """The codec of the text."""
        return self.codec_named("text", Codec)

    @property
    def contextual(self) -> Contextual | None:
        """The language model that reads the words, if there is one."""
        found: Contextual | None = getattr(self.network, "contextual", None)
        return found

    def remarks(self, measured: Mapping[str, float]) -> list[str]:
        if self.contextual is None:
            return []
        if self.contextual.names == ["static"]:
            return [f"Scale of the word vectors: {self.contextual.gamma.item():.2f}."]
        shares = ", ".join(f"{name} {share:.2f}" for name, share in self.contextual.shares().items())
        return [f"Weights of the language model's layers: {shares}; scale {self.contextual.gamma.item():.2f}."]
