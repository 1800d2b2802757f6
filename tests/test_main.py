import importlib.metadata
import re
import sys

import pytest

import seqlab
from seqlab import __main__ as program


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seqlab", *words])
    return program.main()


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",)])
def test_help_names_the_verbs(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: seqlab VERB")
    for verb, does in seqlab.VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(does)}$", out, re.MULTILINE)


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"seqlab {importlib.metadata.version('seqlab')}\n"


def test_a_verb_gets_the_rest_of_the_line_and_gives_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "generate", "none.ckpt") == 2
    assert capsys.readouterr().err.startswith("seqlab: there is no checkpoint 'none.ckpt'")


def test_a_misspelt_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(monkeypatch, "generat", "none.ckpt") == 2
    assert capsys.readouterr().err == "seqlab: unknown verb 'generat': did you mean 'generate'?\n"
