"""``python -m seqlab.evaluate CKPT``: measures a trained model on held-out data, with every item counted once."""

import csv
import io
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from seqlab import VERBS
from seqlab.cli.objects import in_python
from seqlab.cli.parser import Parser, pick, spell_choices, values_of
from seqlab.cli.process import run_verb
from seqlab.cli.recipes import data_of, is_new, reused
from seqlab.cli.verbs import Loaded, add_options_of, checked, load_for, named_checkpoint, of_checkpoint
from seqlab.data import DATA
from seqlab.data.loader import watched
from seqlab.data.parts import Split
from seqlab.errors import UserError, nearest, reason_of
from seqlab.files import whole_file
from seqlab.metrics import WHOLE, Report
from seqlab.models import TASKS
from seqlab.runs.devices import choose_device
from seqlab.runs.writable import check_file

USAGE = "python -m seqlab.evaluate CKPT [--split test] [--data.OPTION VALUE ...] [--items FILE] [--OPTION VALUE ...]"
EXAMPLES = (
    "python -m seqlab.evaluate lightning_logs/gru-time_machine",
    "python -m seqlab.evaluate lightning_logs/gru-time_machine --data text --data.path other.txt",
)


def evaluate(
    ckpt: str,
    split: Split | None = None,
    device: str = "auto",
    data: dict[str, Any] | None = None,
    items: bool = False,
    **options: Any,
) -> Report:
    """Measures a trained model.

    Args:
        ckpt: Checkpoint of the model, or the folder of its run with the best checkpoint.
        split: Part of the corpus: train, val or test. If not given, the test part, or the whole of a new file that
            ``data`` does not cut into parts.
        device: auto, cpu or cuda.
        data: Options of the data that replace those of training; ``name`` chooses another corpus.
        items: Whether the report also has results for each item.
        options: Options of the model's own ``evaluate``, such as ``beam_size``.

    Returns:
        The report of the model's task: the loss, the measures, and the counts.

    Raises:
        UserError: The checkpoint or the data cannot be read.
    """
    with in_python():
        if split not in (None, *get_args(Split)):
            raise UserError(f"unknown split '{split}': {nearest(str(split), get_args(Split))}")
        given = data or {}
        named = [key for key, value in given.items() if value is not None]
        return _evaluate(load_for("evaluate", ckpt), split, device, given, named, items, options)


def _evaluate(
    loaded: Loaded,
    split: Split | None,
    device: str,
    data: dict[str, Any],
    named: Collection[str],
    items: bool,
    options: Mapping[str, Any],
) -> Report:
    """``evaluate``; ``named`` are the data options that the user gave, without those of the checkpoint."""
    where, asked = choose_device(device), checked(loaded.model, "evaluate", options)
    known = TASKS[loaded.model.task].data
    trained_on = loaded.recipe or {"name": known[-1]}
    name = pick("data", data.get("name", trained_on["name"]), DATA)
    kind = DATA[name]
    recipe = {**reused(trained_on, data), **data}
    whole = split is None and is_new(trained_on, data) and not {*kind.of_splits, *kind.held_out} & {*named}
    if whole:
        recipe = {**recipe, **dict.fromkeys(kind.of_limits), **kind.whole}
    corpus = data_of({"name": trained_on["name"], **recipe}, known, loaded.model.codecs)
    part = "train" if whole else split or "test"
    report: Report = loaded.model.to(where).evaluate(corpus, part, items, **asked)
    return replace(report, split=WHOLE) if whole else report


def write_items(items: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Writes the results of each item, one line per item, separated by tabs.

    Raises:
        UserError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(items)
    writer.writerows(zip(*items.values(), strict=True))
    try:
        with whole_file(path) as file:
            file.write(text.getvalue().encode())
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {reason_of(error)}; name a file in a folder that can be written"
        ) from None


def _run(argv: list[str]) -> None:
    arguments = spell_choices(argv, ["data"])
    parser = Parser(usage=USAGE, description=VERBS["evaluate"], examples=EXAMPLES, epilog=of_checkpoint("evaluate"))
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model, or the folder of its run.")
    told = "Part of the corpus; if not given, test, or all of a file that the model never saw."
    parser.add_argument("--split", type=Literal["train", "val", "test"] | None, metavar="{train,val,test}", help=told)
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu or cuda.")
    parser.add_argument("--items", type=str | None, help="TSV file for the results of each item.")
    loaded = named_checkpoint(parser, "evaluate", arguments, ["data"])
    named = add_options_of(parser, loaded, "evaluate")
    if loaded is not None:
        _add_data(parser, loaded, arguments)
    options = parser.parse_sentence(arguments).as_dict()
    assert loaded is not None
    asked = {name: options[name] for name in named}
    given = {key: value for key, value in options["data"].items() if value is not None}
    file = options["items"]
    named_data = [key for key in given if values_of(arguments, f"data.{key}")]
    check_file(file)
    with watched():
        report = _evaluate(loaded, options["split"], options["device"], given, named_data, file is not None, asked)
    print(report)
    if file is not None:
        write_items(report.items, Path(file))


def _add_data(parser: Parser, loaded: Loaded, arguments: list[str]) -> None:
    """Adds the data options that choose what to measure; the checkpoint fixes how text becomes ids."""
    names = TASKS[loaded.model.task].data
    trained_on = loaded.recipe or {"name": names[-1]}
    name = pick("data", (values_of(arguments, "data.name") or [trained_on["name"]])[-1], DATA)
    kind = DATA[name]
    parser.add_argument("--data.name", type=str, default=name, metavar="NAME", help=f"{' | '.join(names)}.")
    settled = {*kind.UNASKED, *kind.of_codecs, *kind.of_training, *kind.of_limits}
    parser.add_class_arguments(kind, "data", instantiate=False, skip={*settled})
    if name == trained_on["name"]:
        files = {key: values[-1] for key in kind.of_files if (values := values_of(arguments, f"data.{key}"))}
        kept = reused(trained_on, files)
        shown = {action.dest for action in parser._actions}
        parser.set_defaults({f"data.{key}": value for key, value in kept.items() if f"data.{key}" in shown})


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
