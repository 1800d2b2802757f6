"""The content of a checkpoint: keys, types and sizes, which are checked before use."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NotRequired, TypedDict

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.shapes import LARGEST_INT, mismatch

Plain = dict[str, Any]

DEEPEST = 40
LARGEST_SIDE = 4096
"""Most pixels in the height or width of an image."""
MOST_VALUES = 2**26
"""Most dicts, lists, numbers and texts, counted per reference: a few bytes can refer to 2**60 of them."""


class VocabState(TypedDict):
    """State of a vocabulary."""

    reserved: list[str]
    tokens: list[str]
    counts: list[int]


class TokenizerState(TypedDict):
    """State of a tokenizer; its kind decides which fields it has."""

    name: str
    rules: NotRequired[int]
    apart: NotRequired[str]
    library: NotRequired[str]
    pieces: NotRequired[list[str]]


class TextState(TypedDict):
    """State of a codec of text."""

    cleaning: str
    tokenizer: TokenizerState
    vocab: VocabState
    max_length: NotRequired[int | None]


class LabelsState(TypedDict):
    """State of a codec of labels."""

    kind: Literal["labels"]
    names: list[str]
    separator: NotRequired[str | None]


class ContextState(TypedDict):
    """State of a codec of context."""

    kind: Literal["context"]
    text: TextState
    network: Literal["recurrent", "transformer", "static"]
    options: dict[str, Any]


class StripState(TypedDict):
    """State of a codec of pictures of a line."""

    kind: Literal["strip"]
    height: int


class ScaleState(TypedDict):
    """State of the scale of several columns."""

    means: list[float]
    deviations: list[float]


class SeriesState(TypedDict):
    """State of a codec of series."""

    kind: Literal["series"]
    columns: list[str]
    known: list[str]
    calendar: list[str]
    history: int
    horizon: int
    season: int
    step: dict[str, Any]
    time_column: str | None
    id_column: str | None
    timezone: str | None
    scales: dict[str, ScaleState]
    known_scales: dict[str, ScaleState]
    errors: dict[str, list[float]]


class ImageState(TypedDict):
    """State of a codec of images."""

    kind: Literal["image"]
    height: int
    width: int
    view: Literal["auto", "vector", "image", "rows", "pixels"]
    order: list[int] | None
    mean: float
    deviation: float


class PointsState(TypedDict):
    """State of a codec of points."""

    kind: Literal["points"]
    columns: list[str]
    target: str
    layout: list[str]
    headed: bool
    scale: ScaleState
    target_scale: ScaleState
    classes: list[str] | None


class Recipe(TypedDict):
    """The recipe of the data: its name and its options."""

    name: str


class Record(TypedDict):
    """The content of the key ``seqlab``."""

    format: int
    task: str
    model: str | None
    codecs: dict[str, Plain]
    parameters: NotRequired[list[str] | None]
    data: NotRequired[Recipe | None]
    corpus: NotRequired[str | None]


class Hyperparameters(TypedDict):
    """Hyperparameters of the model."""

    options: dict[str, Any]
    optimizer: NotRequired[dict[str, Any] | None]
    lr_scheduler: NotRequired[dict[str, Any] | None]
    lr_interval: NotRequired[Literal["epoch", "step"]]


class LogEnd(TypedDict):
    """The end of a log: its last step, and the events of that step as TensorBoard writes them.

    With gradient accumulation, several validations share one step, and a checkpoint can lie between them. The step
    alone does not tell which of them a resumed run still has to log.
    """

    step: int
    events: list[bytes]


class RunOf(TypedDict):
    """The run of a checkpoint."""

    name: str
    config: str
    arithmetic: NotRequired[dict[str, str | int]]
    log: NotRequired[LogEnd]


class OptimizerState(TypedDict):
    """State of one optimizer, by the number of the weight."""

    state: dict[int, dict[str, Any]]
    param_groups: list[dict[str, Any]]


class Checkpoint(TypedDict):
    """A checkpoint of the current format."""

    state_dict: dict[str, Tensor]
    hyper_parameters: Hyperparameters
    seqlab: Record
    epoch: NotRequired[int]
    global_step: NotRequired[int]
    loops: NotRequired[dict[str, dict[str, Any]]]
    callbacks: NotRequired[dict[str, Any]]
    optimizer_states: NotRequired[list[OptimizerState]]
    lr_schedulers: NotRequired[list[dict[str, Any]]]
    run: NotRequired[RunOf]


class OldRecord(TypedDict):
    """The content of the key ``seqlab`` in format 1."""

    format: Literal[1]
    kind: NotRequired[Literal["language_model", "ngram", "seq2seq"]]
    codec: NotRequired[dict[str, Any] | None]


class OldCheckpoint(TypedDict):
    """A checkpoint of format 1."""

    seqlab: OldRecord
    hyper_parameters: dict[str, Any]
    run: NotRequired[RunOf]
    callbacks: NotRequired[dict[str, Any]]


def check_plain(content: object, size: int, path: object) -> None:
    """Checks that a checkpoint is a tree of plain values and of tensors no larger than its file.

    Args:
        content: The loaded content.
        size: Size of the file, in bytes.
        path: Path of the file, for messages.

    Raises:
        UserError: The content has other values, refers to itself, or is too deep or too large.
    """
    counts: dict[int, int] = {}

    def count(value: object, depth: int) -> int:
        if isinstance(value, Tensor):
            _check_tensor(value, size)
            return 1
        if isinstance(value, bool | float | str | bytes | None):
            return 1
        if isinstance(value, int):
            if abs(value) > LARGEST_INT * 2:
                raise _Unfit("a number that is too large")
            return 1
        if not isinstance(value, dict | list | tuple | set):
            raise _Unfit(f"a {type(value).__name__}")
        if id(value) in counts:
            if not counts[id(value)]:
                raise _Unfit("something that holds itself")
            return counts[id(value)]
        if depth > DEEPEST:
            raise _Unfit(f"values nested deeper than {DEEPEST}")
        counts[id(value)] = 0
        inside = [*value, *value.values()] if isinstance(value, dict) else value
        counts[id(value)] = total = 1 + sum(count(one, depth + 1) for one in inside)
        if total > MOST_VALUES:
            raise _Unfit(f"more than {MOST_VALUES:,} values")
        return total

    try:
        count(content, 0)
    except _Unfit as unfit:
        raise UserError(f"{path} holds {unfit}, which no checkpoint of seqlab does; it was not used") from None


def check_shape(checkpoint: Mapping[str, Any], hint: type, path: object) -> None:
    """Checks that a checkpoint has the keys and types of its format.

    Raises:
        UserError: A key is missing, or a type is wrong.
    """
    if found := mismatch(checkpoint, hint, "it"):
        raise UserError(f"{path} is no sound checkpoint of seqlab: {found.removeprefix('it.')}; use another one")


def check_codecs(checkpoint: Mapping[str, Any], path: object) -> None:
    """Checks that each codec is complete, with each token, label and column once.

    Raises:
        UserError: A codec is not.
    """
    for name, state in checkpoint["seqlab"]["codecs"].items():
        kind = state.get("kind")
        hint, numbered = _CODECS.get(kind, _CODECS[None]) if isinstance(kind, str | None) else _CODECS[None]
        check_shape({"codecs": {name: state}}, hint, path)
        named = numbered(state)
        if not named or len({*named}) < len(named):
            raise UserError(f"{path} is no sound checkpoint of seqlab: codecs.{name} does not number its tokens")


def _tokens(state: Plain) -> list[str]:
    """Tokens of a text codec; empty if counts are missing."""
    vocab = state["vocab"]
    tokens: list[str] = [*vocab["reserved"], *vocab["tokens"]]
    return tokens if len(vocab["tokens"]) == len(vocab["counts"]) else []


def _columns(state: Plain) -> list[str]:
    """Columns of a series codec; empty if a scale or a length is invalid."""
    columns: list[str] = state["columns"]
    scales = [(columns, state["scales"]), (state["known"], state["known_scales"])]
    sizes = [len(of) == len(part) for of, each in scales for scale in each.values() for part in scale.values()]
    sizes += [len(errors) == len(columns) for errors in state["errors"].values()]
    lengths = min(state["history"], state["horizon"], state["season"])
    return columns if state["scales"] and all(sizes) and lengths > 0 else []


def _image(state: Plain) -> list[str]:
    """One name for an image codec; empty if its size, order or scale is invalid."""
    sides, order = (state["height"], state["width"]), state["order"]
    sound = min(sides) > 0 and max(sides) <= LARGEST_SIDE and 0 < state["deviation"] < math.inf
    sound = sound and math.isfinite(state["mean"])
    return ["image"] if sound and (order is None or sorted(order) == [*range(math.prod(sides))]) else []


def _rows(state: Plain) -> list[str]:
    """One name for a codec of pictures of a line; empty if its height is invalid."""
    return ["strip"] if 0 < state["height"] <= LARGEST_SIDE else []


def _features(state: Plain) -> list[str]:
    """Features of a points codec; empty if a scale is invalid, or the classes are not two."""
    columns: list[str] = state["columns"]
    sizes = [len(part) == len(columns) for part in state["scale"].values()]
    sizes += [len(part) == 1 for part in state["target_scale"].values()]
    return columns if all(sizes) and len(state["classes"] or "ab") == 2 else []


class _OfText(TypedDict):
    codecs: dict[str, TextState]


class _OfLabels(TypedDict):
    codecs: dict[str, LabelsState]


class _OfContext(TypedDict):
    codecs: dict[str, ContextState]


class _OfSeries(TypedDict):
    codecs: dict[str, SeriesState]


class _OfImages(TypedDict):
    codecs: dict[str, ImageState]


class _OfStrips(TypedDict):
    codecs: dict[str, StripState]


class _OfPoints(TypedDict):
    codecs: dict[str, PointsState]


_CODECS: dict[str | None, tuple[type, Callable[[Plain], list[str]]]] = {
    None: (_OfText, _tokens),
    "labels": (_OfLabels, lambda state: state["names"]),
    "context": (_OfContext, lambda state: _tokens(state["text"])),
    "series": (_OfSeries, _columns),
    "image": (_OfImages, _image),
    "strip": (_OfStrips, _rows),
    "points": (_OfPoints, _features),
}
"""Type of the state of each kind of codec, and the function that lists the names of its ids."""


def check_finite(weights: Mapping[str, Tensor], whose: object) -> None:
    """Checks that weights are finite numbers.

    Raises:
        UserError: A weight is NaN or infinite.
    """
    for name, weight in weights.items():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            wrong = int((~torch.isfinite(weight)).sum())
            raise UserError(
                f"{whose} has weights that are no numbers: {wrong:,} of the {weight.numel():,} of {name} are NaN or "
                "infinite; use a checkpoint from before"
            )


class _Unfit(Exception):
    """Invalid content of a checkpoint."""


def _check_tensor(value: Tensor, size: int) -> None:
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
        raise _Unfit(f"a tensor of layout {value.layout} on {value.device}")
    if value.is_complex():
        raise _Unfit("complex numbers")
    held = value.untyped_storage().nbytes()
    if held > size or math.prod(value.shape) * value.element_size() > held:
        raise _Unfit(f"a tensor of {' x '.join(map(str, value.shape))} numbers, of which the file has fewer")
