import json
import sys

import pytest
import torch

from seqlab.errors import UserError
from seqlab.runs.exporting import as_safetensors


def test_tensors_that_a_model_shares_and_views_come_back_each_by_itself() -> None:
    library = pytest.importorskip("safetensors.torch")
    weight = torch.arange(6.0).view(2, 3)
    content = as_safetensors({"embedding": weight, "output": weight, "turned": weight.t()}, {"task": "language"})
    kept = library.load(content)
    assert kept.keys() == {"embedding", "output", "turned"}
    assert torch.equal(kept["output"], weight)
    assert torch.equal(kept["turned"], weight.t())
    length = int.from_bytes(content[:8], "little")
    assert json.loads(content[8 : 8 + length])["__metadata__"] == {"task": "language"}


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(
        UserError, match=r"^format safetensors needs safetensors; install with pip install 'seqlab\[export\]'$"
    ):
        as_safetensors({}, {})
