"""Options of every network that tells classes apart by gradients, whatever it reads."""

from dataclasses import dataclass
from typing import Literal

from seqlab.options import Options, option


@dataclass(frozen=True)
class LabelOptions(Options):
    """How classes are learned and said."""

    label_smoothing: float = option(0.0, "Label smoothing, in training alone.", least=0, below=1)
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced weighs classes alike in training, whatever their number of items."
    )
    threshold: float | None = option(
        None,
        "Decision threshold of the second of two labels, or of each of several; 0.5 if not given.",
        above=0,
        below=1,
        seldom=True,
    )
    tune_threshold: bool = option(False, "Choose the threshold by F1 on the validation part.", seldom=True)
