import subprocess
from pathlib import Path

import pytest
import torch

from seqlab.native import compiler

compiled = pytest.mark.skipif(compiler.portable().library is None, reason=compiler.portable().reason or "there is")


def built(monkeypatch: pytest.MonkeyPatch, **environment: str) -> compiler.Native:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return compiler.portable.__wrapped__()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SEQLAB_NATIVE": "0"}, "SEQLAB_NATIVE is 0"),
        ({"CXX": "nowhere", "PATH": ""}, "no C++ compiler"),
        ({"CXX": "false"}, "false failed: "),
        ({"XDG_CACHE_HOME": "/dev/null"}, "Not a directory"),
    ],
)
@compiled
def test_why_there_is_no_compiled_code(
    environment: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = built(monkeypatch, **environment)
    assert found.library is None
    assert words in found.reason
    assert compiler.obstacle() in (None, found.reason)


@compiled
def test_it_is_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **more: commands.append(given[0]) or run(*given, **more))
    monkeypatch.setattr(compiler, "PORTABLE", ("chains.cpp", "sparse_rows.cpp"))
    for _ in range(2):
        assert built(monkeypatch, XDG_CACHE_HOME=str(tmp_path)).library is not None
    assert sum("-c" in command for command in commands) == len(compiler.PORTABLE)
    assert len([*(tmp_path / "seqlab" / "native").iterdir()]) == 1
    assert capsys.readouterr().err.count("compiling") == 1


def test_lines_of_the_sources_have_120_characters_at_most() -> None:
    sources = [path for path in Path(compiler.__file__).parent.iterdir() if path.suffix in (".cpp", ".h")]
    assert {*compiler.UNITS, *compiler.PORTABLE, *compiler.WIDE} < {path.name for path in sources}
    lines = [(path.name, line) for path in sources for line in path.read_text(encoding="utf-8").splitlines()]
    assert [found for found in lines if len(found[1]) > 120] == []


@pytest.mark.parametrize(("numbers", "each", "threads"), [(10, 100, 1), (250, 100, 2), (10_000, 100, 4)])
def test_threads_that_are_worth_waking(numbers: int, each: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert compiler.threads_for(numbers, each) == threads


@pytest.mark.skipif(compiler.native().library is None, reason=compiler.native().reason or "there is")
def test_matrices_that_compiled_code_takes() -> None:
    matrix = torch.ones(4, 6)
    assert compiler.rows_of_float(matrix, matrix[:, 2:])
    for other in (matrix.t(), matrix.double(), matrix.to("meta")):
        assert not compiler.rows_of_float(matrix, other)


def test_without_a_library_there_is_none_to_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "native", lambda: compiler.Native(None, "none"))
    assert not compiler.rows_of_float(torch.ones(4, 6))
