"""Token ids -> logits of the next token, through causal self-attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.beside_ngrams import NextTokenOptions
from seqlab.nn.kept import Kept
from seqlab.nn.next_token import NextToken
from seqlab.nn.output_layer import tie
from seqlab.nn.transformer import Transformer, TransformerOptions, begin
from seqlab.options import option


@dataclass(frozen=True)
class TransformerLanguageOptions(NextTokenOptions, TransformerOptions):
    """Options of ``TransformerLanguage``.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    tied: bool = option(True, "Tie input and output embeddings (Press & Wolf 2017).")
    memory: int = option(
        0,
        "Earlier tokens that each token sees, carried from batch to batch (Dai et al. 2019); 0 for its window only.",
        least=0,
        most=2**24,
    )
    stride: int | None = option(
        None,
        "Tokens from the start of one window to the next in a long text; half a window if not given.",
        least=1,
        seldom=True,
    )
    vectors: str | None = option(
        None,
        "File of pretrained word vectors of size hidden_size, plain or compressed.",
        once=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory and self.positions not in ("rotary", "none"):
            raise UserError(f"memory {self.memory} needs relative positions; give --model.positions rotary or none")
        if self.memory and (self.stride is not None or self.context is not None):
            raise UserError("memory takes the place of windows; leave out --model.stride and --model.context")
        if self.stride is not None and self.context is not None and self.stride > self.context:
            raise UserError(f"stride {self.stride} must be at most context {self.context}, or tokens would be skipped")

    def network(self, vocab_size: int) -> "TransformerLanguage":
        return TransformerLanguage(vocab_size, self)


class Read(NamedTuple):
    """Tokens of the current window, or with ``memory`` the last tokens; as a plain tuple it is the state.

    Args:
        ids: ``(batch, positions)`` int64.
        keys: Before rotation ``(batch, layers, heads, positions, head_size)``.
        values: Values of the same shape.
    """

    ids: Tensor
    keys: Tensor
    values: Tensor

    def layers(self) -> list[Kept]:
        """Keys and values of each layer."""
        return [Kept(*pair) for pair in zip(self.keys.unbind(1), self.values.unbind(1), strict=True)]

    def last(self, positions: int) -> "Read":
        """The last ``positions`` positions."""
        from_ = max(0, self.ids.shape[1] - positions)
        return Read(self.ids[:, from_:], self.keys[..., from_:, :], self.values[..., from_:, :])


class TransformerLanguage(NextToken):
    """Embedding, causal layers of self-attention, output layer (Radford et al. 2018, 2019).

    In training each window is independent. Otherwise the network reads a text in windows as long as those of training:
    a new window begins every ``stride`` tokens and first rereads its overlap with the window before. So each token is
    predicted once and sees at least ``window - stride`` earlier tokens, except at the beginning of the text. The result
    is the same for a text at once, in batches, or token by token.

    With ``memory`` every token sees that many earlier tokens, also in training, where batches pass on keys and values
    without gradients (Dai et al. 2019, arXiv 1901.02860, but with rotary positions).

    Args:
        vocab_size: Number of ids, in the input and in the logits.
        options: Options of the network; the defaults if not given.

    Attributes:
        longest: Tokens of the longest training window, 0 before training.
        stride: Tokens from one window to the next; half a window if None.
    """

    rows_axis = 0
    embedding: nn.Embedding
    longest: Tensor

    def __init__(self, vocab_size: int, options: TransformerLanguageOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or TransformerLanguageOptions()
        self.embedding = nn.Embedding(vocab_size, options.hidden_size)
        self.transformer = Transformer(options)
        self.output = options.output_layer(options.hidden_size, vocab_size)
        self.stride = options.stride
        self.register_buffer("longest", torch.tensor(0))
        begin(self, options)
        if options.tied:
            tie(self.embedding, self.output)

    @property
    def window(self) -> int | None:
        """Tokens of a window; None if it has no limit."""
        return self.options.context or int(self.longest) or None

    def step_of(self, window: int) -> int:
        """Tokens from one window of ``window`` tokens to the next."""
        return min(window, self.stride or max(1, window // 2))

    def features(self, ids: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        read = Read(*state) if state else None
        if self.options.memory:
            outputs, kept = self._remembering(ids, read)
            return outputs.transpose(0, 1), tuple(kept)
        if self.training:
            self.longest = self.longest.clamp(min=ids.shape[1])
            outputs, _ = self.transformer(self.embedding(ids), causal=True)
            return outputs.transpose(0, 1), ()
        parts = []
        for part in ids.split(1 << 30 if (window := self.window) is None else window, 1):
            outputs, read = self._in_windows(part, read, window)
            parts.append(outputs)
        assert read is not None
        return torch.cat(parts, 1).transpose(0, 1), tuple(read)

    def _in_windows(self, ids: Tensor, read: Read | None, window: int | None) -> tuple[Tensor, Read]:
        """Outputs of ids ``(batch, time)``, at most one window, and the new state."""
        if window is None:
            return self.read(ids, read)
        parts, stride = [], self.step_of(window)
        while ids.shape[1]:
            done = 0 if read is None else read.ids.shape[1]
            if read is not None and done >= window:
                again, read, done = read.ids[:, done - window + stride :], None, window - stride
                if done:
                    _, read = self.read(again, None)
            now, ids = ids[:, : window - done], ids[:, window - done :]
            outputs, read = self.read(now, read)
            parts.append(outputs)
        assert read is not None
        return torch.cat(parts, 1), read

    def _remembering(self, ids: Tensor, read: Read | None) -> tuple[Tensor, Read]:
        memory, parts = self.options.memory, []
        for part in ids.split(ids.shape[1] if self.training else memory, 1):
            outputs, read = self.read(part, read)
            read = read.last(memory)
            parts.append(outputs)
        assert read is not None
        return torch.cat(parts, 1), read

    def read(self, ids: Tensor, read: Read | None) -> tuple[Tensor, Read]:
        """Outputs of ids ``(batch, time)`` after a state, and the new state."""
        before: Sequence[Kept] | None = None if read is None else read.layers()
        most = self.options.memory or None
        outputs, kept = self.transformer(self.embedding(ids), before, causal=True, most=most)
        keys, values = (torch.stack(parts, 1) for parts in zip(*kept, strict=True))
        return outputs, Read(ids if read is None else torch.cat([read.ids, ids], 1), keys, values)

    def flops(self) -> dict[str, int]:
        """Counts a token in the middle of a window, or with a full memory."""
        seen = self.options.memory or (self.window or 0) / 2
        return {**self.transformer.flops(seen), "output layer": self.output.flops()}

    def memory_in_words(self, streams: int, noun: str) -> str:
        many = f"{streams:,} {noun}{'s' * (streams > 1)}"
        if self.options.memory:
            return f"each token sees {self.options.memory:,} before it, carried through {many}"
        if (window := self.window) is None:
            return f"each token sees all before it in {many}"
        return f"windows of {window:,} tokens, a new one every {self.step_of(window):,}, through {many}"

    def most_before(self) -> int | None:
        """Most earlier tokens that a token sees; None without a limit."""
        return self.options.memory or (None if (window := self.window) is None else window - 1)

    def state_bytes(self, rows: int, tokens: int) -> int:
        most = self.options.memory or self.window
        return super().state_bytes(rows, 1) * (tokens if most is None else min(tokens, most))
