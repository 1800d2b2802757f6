import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqlab
from seqlab.cells import CELLS
from seqlab.data import DATA
from seqlab.models import TASKS

PACKAGE = Path(seqlab.__file__).parent
MODULES = {
    ".".join(("seqlab", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
VERBS = {f"seqlab.{verb}" for verb in seqlab.VERBS}
GROUND = ("board_tags", "bootstrap", "bounds", "errors", "files", "figures", "metrics", "options", "shapes", "starting")
STACK = ("native", "cells", "recurrence", "nn")
ABOVE_MODELS = ("models", "cli", "comparison")
BESIDE = ("runs", "decoding", "views", "callbacks", "analysis")
LIGHTNING = ("lightning", "torchmetrics", "jsonargparse")
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "text": ("torch", *LIGHTNING),
    "data": ("torchmetrics", "jsonargparse", *STACK, *BESIDE, *ABOVE_MODELS),
    "native": (*LIGHTNING, "data", "text", "cells", "recurrence", "nn", *BESIDE, *ABOVE_MODELS),
    "cells": (*LIGHTNING, "data", "text", "recurrence", "nn", *BESIDE, *ABOVE_MODELS),
    "recurrence": (*LIGHTNING, "data", "text", "nn", *BESIDE, *ABOVE_MODELS),
    "nn": (*LIGHTNING, "data", "text", *BESIDE, *ABOVE_MODELS),
    "runs": (*LIGHTNING, "data", "text", "cells", "recurrence", "nn", "decoding", "views", "callbacks", *ABOVE_MODELS),
    "decoding": (*LIGHTNING, "data", "cells", "runs", "views", "callbacks", *ABOVE_MODELS),
    "analysis": (*LIGHTNING, "data", "runs", "decoding", "views", "callbacks", *ABOVE_MODELS),
    "views": ("torchmetrics", "jsonargparse", "data", "runs", "callbacks", *ABOVE_MODELS),
    "callbacks": ("jsonargparse", "data", *STACK, "decoding", "views", "analysis", *ABOVE_MODELS),
    "models": ("jsonargparse", "cli", "comparison"),
    "cli": (*STACK, "comparison"),
    "comparison": ("torch", *LIGHTNING, "data", "text", *STACK, "decoding", "views", "callbacks", "analysis", "models"),
}
"""Rooms, and other packages, that a room may not import."""


def imports_of(name: str, path: Path) -> Iterator[str]:
    """Dotted names that a module imports, anywhere in it; ``from a import b`` is ``a`` and ``a.b``."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*parents, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def members(room: str) -> dict[str, Path]:
    return {name: path for name, path in MODULES.items() if within(name, f"seqlab.{room}")}


def test_the_reader_of_imports_sees_every_form(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b as c\nfrom . import d\nfrom ..e import f\ndef g():\n    from h import i\n")
    assert set(imports_of("seqlab.room.module", module)) == {
        *("a.b", "seqlab.room", "seqlab.room.d", "seqlab.e", "seqlab.e.f", "h", "h.i")
    }


@pytest.mark.parametrize("room", FORBIDDEN)
def test_who_may_import_whom(room: str) -> None:
    found = {
        (name, imported)
        for name, path in members(room).items()
        for imported in imports_of(name, path)
        if any(within(imported, other) or within(imported, f"seqlab.{other}") for other in FORBIDDEN[room])
    }
    assert not found


def test_text_knows_only_itself_errors_and_files() -> None:
    known = ("seqlab.text", "seqlab.errors", "seqlab.files")
    assert members("text")
    for name, path in members("text").items():
        own = [imported for imported in imports_of(name, path) if within(imported, "seqlab")]
        assert all(any(within(imported, package) for package in known) for imported in own), name


def test_errors_and_files_know_nothing_of_seqlab() -> None:
    for name in ("seqlab.errors", "seqlab.files"):
        assert not [imported for imported in imports_of(name, MODULES[name]) if within(imported, "seqlab")]


def test_the_ground_stands_on_itself() -> None:
    for name in GROUND:
        own = [
            imported
            for imported in imports_of(f"seqlab.{name}", MODULES[f"seqlab.{name}"])
            if within(imported, "seqlab")
        ]
        assert all(any(within(imported, f"seqlab.{ground}") for ground in GROUND) for imported in own), name


def test_every_room_is_in_the_table() -> None:
    assert {path.parent.name for path in MODULES.values()} - {"seqlab"} == {*FORBIDDEN}


def test_importing_text_does_not_import_torch() -> None:
    names = [name for name in MODULES if within(name, "seqlab.text")]
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_nothing_imports_a_verb() -> None:
    found = {
        (name, imported)
        for name, path in MODULES.items()
        if name not in VERBS
        for imported in imports_of(name, path)
        if any(within(imported, verb) for verb in VERBS)
    }
    assert {name for name, _ in found} <= {"seqlab"}  # which names their types, and imports them when they are called


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, seqlab, seqlab.__main__; sys.exit(any(n in sys.modules for n in ('torch', 'lightning')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_file_name_recurs_only_as_that_of_a_task_its_data_or_its_model() -> None:
    named = {*TASKS, *DATA, *(name for task in TASKS.values() for name in task.networks)} - {*CELLS}
    rooms: dict[str, list[str]] = {}
    for path in MODULES.values():
        rooms.setdefault(path.stem, []).append(path.parent.name)
    twice = {name: where for name, where in rooms.items() if len(where) > 1 and name != "__init__"}
    assert {name: where for name, where in twice.items() if name not in named} == {}


KINDS = {task.model.__name__ for task in TASKS.values()}
NAMES = {*TASKS, *(name for task in TASKS.values() for name in task.networks)} - {*CELLS}
OLD_FORMATS = "seqlab.runs.conversion"
"""Of checkpoints in which every kind of model was saved in a way of its own."""


def kinds_compared(path: Path) -> Iterator[str]:
    """Where a module asks which task or model it has: ``isinstance(x, LanguageModel)``, ``name == "seq2seq"``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            asked = [part for argument in node.args[1:] for part in ast.walk(argument)]
        if isinstance(node, ast.Compare):
            asked = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
        if isinstance(node, ast.match_case):
            asked = [*ast.walk(node.pattern)]
        for part in asked:
            name = getattr(part, "attr", getattr(part, "id", getattr(part, "value", None)))
            if name in KINDS or (isinstance(part, ast.Constant) and name in NAMES):
                yield f"line {getattr(part, 'lineno', 0)}: {name}"


def test_the_finder_of_kinds_sees_every_form(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    lines = [
        "isinstance(x, LanguageModel)",
        "isinstance(x, Other | models.TranslationModel)",
        "issubclass(x, (Other, LanguageModel))",
        "x == 'seq2seq'",
        "x.kind in ('ngram', 'other')",
        "type(x) is LanguageModel",
        "match x:\n    case 'translation': pass",
    ]
    for line in lines:
        module.write_text(line)
        assert len([*kinds_compared(module)]) == 1, line
    module.write_text("x = LanguageModel('seq2seq')\nisinstance(x, Other)\nx == 'other'\ny: LanguageModel\n")
    assert not [*kinds_compared(module)]


def test_models_alone_know_which_kind_a_model_is() -> None:
    found = {
        name: compared
        for name, path in MODULES.items()
        if not within(name, "seqlab.models") and name != OLD_FORMATS
        if (compared := [*kinds_compared(path)])
    }
    assert not found


TESTS = Path(__file__).parent
TOGETHER = {
    "nn.forecasters": (
        "nn.forecaster",
        "nn.recurrent_forecaster",
        "nn.window_forecaster",
        "nn.ridge",
        "nn.seasonal",
        "nn.calibrated",
    ),
    "nn.tagger": ("nn.characters", "nn.two_ways"),
    "nn.crf": ("native.chains",),
    "analysis.attention_inspection": ("analysis.heads_picture",),
    "models.language": ("models.language_measured",),
    "nn.translation_network": ("nn.translator",),
    "views.gates": ("views.gradient_watch",),
    "data.series": ("data.series_input", "data.series_parts", "data.series_windows", "data.series_corpora"),
    "data.tagged": ("data.tagged_files", "data.tagged_batches"),
    "models.forecasting": (
        *("models.forecasting_report", "models.origins", "analysis.lags", "decoding.rollout", "text.series_codec"),
    ),
    "models.tagging": ("models.tagging_report", "models.tagged"),
    "text.treebank": ("text.casing",),
    "nn.word_vectors": ("nn.word_blocks", "nn.skipgram", "nn.cbow"),
    "nn.counted_vectors": ("nn.cooccurrence", "nn.ppmi", "nn.glove"),
    "analysis.word_queries": ("analysis.word_knowledge",),
    "analysis.projection": ("analysis.labelled_points",),
    "analysis.vectors_inspection": ("analysis.neighbours_over_runs",),
    "analysis.word_in_context": ("analysis.context_measures", "analysis.context_pictures"),
    "models.vectors": ("models.vectors_report",),
    "models.strings": ("models.strings_report", "views.readings"),
    "data.digit_strings": ("data.string_batches",),
    "data.points": (
        *("data.points_files", "data.points_input", "data.points_batches", "data.points_sample"),
        *("data.number_tables", "text.points_codec"),
    ),
    "nn.closed_form": ("nn.regressors", "nn.hidden_layers"),
    "models.regression": ("models.regression_report", "models.fit_scores"),
    "views.fits": ("analysis.loss_surface",),
}
GROUPS = {type(cell).__module__: "seqlab.cells.steps" for cell in CELLS.values()}
GROUPS |= {f"seqlab.{name}": f"seqlab.{file}" for file, names in TOGETHER.items() for name in names}
"""Modules that one test file goes through together, by what that file is named after."""


def mirror_of(name: str) -> Path:
    """Where the tests of a module stand: ``tests/cli/test_plan.py`` of ``seqlab.cli.plan``."""
    *rooms, stem = GROUPS.get(name, name).split(".")[1:]
    return TESTS.joinpath(*rooms, f"test_{stem.strip('_')}.py")


TESTED = {mirror_of(name) for name, path in MODULES.items() if path.stem != "__init__"}


def test_every_module_has_its_test_file() -> None:
    assert not [str(path) for path in TESTED if not path.is_file()]


def test_every_test_file_of_a_room_has_its_module() -> None:
    assert not [str(path) for path in TESTS.glob("*/**/test_*.py") if path not in TESTED]


@pytest.mark.parametrize("name", ["utils.py", "helpers.py", "common.py", "misc.py"])
def test_no_drawer_for_everything(name: str) -> None:
    assert not list(PACKAGE.rglob(name))


def test_no_type_is_ignored() -> None:
    marks = ("# type:" + " ignore", "# no" + "qa", "# mypy:")
    assert not [path for path in MODULES.values() if any(mark in path.read_text(encoding="utf-8") for mark in marks)]


def test_every_module_and_public_function_says_what_it_is() -> None:
    silent = []
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None:
            silent.append(name)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                silent += [f"{name}.{node.name}"] * (ast.get_docstring(node) is None)
    assert not silent
