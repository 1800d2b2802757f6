"""LightningModules. ``MODELS`` names every model that ``--model`` takes, with what the name sets."""

from pathlib import Path
from typing import Any, NamedTuple

from seqlab.cells import CELLS
from seqlab.models.language import LanguageModel
from seqlab.models.model import SequenceModel
from seqlab.models.ngram import NGramModel
from seqlab.models.translation import Seq2Seq
from seqlab.runs.checkpoint import read_checkpoint


class ModelChoice(NamedTuple):
    """What ``--model NAME`` stands for.

    Args:
        kind: Class of the model.
        defaults: Arguments that the name sets.
        data: Name of the corpus it is trained on unless ``--data`` says otherwise.
    """

    kind: type[SequenceModel]
    defaults: dict[str, object]
    data: str


MODELS: dict[str, ModelChoice] = {
    **{cell: ModelChoice(LanguageModel, {"cell": cell}, data="time_machine") for cell in CELLS},
    "ngram": ModelChoice(NGramModel, {}, data="time_machine"),
    "seq2seq": ModelChoice(Seq2Seq, {}, data="fra_eng"),
}

KINDS: dict[str, type[SequenceModel]] = {kind.kind: kind for kind in (LanguageModel, NGramModel, Seq2Seq)}
"""What a checkpoint says that it holds."""


def load_model(checkpoint: dict[str, Any]) -> SequenceModel:
    """The model of a checkpoint that was read, in evaluation mode."""
    model = KINDS[checkpoint["seqlab"].get("kind", LanguageModel.kind)].from_checkpoint(checkpoint)
    model.load_state_dict(checkpoint["state_dict"])
    return model.eval()


def load(ckpt: str | Path) -> SequenceModel:
    """The model of a checkpoint in evaluation mode, with its codecs.

    Raises:
        UserError: The file is not a checkpoint of seqlab.
    """
    return load_model(read_checkpoint(ckpt))
