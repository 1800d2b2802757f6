"""LightningModules. ``MODELS`` names every model that ``--model`` takes, with what the name sets."""

from pathlib import Path
from typing import NamedTuple

import lightning.pytorch as pl

from seqlab.cells import CELLS
from seqlab.checkpoint import read_checkpoint
from seqlab.models.language_model import LanguageModel
from seqlab.models.ngram import NGramModel
from seqlab.text.codec import Codec


class ModelChoice(NamedTuple):
    """What ``--model NAME`` stands for.

    Args:
        kind: Class of the model.
        defaults: Arguments that the name sets.
        data: Name of the corpus it is trained on unless ``--data`` says otherwise.
    """

    kind: type[pl.LightningModule]
    defaults: dict[str, object]
    data: str


MODELS: dict[str, ModelChoice] = {
    cell: ModelChoice(LanguageModel, {"cell": cell}, data="time_machine") for cell in CELLS
}
MODELS["ngram"] = ModelChoice(NGramModel, {}, data="time_machine")


def load(ckpt: str | Path) -> LanguageModel:
    """The model of a checkpoint in evaluation mode, with its codec.

    Raises:
        UserError: The file is not a checkpoint of seqlab.
    """
    checkpoint = read_checkpoint(ckpt)
    arguments, codec = checkpoint["hyper_parameters"], Codec.from_state(checkpoint["seqlab"]["codec"])
    if "smoothing" in arguments:
        model: LanguageModel = NGramModel(
            arguments["vocab_size"], arguments["order"], arguments["smoothing"], codec=codec
        )
    else:
        model = LanguageModel(**arguments, codec=codec)
    model.load_state_dict(checkpoint["state_dict"])
    return model.eval()
