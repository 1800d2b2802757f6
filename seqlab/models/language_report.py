"""The report of ``evaluate`` for a language model."""

import math
from dataclasses import dataclass

from seqlab.metrics import Report, bits, perplexity


@dataclass(frozen=True, kw_only=True)
class LanguageReport(Report):
    """Measures of a language model on a text, and the counts behind them.

    Args:
        unknown: Number of ``<unk>`` tokens.
        characters: Number of characters of cleaned text behind the tokens.
        streams: Number of streams of the text, or of lines.
        state: Context of each prediction, in words.
    """

    unknown: int
    characters: int
    streams: int
    state: str

    @property
    def tokens(self) -> int:
        """Tokens predicted, each once."""
        return self.count

    @property
    def perplexity(self) -> float:
        """exp of the loss."""
        return perplexity(self.loss)

    @property
    def bits_per_token(self) -> float:
        """The loss in bits."""
        return bits(self.loss)

    @property
    def bits_per_character(self) -> float:
        """Total bits divided by the number of characters; comparable between tokenizations of the same text."""
        return bits(self.loss * self.tokens / self.characters)

    def rows(self) -> dict[str, str]:
        rows = {
            "corpus": self.measured_on,
            "loss": f"{self.loss:.4f} nats per token",
            "perplexity": f"{self.perplexity:.4f}",
            "bits per token": f"{self.bits_per_token:.4f}",
            "bits per character": f"{self.bits_per_character:.4f}",
            "counted": f"{self.tokens:,} tokens, each once ({self.unknown:,} of them <unk>), "
            f"standing for {self.characters:,} characters",
            "state": self.state,
            "time": f"{self.seconds:.1f} s, {self.tokens / self.seconds:,.0f} tokens/s",
        }
        if math.isinf(self.loss):
            rows["perplexity"] += ": the text holds tokens to which the unsmoothed model gives probability 0"
        return rows
