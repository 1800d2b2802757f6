"""Source ids and target ids -> how likely the target is, through an encoder and a decoder."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.attention import Attention
from seqlab.nn.decoder import Decoder, DecoderState
from seqlab.nn.encoder import Encoder
from seqlab.nn.linear import linear_cross_entropy, linear_log_softmax, linear_token_nats
from seqlab.options import option
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import CellOptions, Recurrent


@dataclass(frozen=True)
class TranslationOptions(CellOptions):
    """Options of ``TranslationNetwork``.

    Raises:
        UserError: A value is out of its bounds, or two do not go together.
    """

    hidden_size: int = option(256, "Units in each layer, of each direction in the encoder.", least=1, most=2**20)
    embedding_size: int = option(256, "Numbers in both embeddings.", least=1, most=2**20)
    num_layers: int | None = option(
        None, "Layers of the encoder, and of the decoder; 1 if not given.", least=1, most=1000
    )
    bidirectional: bool = option(True, "Whether the encoder also reads from the end to the start.")
    attention: Literal["none", "dot", "general", "additive"] = option(
        "general",
        "none (the encoder's last output at every step, as in the book), dot, general (Luong et al. 2015) or additive "
        "(Bahdanau et al. 2015).",
    )
    input_feeding: bool = option(
        False, "Whether each step reads what the step before handed to the output layer (Luong et al. 2015)."
    )
    tied: bool = option(False, "Whether the target embedding and the output layer share one matrix.")
    shared: bool = option(False, "Whether source and target share one embedding; needs --data.shared_vocab true.")
    source_vectors: str | None = option(
        None, "File of word vectors, plain or compressed, that the source embedding begins with.", once=True
    )
    target_vectors: str | None = option(
        None, "File of word vectors, plain or compressed, that the target embedding begins with.", once=True
    )
    label_smoothing: float = option(
        0.0,
        "Share of the target's probability that is spread evenly over all ids, in training alone.",
        least=0,
        below=1,
    )
    scheduled_sampling: float = option(
        0.0, "Share of the decoder's inputs replaced by its own choices, in training alone.", least=0, below=1
    )
    bleu_sentences: int = option(
        500, "Sentences of the validation part that are translated greedily for val/bleu; 0 for none.", least=0
    )
    length_factor: float = option(
        2.0, "Tokens that a translation may have for each token of its source, beside length_addend.", least=0
    )
    length_addend: int = option(
        10, "Tokens that a translation may have beside; in any case as many as --data.max_length.", least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input_feeding and self.attention == "none":
            raise UserError("input_feeding needs attention; give --model.attention general or leave it out")
        if self.tied and self.embedding_size != self.hidden_size:
            raise UserError(
                f"tied weights need embedding_size ({self.embedding_size}) equal to hidden_size ({self.hidden_size}); "
                f"give --model.embedding_size {self.hidden_size} or leave out --model.tied"
            )
        if self.shared and self.source_vectors is not None and self.target_vectors is not None:
            raise UserError(
                "a shared embedding begins with one file; leave out --model.source_vectors or --model.target_vectors"
            )

    def build(self, source_vocab_size: int, target_vocab_size: int) -> "TranslationNetwork":
        """The network, its weights drawn."""
        return TranslationNetwork(source_vocab_size, target_vocab_size, self)


class TranslationNetwork(nn.Module):
    """Encoder, decoder and output layer (Sutskever et al. 2014, Cho et al. 2014, Bahdanau et al. 2015).

    Args:
        source_vocab_size: Ids that go in.
        target_vocab_size: Ids that come out.
        options: The rest; the defaults if not given.

    Raises:
        UserError: The options make no such network.
    """

    def __init__(
        self, source_vocab_size: int, target_vocab_size: int, options: TranslationOptions | None = None
    ) -> None:
        super().__init__()
        options = options or TranslationOptions()
        width, size = options.hidden_size, options.embedding_size
        if options.shared and source_vocab_size != target_vocab_size:
            raise UserError("a shared embedding needs one vocabulary for both languages; give --data.shared_vocab true")
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
        self.encoder = Encoder(source, stacks[0], options.dropout)
        self.decoder = Decoder(target, stacks[1], look, memory_size, options.dropout, options.input_feeding)
        self.output = nn.Linear(width, target_vocab_size)
        initialize(self, options.init, options.forget_bias, options.init_range)
        if options.shared:
            self.encoder.embedding.weight = target.weight
        if options.tied:
            target.weight = self.output.weight
            self.encoder.embedding.weight = target.weight if options.shared else self.encoder.embedding.weight

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """The decoder's first state for sentences ``(batch, positions)`` of ``lengths`` ``(batch,)``."""
        return self.decoder.first_state(self.encoder(source, lengths))

    @torch.no_grad()
    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        """One step of decoding.

        Args:
            tokens: The last token of each row ``(rows,)``.
            state: Before it.

        Returns:
            Log-probabilities of the next token ``(rows, target_vocab_size)``, the state after it, and with attention
            the weights ``(rows, positions)``.
        """
        features, state, weights = self.decoder(tokens.unsqueeze(1), state)
        log_probs = linear_log_softmax(features[:, 0], self.output.weight, self.output.bias)
        return log_probs, state, None if weights is None else weights[:, 0]

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Logits ``(batch, time, target_vocab_size)`` of the token after each of ``inputs`` ``(batch, time)``."""
        features, _, _ = self.decoder(inputs, self.encode(source, lengths))
        logits: Tensor = self.output(features)
        return logits

    def nats(
        self,
        source: Tensor,
        lengths: Tensor,
        inputs: Tensor,
        targets: Tensor,
        valid: Tensor,
        smoothing: float = 0.0,
        sampling: float = 0.0,
    ) -> Tensor:
        """Cross-entropy of target sentences, summed over their real tokens.

        Args:
            source: ``(batch, positions)`` int64.
            lengths: Real positions of each source ``(batch,)``.
            inputs: ``(batch, time)`` int64, the target from ``<bos>`` on.
            targets: ``(batch, time)`` int64, the token after each.
            valid: ``(batch, time)`` bool, True at real tokens.
            smoothing: Share of the target's probability that is spread evenly (Szegedy et al. 2016).
            sampling: Share of the inputs replaced by the model's own choices: scheduled sampling (Bengio et al. 2015)
                in two passes over all steps (Mihaylova & Martins 2019, arXiv 1906.07651).

        Returns:
            The sum in nats, a scalar.
        """
        state = self.encode(source, lengths)
        if sampling:
            inputs = self._mixed(inputs, state, sampling)
        features, _, _ = self.decoder(inputs, state)
        real = valid.flatten().nonzero().squeeze(1)
        rows, wanted = features.flatten(0, 1).index_select(0, real), targets.flatten().index_select(0, real)
        return linear_cross_entropy(rows, self.output.weight, self.output.bias, wanted, smoothing)

    @torch.no_grad()
    def sentence_nats(self, source: Tensor, lengths: Tensor, inputs: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """As ``nats``, of each sentence by itself ``(batch,)``, without gradients."""
        features, _, _ = self.decoder(inputs, self.encode(source, lengths))
        rows, wanted = features.flatten(0, 1), targets.flatten()
        nats = linear_token_nats(rows, self.output.weight, self.output.bias, wanted)
        return (nats.view_as(targets) * valid).sum(1)

    @torch.no_grad()
    def _mixed(self, inputs: Tensor, state: DecoderState, share: float) -> Tensor:
        features, _, _ = self.decoder(inputs, state)
        chosen = self.output(features[:, :-1]).argmax(-1)
        replaced = torch.rand(chosen.shape, device=inputs.device) < share
        return torch.cat([inputs[:, :1], torch.where(replaced, chosen, inputs[:, 1:])], 1)
