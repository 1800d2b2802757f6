"""Source ids and target ids -> the target's probability, through a recurrent encoder and decoder."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from seqlab.errors import UserError
from seqlab.nn.attention import Attention
from seqlab.nn.decoder import Decoder
from seqlab.nn.encoder import Encoder
from seqlab.nn.translator import Translator, TranslatorOptions
from seqlab.options import option
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import CellOptions, Recurrent


@dataclass(frozen=True)
class TranslationOptions(TranslatorOptions, CellOptions):
    """Options of ``TranslationNetwork``.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    hidden_size: int = option(256, "Units in each layer, and in each direction of the encoder.", least=1, most=2**20)
    embedding_size: int = option(256, "Size of both embeddings.", least=1, most=2**20)
    num_layers: int | None = option(
        None, "Layers of the encoder, and layers of the decoder; 1 if not given.", least=1, most=256
    )
    bidirectional: bool = option(True, "Bidirectional encoder.")
    attention: Literal["none", "dot", "general", "additive"] = option(
        "general",
        "Attention: none (every step reads the encoder's last output), dot, general (Luong et al. 2015) or additive "
        "(Bahdanau et al. 2015).",
    )
    input_feeding: bool = option(False, "Input feeding (Luong et al. 2015).")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input_feeding and self.attention == "none":
            raise UserError("input_feeding needs attention; give --model.attention general or leave it out")
        if self.tied and self.embedding_size != self.hidden_size:
            raise UserError(
                f"tied weights need embedding_size ({self.embedding_size}) equal to hidden_size ({self.hidden_size}); "
                f"give --model.embedding_size {self.hidden_size} or leave out --model.tied"
            )

    def build(self, source_vocab_size: int, target_vocab_size: int) -> "TranslationNetwork":
        """The network with initialized weights."""
        return TranslationNetwork(source_vocab_size, target_vocab_size, self)


class TranslationNetwork(Translator):
    """Encoder, decoder and output layer (Sutskever et al. 2014, Cho et al. 2014, Bahdanau et al. 2015).

    Args:
        source_vocab_size: Number of input ids.
        target_vocab_size: Number of target ids.
        options: Options of the network; the defaults if not given.

    Raises:
        UserError: The options do not fit together.
    """

    def __init__(
        self, source_vocab_size: int, target_vocab_size: int, options: TranslationOptions | None = None
    ) -> None:
        options = options or TranslationOptions()
        width, size = options.hidden_size, options.embedding_size
        attends = options.attention != "none"
        memory_size = (2 if options.bidirectional else 1) * width
        sizes = size, Decoder.input_size(size, width, attends, options.input_feeding)
        stacks = [
            Recurrent(
                options.cell,
                inputs,
                width,
                options.num_layers,
                options.dropout,
                bidirectional=both,
                backend=options.backend,
            )
            for inputs, both in zip(sizes, (options.bidirectional, False), strict=True)
        ]
        look = Attention(options.attention, width, memory_size) if attends else None
        source, target = nn.Embedding(source_vocab_size, size), nn.Embedding(target_vocab_size, size)
        encoder = Encoder(source, stacks[0], options.dropout)
        decoder = Decoder(target, stacks[1], look, memory_size, options.dropout, options.input_feeding)
        super().__init__(encoder, decoder, nn.Linear(width, target_vocab_size), options)
        initialize(self, options.init, options.forget_bias, options.init_range)
        self.share(options)
