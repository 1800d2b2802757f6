"""LightningModules, one per task. ``TASKS`` has a row for each: its model, its data, its networks, its bar."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from seqlab.cells import CELLS
from seqlab.errors import UserError, reason_of
from seqlab.models.classification import TextClassifier
from seqlab.models.forecasting import Forecaster
from seqlab.models.images import ImageClassifier
from seqlab.models.language import LanguageModel
from seqlab.models.model import Model
from seqlab.models.regression import Regressor
from seqlab.models.sizes import shapes_of
from seqlab.models.strings import StringReader
from seqlab.models.tagging import Tagger
from seqlab.models.translation import TranslationModel
from seqlab.models.vectors import WordVectorModel
from seqlab.nn.bag import BagOptions
from seqlab.nn.cbow import CBOWOptions
from seqlab.nn.closed_form import ClosedFormOptions
from seqlab.nn.column_reader import ColumnReaderOptions
from seqlab.nn.fasttext import FastTextOptions
from seqlab.nn.glove import GloVeOptions
from seqlab.nn.grey_bayes import GreyBayesOptions
from seqlab.nn.ibm1 import IBM1Options
from seqlab.nn.image_cnn import ImageCNNOptions, ResNetOptions
from seqlab.nn.image_mlp import ImageLinearOptions, ImageMLPOptions
from seqlab.nn.image_recurrence import ImageRecurrenceOptions
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.naive_bayes import NaiveBayesOptions
from seqlab.nn.ngram import NGramOptions
from seqlab.nn.perceptron import PerceptronOptions
from seqlab.nn.ppmi import PPMIOptions
from seqlab.nn.recurrent_forecaster import RecurrentForecasterOptions
from seqlab.nn.regressors import LinearRegressorOptions, MLPRegressorOptions
from seqlab.nn.ridge import RidgeOptions
from seqlab.nn.seasonal import SeasonalOptions
from seqlab.nn.skipgram import SkipGramOptions
from seqlab.nn.suffix import SuffixOptions
from seqlab.nn.tagger import TaggerOptions
from seqlab.nn.template import TemplateOptions
from seqlab.nn.text_classifier import RecurrentClassifierOptions
from seqlab.nn.text_cnn import TextCNNOptions
from seqlab.nn.transformer_classifier import TransformerClassifierOptions
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.nn.transformer_tagger import TransformerTaggerOptions
from seqlab.nn.transformer_translation import TransformerTranslationOptions
from seqlab.nn.translation_network import TranslationOptions
from seqlab.nn.window_forecaster import LinearForecasterOptions, MLPForecasterOptions
from seqlab.nn.window_language import WindowLanguageOptions
from seqlab.options import Options
from seqlab.runs.checkpoint import check_weights, read_checkpoint
from seqlab.runs.folders import checkpoint_in
from seqlab.text.any_codec import codec_of


class Network(NamedTuple):
    """The network of ``--model NAME``.

    Args:
        options: Class of its options.
        sets: Options that the name sets.
    """

    options: type[Options]
    sets: Mapping[str, object] = {}

    def made(self, given: Mapping[str, Any]) -> Options:
        """The options: the given ones and those that the name sets."""
        known = [each.name for each in fields(self.options)]
        return self.options.from_plain({**given, **{key: value for key, value in self.sets.items() if key in known}})


class Task(NamedTuple):
    """A learning task.

    Args:
        model: Class of its model.
        data: Names of its data, the default first.
        networks: Networks by their name for ``--model``, the default first.
        bar: The counted or closed-form baseline that a network trained by gradients must beat.
        reads: Defaults of data options that differ in this task, by the name of the data.
    """

    model: type[Model]
    data: tuple[str, ...]
    networks: dict[str, Network]
    bar: str | None = None
    reads: Mapping[str, Mapping[str, Any]] = {}

    def name_of(self, options: Mapping[str, Any]) -> str | None:
        """The name for ``--model`` of a network with these plain options, if it was made without a name."""
        for name, network in self.networks.items():
            known = {each.name for each in fields(network.options)}
            if options.keys() <= known and all(options.get(key) == value for key, value in network.sets.items()):
                return name
        return None


EACH_CELL = ("gru", *CELLS)
ROWS_OF_WORDS = {"min_freq": 5, "batch_size": 32, "num_steps": 256}
WORDS = {"tokens": "word", **ROWS_OF_WORDS}
FEW_WORDS = {**WORDS, "batch_size": 4}

TASKS: dict[str, Task] = {
    "language": Task(
        LanguageModel,
        data=("time_machine", "text", "ptb", "wikitext2", "five_sentences"),
        networks={
            **{cell: Network(LanguageOptions, {"cell": cell}) for cell in EACH_CELL},
            "transformer": Network(TransformerLanguageOptions),
            "mlp": Network(WindowLanguageOptions),
            "ngram": Network(NGramOptions),
        },
        bar="ngram",
    ),
    "translation": Task(
        TranslationModel,
        data=("fra_eng", "parallel"),
        networks={
            "seq2seq": Network(TranslationOptions),
            **{cell: Network(TranslationOptions, {"cell": cell}) for cell in EACH_CELL},
            "transformer": Network(TransformerTranslationOptions),
            "ibm1": Network(IBM1Options),
        },
        bar="ibm1",
    ),
    "classification": Task(
        TextClassifier,
        data=("rt_polarity", "trec", "labelled"),
        networks={
            "bag": Network(BagOptions),
            **{cell: Network(RecurrentClassifierOptions, {"cell": cell}) for cell in EACH_CELL},
            "cnn": Network(TextCNNOptions),
            "transformer": Network(TransformerClassifierOptions),
            "naive_bayes": Network(NaiveBayesOptions),
        },
        bar="naive_bayes",
    ),
    "tagging": Task(
        Tagger,
        data=("ud_english_ewt", "wnut17", "tagged", "hello"),
        networks={
            **{cell: Network(TaggerOptions, {"cell": cell}) for cell in ("lstm", *EACH_CELL)},
            "transformer": Network(TransformerTaggerOptions),
            "suffix": Network(SuffixOptions),
            "perceptron": Network(PerceptronOptions),
        },
        bar="suffix",
    ),
    "forecasting": Task(
        Forecaster,
        data=("sine", "series", "airline", "temperatures", "etth1"),
        networks={
            "linear": Network(LinearForecasterOptions),
            "mlp": Network(MLPForecasterOptions),
            **{cell: Network(RecurrentForecasterOptions, {"cell": cell}) for cell in EACH_CELL},
            "naive": Network(SeasonalOptions, {"season": 1}),
            "seasonal": Network(SeasonalOptions),
            "ridge": Network(RidgeOptions),
        },
        bar="ridge",
    ),
    "vectors": Task(
        WordVectorModel,
        data=("time_machine", "text", "ptb", "wikitext2", "five_sentences"),
        networks={
            "skipgram": Network(SkipGramOptions),
            "cbow": Network(CBOWOptions),
            "fasttext": Network(FastTextOptions),
            "glove": Network(GloVeOptions),
            "ppmi": Network(PPMIOptions),
        },
        bar="ppmi",
        reads={"time_machine": FEW_WORDS, "text": WORDS, "ptb": ROWS_OF_WORDS, "wikitext2": ROWS_OF_WORDS},
    ),
    "images": Task(
        ImageClassifier,
        data=("digits", "mnist", "images"),
        networks={
            "cnn": Network(ImageCNNOptions),
            "linear": Network(ImageLinearOptions),
            "mlp": Network(ImageMLPOptions),
            "resnet": Network(ResNetOptions),
            **{cell: Network(ImageRecurrenceOptions, {"cell": cell}) for cell in EACH_CELL},
            "naive_bayes": Network(GreyBayesOptions),
        },
        bar="naive_bayes",
    ),
    "strings": Task(
        StringReader,
        data=("digit_strings",),
        networks={
            **{cell: Network(ColumnReaderOptions, {"cell": cell}) for cell in EACH_CELL},
            "template": Network(TemplateOptions),
        },
        bar="template",
    ),
    "regression": Task(
        Regressor,
        data=("points",),
        networks={
            "linear": Network(LinearRegressorOptions),
            "mlp": Network(MLPRegressorOptions),
            "closed_form": Network(ClosedFormOptions),
        },
        bar="closed_form",
    ),
}


def load_model(checkpoint: Mapping[str, Any]) -> Model:
    """The model of a checkpoint that was read, in evaluation mode.

    Raises:
        UserError: The task or the network is unknown here.
    """
    record, kept = checkpoint["seqlab"], checkpoint["hyper_parameters"]
    task = TASKS.get(record["task"])
    name = record["model"] or (task and task.name_of(kept["options"]))
    if task is None or name not in task.networks:
        raise UserError(f"the checkpoint holds a model '{name}' for {record['task']}, which is unknown here")
    options, path = task.networks[name].made(kept["options"]), "the checkpoint"
    try:
        codecs = {key: codec_of(state) for key, state in record["codecs"].items()}
        shapes = shapes_of(task.model, options, codecs) if options.by_gradients else None
        if shapes is not None:
            kept_weights = _fixed(task.model, checkpoint["state_dict"])
            check_weights(kept_weights, _fixed(task.model, shapes), path, "use another one")
        model = task.model.from_checkpoint(checkpoint, options, codecs, name)
    except UserError:
        raise
    except Exception as error:  # strange values make networks or tokenizers raise many kinds
        raise UserError(
            f"the checkpoint does not hold the parts of a {name}: {reason_of(error)}; use another"
        ) from error
    model.run = checkpoint.get("run", {}).get("name", name)
    return model


def _fixed(kind: type[Model], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights whose shapes do not depend on the data."""
    names = (name for name in weights if name.startswith("network.") and not name.startswith(kind.counted))
    return {name: weights[name] for name in names}


def load(ckpt: str | Path) -> Model:
    """The model of a checkpoint, or of the best one in a run's folder, in evaluation mode, with its codecs.

    Raises:
        UserError: The file is not a checkpoint of seqlab.
    """
    return load_model(read_checkpoint(checkpoint_in(ckpt)))
