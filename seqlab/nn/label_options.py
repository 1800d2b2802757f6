"""Options of every classifier trained by gradients."""

from dataclasses import dataclass
from typing import Literal

from seqlab.options import Options, option


@dataclass(frozen=True)
class LabelOptions(Options):
    """Loss and decision threshold of a classifier."""

    label_smoothing: float = option(0.0, "Label smoothing, in training only.", least=0, below=1)
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced gives all classes the same total weight in training."
    )
    threshold: float | None = option(
        None,
        "Decision threshold of the second of two labels, or of each of several labels; 0.5 if not given.",
        above=0,
        below=1,
        seldom=True,
    )
    tune_threshold: bool = option(False, "Choose the threshold by F1 on the validation part.", seldom=True)
