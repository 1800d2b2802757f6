"""Source ids and target ids -> how likely the target is, through an encoder and a decoder."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.cells import make_cell
from seqlab.errors import UserError
from seqlab.nn.attention import Attention
from seqlab.nn.decoder import Decoder, DecoderState
from seqlab.nn.encoder import Encoder
from seqlab.nn.linear import linear_cross_entropy, linear_log_softmax
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import Recurrent


class TranslationNetwork(nn.Module):
    """Encoder, decoder and output layer (Sutskever et al. 2014, Cho et al. 2014, Bahdanau et al. 2015).

    Args:
        source_vocab_size: Ids that go in.
        target_vocab_size: Ids that come out.
        cell: A name of ``CELLS``.
        hidden_size: Units in each layer, of each direction in the encoder.
        embedding_size: Size of both embeddings.
        num_layers: Recurrent layers of the encoder, and of the decoder.
        dropout: Share of units zeroed on every connection that is not recurrent.
        bidirectional: Whether the encoder also reads from the end to the start.
        attention: none (the encoder's last output at every step, as in the book), dot, general or additive.
        input_feeding: Whether each step reads what the step before handed to the output layer (Luong et al. 2015).
        tied: Whether the target embedding and the output layer share one matrix.
        shared: Whether source and target share one embedding; needs one vocabulary for both.
        init: torch, normal (0.01, as in the book), xavier or orthogonal (recurrent weights).
        forget_bias: First bias of the forget gate of an lstm or its kin; as init has it if not given.
        reset_after: Of a gru: whether the reset gate acts after the matrix product (torch) or before it (the book).
        backend: Who runs the recurrences: torch, scan, reference, or auto for the fastest.

    Raises:
        UserError: A size or a name makes no such network.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        cell: str = "gru",
        hidden_size: int = 256,
        embedding_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.3,
        bidirectional: bool = True,
        attention: Literal["none", "dot", "general", "additive"] = "general",
        input_feeding: bool = False,
        tied: bool = False,
        shared: bool = False,
        init: str = "torch",
        forget_bias: float | None = None,
        reset_after: bool | None = None,
        backend: Literal["auto", "torch", "scan", "reference"] = "auto",
    ) -> None:
        super().__init__()
        if embedding_size < 1:
            raise UserError(f"embedding_size {embedding_size} must be a whole number of at least 1")
        if not 0 <= dropout < 1:
            raise UserError(f"dropout {dropout} must be at least 0 and below 1")
        if input_feeding and attention == "none":
            raise UserError("input_feeding needs attention; give --model.attention general or leave it out")
        if tied and embedding_size != hidden_size:
            raise UserError(
                f"tied weights need embedding_size ({embedding_size}) equal to hidden_size ({hidden_size}); "
                f"give --model.embedding_size {hidden_size} or leave out --model.tied"
            )
        if shared and source_vocab_size != target_vocab_size:
            raise UserError("a shared embedding needs one vocabulary for both languages; give --data.shared_vocab true")
        attends = attention != "none"
        memory_size = (2 if bidirectional else 1) * hidden_size
        sizes = embedding_size, Decoder.input_size(embedding_size, hidden_size, attends, input_feeding)
        stacks = [
            Recurrent(
                make_cell(cell, reset_after=reset_after),
                size,
                hidden_size,
                num_layers,
                dropout,
                bidirectional=both,
                backend=backend,
            )
            for size, both in zip(sizes, (bidirectional, False), strict=True)
        ]
        look = Attention(attention, hidden_size, memory_size) if attends else None
        source, target = (
            nn.Embedding(source_vocab_size, embedding_size),
            nn.Embedding(target_vocab_size, embedding_size),
        )
        self.encoder = Encoder(source, stacks[0], dropout)
        self.decoder = Decoder(target, stacks[1], look, memory_size, dropout, input_feeding)
        self.output = nn.Linear(hidden_size, target_vocab_size)
        initialize(self, init, forget_bias)
        if shared:
            self.encoder.embedding.weight = target.weight
        if tied:
            target.weight = self.output.weight
            self.encoder.embedding.weight = target.weight if shared else self.encoder.embedding.weight

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
        logits = self(source, lengths, inputs).float().transpose(1, 2)
        return (F.cross_entropy(logits, targets, reduction="none") * valid).sum(1)

    @torch.no_grad()
    def _mixed(self, inputs: Tensor, state: DecoderState, share: float) -> Tensor:
        features, _, _ = self.decoder(inputs, state)
        chosen = self.output(features[:, :-1]).argmax(-1)
        replaced = torch.rand(chosen.shape, device=inputs.device) < share
        return torch.cat([inputs[:, :1], torch.where(replaced, chosen, inputs[:, 1:])], 1)
