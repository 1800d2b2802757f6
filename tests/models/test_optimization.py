from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, Adamax

from seqlab.models.language import LanguageModel
from seqlab.nn.language_network import LanguageOptions
from seqlab.text.codec import Codec


def group(kind: Any, **options: object) -> dict[str, Any]:
    codecs = {"text": Codec.build(lambda: iter(["abcd"]))}
    model = LanguageModel(LanguageOptions(hidden_size=4), codecs, optimizer=partial(kind, lr=0.1, **options))
    optimizer: torch.optim.Optimizer = model.configure_optimizers()
    return optimizer.param_groups[0]


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_weights_on_a_cpu_are_updated_in_one_pass(kind: Any) -> None:
    assert group(kind)["fused"] is True


@pytest.mark.parametrize("options", [{"fused": False}, {"foreach": True}, {"differentiable": True}])
def test_a_choice_of_the_user_stands(options: dict[str, bool]) -> None:
    made = group(Adam, **options)
    assert not made["fused"]


def test_others_are_left_alone() -> None:
    assert "fused" not in group(Adamax)
