"""Sentences -> scores of the tags of each word, through self-attention."""

from dataclasses import dataclass

from torch import nn

from seqlab.nn.tagger import WordOptions
from seqlab.nn.transformer import TransformerEncoder, TransformerOptions, begin
from seqlab.options import option


@dataclass(frozen=True)
class TransformerTaggerOptions(WordOptions, TransformerOptions):
    """Options of ``Tagger`` with layers of self-attention."""

    num_layers: int = option(2, "Number of layers.", least=1, most=256)
    dropout: float = option(0.2, "Dropout of word vectors, block outputs and layer outputs.", least=0, below=1)

    def layers(self, input_size: int) -> nn.Module:
        return TransformerEncoder(self, input_size)

    def begin(self, network: nn.Module) -> None:
        begin(network, self)
