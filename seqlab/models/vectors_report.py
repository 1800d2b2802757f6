"""The report of ``evaluate`` for word vectors."""

from dataclasses import dataclass

from seqlab.analysis.word_knowledge import Analogies, Similarity
from seqlab.metrics import Report


@dataclass(frozen=True, kw_only=True)
class VectorsReport(Report):
    """How well word vectors separate pairs from noise, and what they know about words.

    Args:
        analogies: Result of a file of questions, if given.
        similarity: Result of a file of pairs, if given.
    """

    analogies: Analogies | None = None
    similarity: Similarity | None = None

    def rows(self) -> dict[str, str]:
        rows = {
            "corpus": self.measured_on,
            "loss": f"{self.loss:.4f} nats per pair",
            "AUC": f"{self.measures['auc']:.2%} of noise words score below a true context word",
            "counted": f"{self.count:,} pairs, one at distance d window + 1 - d times",
        }
        if self.similarity is not None:
            rows["similarity"] = str(self.similarity)
        if self.analogies is not None:
            rows["analogies"] = str(self.analogies.all())
            rows |= {f"  {section.name[:17]}": str(section) for section in self.analogies.sections}
        return {**rows, "time": f"{self.seconds:.1f} s"}
