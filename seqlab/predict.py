"""``python -m seqlab.predict CKPT "some text"``: applies a trained model of any task to raw input."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from tqdm import tqdm

from seqlab import VERBS
from seqlab.cli.lines import beside_blanks, given_lines, say_incomplete, write_lines
from seqlab.cli.objects import in_python
from seqlab.cli.parser import Parser
from seqlab.cli.process import run_verb
from seqlab.cli.verbs import add_options_of, checked, load_for, named_checkpoint, of_checkpoint
from seqlab.runs.devices import choose_device
from seqlab.runs.writable import check_file

USAGE = 'python -m seqlab.predict CKPT ["TEXT" ...] [--input FILE] [--output FILE] [--format tsv] [--OPTION VALUE ...]'
EXAMPLES = (
    'python -m seqlab.predict lightning_logs/bag-trec "How far is it to Mars ?"',
    "python -m seqlab.predict lightning_logs/bag-trec --input questions.txt --output labels.tsv --format tsv",
)


def predict(ckpt: str, inputs: str | Iterable[str], device: str = "auto", **options: Any) -> list[Any]:
    """Predictions of a trained model for several inputs, in order.

    Args:
        ckpt: Checkpoint of the model, or the folder of its run with the best checkpoint.
        inputs: Raw texts.
        device: auto, cpu or cuda.
        options: Options of the model's own ``predict``.

    Returns:
        One named tuple per input, with the fields of the model's task.

    Raises:
        UserError: The checkpoint cannot be read, or an option is out of its range.
    """
    with in_python():
        model = load_for("predict", ckpt).model.to(choose_device(device))
        asked = checked(model, "predict", options)
        return list(model.predict([inputs] if isinstance(inputs, str) else inputs, **asked))


def as_text(prediction: Any) -> str:
    """A prediction as text for people."""
    return str(prediction)


def as_tsv(prediction: Any) -> str:
    """All fields of a prediction, separated by tabs; fields with parts as JSON."""
    values = prediction._asdict().values()
    shown = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values)
    return "\t".join(" ".join(text.replace("\t", " ").split("\n")) for text in shown)


def as_json(prediction: Any) -> str:
    """All fields of a prediction as one JSON object."""
    return json.dumps(prediction._asdict(), ensure_ascii=False)


def as_csv(predictions: Iterable[Any]) -> Iterator[str]:
    """A line of names, then a line for each prediction; each part of a field has its own column, empty fields none."""
    for number, one in enumerate(predictions):
        cells: dict[str, Any] = {}
        for name, value in one._asdict().items():
            cells |= value if isinstance(value, dict) else {name: value}
        there = {name: value for name, value in cells.items() if value is not None}
        for row in ([*there], [*there.values()])[number > 0 :]:
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(row)
            yield line.getvalue()


Format = Callable[[Iterable[Any]], Iterator[str]]
"""Function from predictions to lines."""

A_LINE_EACH: dict[str, Format] = {
    name: partial(map, one) for name, one in (("text", as_text), ("tsv", as_tsv), ("json", as_json))
}
FORMATS: dict[str, Format] = {**A_LINE_EACH, "csv": as_csv}
"""Formats of every model; some models have more."""


def _run(argv: list[str]) -> None:
    parser = Parser(usage=USAGE, description=VERBS["predict"], examples=EXAMPLES, epilog=of_checkpoint("predict"))
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model, or the folder of its run.")
    parser.add_argument("inputs", type=str, nargs="*", metavar="TEXT", help="Inputs; lines of stdin if there are none.")
    parser.add_argument("--input", type=str | None, help="UTF-8 file of inputs, one per line.")
    parser.add_argument("--output", type=str | None, help="File for the predictions, in the order of the inputs.")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu or cuda.")
    loaded = named_checkpoint(parser, "predict", argv, ["format"])
    formats = {**FORMATS, **(loaded.model.formats if loaded is not None else {})}
    told = f"One line per prediction: {', '.join(A_LINE_EACH)}, or csv with a line of names"
    more = [name for name in formats if name not in FORMATS]
    told += f"; or {', '.join(more)}" if more else ""
    told += "; chosen by the task if not given."
    parser.add_argument("--format", type=str, choices=[*formats], metavar="NAME", help=told)
    named = add_options_of(parser, loaded, "predict")
    options = parser.parse_sentence(argv).as_dict()
    assert loaded is not None
    model = loaded.model.to(choose_device(options["device"]))
    check_file(options["output"])
    inputs = given_lines(options["inputs"], options["input"], "input")
    filled = inputs if options["inputs"] else [text for text in inputs if text.strip()]
    said = model.predict(_counted(filled), **{name: options[name] for name in named})
    complete: list[bool] = []
    with torch.inference_mode():
        form = options["format"] or model.predicts
        shown = formats[form](_noted(said, complete))
        blank = not options["inputs"] and form in A_LINE_EACH and model.predicts in A_LINE_EACH
        write_lines(options["output"], beside_blanks(inputs, shown, "") if blank else shown)
    say_incomplete(complete.count(False), len(complete))


def _noted(said: Iterable[Any], complete: list[bool]) -> Iterator[Any]:
    """Predictions one by one; also counts incomplete ones, if the task reports them."""
    for prediction in said:
        complete.append(getattr(prediction, "complete", True))
        yield prediction


def _counted(inputs: Iterable[str]) -> Iterator[str]:
    """The inputs, with a progress bar on a terminal."""
    yield from tqdm(inputs, unit="input", disable=None if sys.stderr.isatty() else True)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
