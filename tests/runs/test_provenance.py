from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.native.compiler import Native
from seqlab.runs import provenance
from seqlab.runs.provenance import arithmetic

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("native", "scan"),
    [
        (Native(object()), "compiled"),  # type: ignore[arg-type]
        (Native(object(), tiles=True), "compiled with tiles"),  # type: ignore[arg-type]
        (Native(None, "no C++ compiler"), "torch operators (no C++ compiler)"),
    ],
)
def test_who_computes(native: Native, scan: str, two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "native", lambda: native)
    flushed = "flushed" if not (torch.tensor(1e-39) * 1).item() else "kept"
    monkeypatch.setattr(provenance, "obstacle", lambda: None if native.library else native.reason)
    attention = "compiled" if native.library else "torch operators (no C++ compiler)"
    named = {"torch": str(torch.__version__), "threads": 2, "denormals": flushed}
    assert arithmetic() == {**named, "scan": scan, "attention": attention}


FLUSHED = """
import sys, threading, torch
from seqlab.runs.provenance import arithmetic, flush_denormals
before = arithmetic()["denormals"]
if "flush" in sys.argv:
    flush_denormals()
torch.set_num_threads(2)
small = torch.full((2_000_000,), 1e-39, requires_grad=True)
(product := small * 1).sum().backward()
print(before, arithmetic()["denormals"], product.count_nonzero().item(), (small.grad * small).count_nonzero().item())
"""


@pytest.mark.parametrize(("word", "said"), [("flush", "kept flushed 0 0"), ("keep", "kept kept 2000000 2000000")])
def test_denormals_are_flushed_by_every_thread(word: str, said: str, shell: Command, tmp_path: Path) -> None:
    finished = shell("-c", FLUSHED, word, cwd=tmp_path, OMP_NUM_THREADS="2")
    assert finished.out.strip() == said, finished.err
