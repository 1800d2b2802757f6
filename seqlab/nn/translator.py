"""Source ids and target ids -> the target's probability, with any encoder and decoder."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.linear import linear_cross_entropy, linear_log_softmax, linear_token_nats
from seqlab.options import Options, option


@dataclass(frozen=True)
class TranslatorOptions(Options):
    """Options of every translation network trained by gradients.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    tied: bool = option(False, "Tie the target embedding and the output layer.")
    shared: bool = option(False, "Share one embedding of source and target; needs --data.shared_vocab true.")
    source_vectors: str | None = option(None, "File of pretrained word vectors of the source.", once=True)
    target_vectors: str | None = option(None, "File of pretrained word vectors of the target.", once=True)
    label_smoothing: float = option(
        0.0,
        "Label smoothing, in training only.",
        least=0,
        below=1,
    )
    scheduled_sampling: float = option(
        0.0,
        "Scheduled sampling: share of the decoder's inputs that are its own predictions.",
        least=0,
        below=1,
        seldom=True,
    )
    bleu_sentences: int = option(
        500,
        "Validation sentences to translate greedily for val/bleu; 0 for none.",
        least=0,
        seldom=True,
    )
    length_factor: float = option(
        2.0,
        "Most tokens of a translation per source token, plus length_addend.",
        least=0,
        seldom=True,
    )
    length_addend: int = option(
        10, "Tokens added to that limit; the limit is at least --data.max_length.", least=0, seldom=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shared and self.source_vectors is not None and self.target_vectors is not None:
            raise UserError(
                "a shared embedding takes one file; leave out --model.source_vectors or --model.target_vectors"
            )


class Translator(nn.Module):
    """An encoder, a decoder and an output layer.

    Args:
        encoder: Ids ``(batch, positions)`` and lengths ``(batch,)`` -> the input of ``decoder.first_state``.
        decoder: Ids ``(rows, time)`` and a state -> features ``(rows, time, size)``, the state after them, and
            attention weights ``(rows, time, positions)`` if it ``attends``; ``first_state`` makes the first one.
        output: Features -> logits.
        options: Options of the network.

    Raises:
        UserError: The options share an embedding, but the vocabularies differ.
    """

    def __init__(self, encoder: Any, decoder: Any, output: nn.Linear, options: TranslatorOptions) -> None:
        super().__init__()
        self.encoder, self.decoder, self.output = encoder, decoder, output
        if options.shared and encoder.embedding.num_embeddings != output.out_features:
            raise UserError("a shared embedding needs one vocabulary for both languages; give --data.shared_vocab true")

    def share(self, options: TranslatorOptions) -> None:
        """Ties the shared matrices after initialization."""
        if options.shared:
            self.encoder.embedding.weight = self.decoder.embedding.weight
        if options.tied:
            self.decoder.embedding.weight = self.output.weight
            if options.shared:
                self.encoder.embedding.weight = self.output.weight

    @property
    def attends(self) -> bool:
        """Whether the decoder returns attention weights."""
        return bool(self.decoder.attends)

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """The decoder's first state for sentences ``(batch, positions)`` of ``lengths`` ``(batch,)``."""
        return self.decoder.first_state(self.encoder(source, lengths))

    @torch.no_grad()
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        """One step of decoding.

        Args:
            tokens: The last token of each row ``(rows,)``.
            state: State before that token.

        Returns:
            Log-probabilities of the next token ``(rows, target_vocab_size)``, the new state, and with attention the
            weights ``(rows, positions)``.
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
            smoothing: Label smoothing (Szegedy et al. 2016).
            sampling: Share of the inputs replaced by the model's predictions: scheduled sampling (Bengio et al. 2015)
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
        """``nats`` of each sentence ``(batch,)``, without gradients."""
        features, _, _ = self.decoder(inputs, self.encode(source, lengths))
        rows, wanted = features.flatten(0, 1), targets.flatten()
        nats = linear_token_nats(rows, self.output.weight, self.output.bias, wanted)
        return (nats.view_as(targets) * valid).sum(1)

    @torch.no_grad()
    def _mixed(self, inputs: Tensor, state: Any, share: float) -> Tensor:
        features, _, _ = self.decoder(inputs, state)
        chosen = self.output(features[:, :-1]).argmax(-1)
        replaced = torch.rand(chosen.shape, device=inputs.device) < share
        return torch.cat([inputs[:, :1], torch.where(replaced, chosen, inputs[:, 1:])], 1)
