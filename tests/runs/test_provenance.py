import pytest
import torch

from seqlab.native.compiler import Native
from seqlab.runs import provenance
from seqlab.runs.provenance import arithmetic


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
    assert arithmetic() == {"torch": str(torch.__version__), "threads": 2, "scan": scan}
