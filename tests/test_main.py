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
    assert capsys.readouterr().out.startswith(f"usage: seqlab {{{','.join(seqlab.VERBS)}}} ...")


def test_a_verb_gets_the_rest_of_the_line_and_gives_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "generate", "none.ckpt") == 2
    assert capsys.readouterr().err.startswith("seqlab: there is no checkpoint 'none.ckpt'")


def test_a_misspelt_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(monkeypatch, "generat", "none.ckpt") == 2
    assert capsys.readouterr().err == "seqlab: unknown verb 'generat': did you mean 'generate'?\n"
