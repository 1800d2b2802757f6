import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqlab

PACKAGE = Path(seqlab.__file__).parent
MODULES = {
    ".".join(("seqlab", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
VERBS = {f"seqlab.{verb}" for verb in seqlab.VERBS}
FORBIDDEN = {
    "text": ("torch", "lightning"),
    "data": ("seqlab.models", "seqlab.nn", "seqlab.cells", "seqlab.callbacks"),
    "cells": ("lightning", "seqlab.data", "seqlab.nn", "seqlab.models"),
    "native": ("lightning", "seqlab.cells", "seqlab.data", "seqlab.nn", "seqlab.models"),
    "nn": ("lightning", "seqlab.data", "seqlab.models", "seqlab.callbacks"),
    "decoding": ("lightning", "seqlab.models", "seqlab.data", "seqlab.callbacks"),
    "metrics": ("seqlab.models", "seqlab.data", "seqlab.callbacks"),
    "models": ("seqlab.callbacks", "seqlab.cli.build", "seqlab.cli.plan"),
    "analysis": ("lightning", "seqlab.data", "seqlab.models", "seqlab.callbacks"),
    "comparison": ("torch", "seqlab.data", "seqlab.nn", "seqlab.cells", "seqlab.models"),
    "callbacks": ("seqlab.cli.build", "seqlab.cli.plan"),
}


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
        if any(within(imported, package) for package in FORBIDDEN[room])
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


def test_each_verb_is_a_short_main() -> None:
    for name in VERBS:
        assert importlib.import_module(name).main.__annotations__["return"] is int


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
