"""Base of the verbs that take a checkpoint: the model's method with the verb's name, and its options."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqlab.analysis.huggingface import HuggingFace
from seqlab.bounds import check_all
from seqlab.cli.annotations import literals_of
from seqlab.cli.parser import Parser
from seqlab.cli.recipes import data_of
from seqlab.data.data_module import DataModule
from seqlab.errors import UserError, nearest
from seqlab.models import TASKS, load_model
from seqlab.models.model import Model
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import checkpoint_in, is_huggingface
from seqlab.runs.provenance import flush_denormals


def of_checkpoint(verb: str) -> str:
    """A note on where help lists the model's own options."""
    return f"python -m seqlab.{verb} CKPT --help lists the options of that checkpoint's model."


class Loaded(NamedTuple):
    """A trained model.

    Args:
        ckpt: Its checkpoint.
        model: The model in evaluation mode.
        recipe: Recipe of the training data, with its name; None if unknown.
    """

    ckpt: str
    model: Model
    recipe: dict[str, Any] | None

    def data(self) -> DataModule:
        """The training data, read with the model's codecs.

        Raises:
            UserError: The checkpoint does not name its training data.
        """
        if self.recipe is None:
            raise UserError(f"{self.ckpt} does not say what it was trained on; give the text itself")
        return data_of(self.recipe, TASKS[self.model.task].data, self.model.codecs)


class Foreign(NamedTuple):
    """Weights of another program.

    Args:
        ckpt: Their folder.
        model: What reads them.
    """

    ckpt: str
    model: HuggingFace

    def data(self) -> DataModule:
        """Fails: such a folder does not name its training data."""
        raise UserError(f"{self.ckpt} does not say what it was trained on; give the text itself")


def load_any(verb: str, ckpt: str | Path) -> Loaded | Foreign:
    """``load_for``, also for a folder of Hugging Face's weights if those have the verb.

    Raises:
        UserError: As ``load_for``.
    """
    if is_huggingface(ckpt) and hasattr(HuggingFace, verb):
        return Foreign(str(ckpt), HuggingFace(Path(ckpt)))
    return load_for(verb, ckpt)


def load_for(verb: str, ckpt: str | Path) -> Loaded:
    """Loads a model with the method of a verb, from a checkpoint or from the best one in a run's folder.

    Raises:
        UserError: The file is no checkpoint of seqlab, or its model has no such method.
    """
    flush_denormals()
    ckpt = checkpoint_in(ckpt)
    checkpoint = read_checkpoint(ckpt)
    model = load_model(checkpoint)
    if "run" not in checkpoint:
        model.run = ckpt.stem
    if not hasattr(model, verb):
        able = ", ".join(model.can())
        raise UserError(f"{ckpt} holds a {model.says}, which does not {verb}; it can {able}")
    return Loaded(str(ckpt), model, checkpoint["seqlab"].get("data"))


def load_all(verb: str, ckpts: Sequence[str | Path]) -> list[Loaded | Foreign]:
    """``load_any`` for several checkpoints of one task.

    Raises:
        UserError: The checkpoints have different tasks.
    """
    loaded = [load_any(verb, ckpt) for ckpt in ckpts]
    if other := next((one for one in loaded if one.model.task != loaded[0].model.task), None):
        raise UserError(
            f"{other.ckpt} holds a {other.model.says} and {loaded[0].ckpt} a {loaded[0].model.says}; "
            "give checkpoints of one task at once"
        )
    return loaded


def options_of(model: type[Model | HuggingFace], verb: str) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a model's method, which are its options."""
    parameters = inspect.signature(getattr(model, verb)).parameters
    return {name: one for name, one in parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}


def checked(model: Model | HuggingFace, verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given options of a model's method, checked by name, and by value if the method takes only some words.

    Raises:
        UserError: The method has no such option, or the option no such value.
    """
    known = options_of(type(model), verb)
    if unknown := next((name for name in given if name not in known), None):
        raise UserError(f"unknown option '{unknown}' of {verb}: {nearest(unknown, known)}")
    for name, value in given.items():
        words = literals_of(known[name].annotation)
        if isinstance(value, str) and words and value not in words:
            raise UserError(f"unknown {name} '{value}': {nearest(value, words)}")
    check_all("", given)
    return dict(given)


def add_options_of(parser: Parser, loaded: Loaded | Foreign | None, verb: str) -> list[str]:
    """Adds the options of a model's method; without a model, those of the only kind of model with the method.

    Returns:
        The names of the options.
    """
    kinds = {task.model for task in TASKS.values() if hasattr(task.model, verb)}
    if loaded is None and len(kinds) != 1:
        return []
    model = type(loaded.model) if loaded is not None else next(iter(kinds))
    options, method = options_of(model, verb), getattr(model, verb)
    skipped: set[str | int] = {name for name in inspect.signature(method).parameters if name not in options}
    parser.add_method_arguments(model, verb, skip=skipped - {"self"})
    return [*options]


def first_words(arguments: Sequence[str]) -> list[str]:
    """The arguments that are neither options nor the values of one."""
    pairs = zip(arguments, ["", *arguments], strict=False)
    return [word for word, last in pairs if (last[:2] != "--" or "=" in last) and not word.startswith("-")]


def check_names(parser: Parser, verb: str, arguments: Sequence[str], later: Iterable[str] = ()) -> None:
    """Checks before a checkpoint is read that some model's method has each option of a command line.

    Args:
        parser: Parser of the verb's own options.
        verb: Name of the verb.
        arguments: The command line.
        later: Names of options of the verb, or of groups of them, that the parser does not have yet.

    Raises:
        UserError: No model's method has the option.
    """
    kinds = [kind for kind in (*(task.model for task in TASKS.values()), HuggingFace) if hasattr(kind, verb)]
    parser.check_names(arguments, [*later, *(name for kind in kinds for name in options_of(kind, verb))])


def named_checkpoint(parser: Parser, verb: str, arguments: Sequence[str], later: Iterable[str] = ()) -> Loaded | None:
    """The model of the checkpoint at the start of a command line; None without one, as for ``--help``.

    The arguments are those of ``check_names``.

    Raises:
        UserError: As ``check_names`` and ``load_for``.
    """
    check_names(parser, verb, arguments, later)
    words = first_words(arguments)
    return load_for(verb, words[0]) if words else None
