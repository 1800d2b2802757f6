from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seqlab.callbacks.tally import Tally
from seqlab.cli.states import check_states
from seqlab.errors import UserError

PATH = Path("run.ckpt")


def check(kept: Mapping[str, Any]) -> None:
    """Of a run that keeps a tally, no loops and the place in the data, with one optimizer of two weights."""
    weight = torch.nn.Parameter(torch.zeros(3, 4))
    loop = SimpleNamespace(state_dict=dict)
    loops = dict.fromkeys(("fit_loop", "validate_loop", "test_loop", "predict_loop"), loop)
    trainer: Any = SimpleNamespace(callbacks=[Tally()], **loops)
    optimizer = torch.optim.Adam([weight])
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    model: Any = SimpleNamespace(configure_optimizers=lambda: optimizer)
    sound = {
        "callbacks": {"Tally": {"sums": [[1.0, 2, 3.0]], "epoch": {"train/loss": 2.5}}},
        "loops": {name: {} for name in loops},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
    }
    check_states({**sound, **kept}, trainer, model, SimpleNamespace(), PATH)  # type: ignore[arg-type]


def test_what_was_measured_may_have_any_names() -> None:
    check({})
    check({"callbacks": {"Tally": {"sums": [[0.0, 0, 0.0]], "epoch": {}}}})


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        ({"callbacks": {"Tally": {"sums": [[0.0, 0, 0.0]], "epoch": {"train/loss": "low"}}}}, "epoch.train/loss"),
        ({"callbacks": {"Tally": {"epoch": {}}}}, "Tally lacks sums"),
        ({"callbacks": {"Tally": [1]}}, "Tally"),
        ({"loops": {}}, "loops lack fit_loop"),
        ({"optimizer_states": []}, "it has 0 optimizers and 0 schedules"),
        ({"optimizer_states": [{"state": {7: {}}, "param_groups": []}]}, "the optimizer has 0 groups of weights"),
    ],
)
def test_another_state_is_named(kept: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=f"run.ckpt cannot be gone on with: .*{says}"):
        check(kept)
