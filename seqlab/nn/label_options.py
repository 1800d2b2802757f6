"""Options of every network that tells classes apart by gradients, whatever it reads."""

from dataclasses import dataclass
from typing import Literal

from seqlab.options import Options, option


@dataclass(frozen=True)
class LabelOptions(Options):
    """How classes are learned and said."""

    label_smoothing: float = option(
        0.0, "Share of the label's probability spread evenly over all classes, in training alone.", least=0, below=1
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "Whether items of rare classes weigh more in training, so that every class weighs alike."
    )
    threshold: float | None = option(
        None,
        "Probability from which on the second of two labels, or each of several, is said; 0.5 if not given.",
        above=0,
        below=1,
        seldom=True,
    )
    tune_threshold: bool = option(
        False, "Whether that probability is the one of the highest F1 on the validation part.", seldom=True
    )
