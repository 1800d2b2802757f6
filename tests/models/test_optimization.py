from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, Adamax

from seqlab.errors import UserError
from seqlab.models.language import LanguageModel
from seqlab.models.optimization import (
    OPTIMIZERS,
    SCHEDULERS,
    STEP_WISE,
    by_name,
    coalesced,
    in_groups,
    in_one_pass,
    in_order,
    of_plain,
    plainly,
    rates_of,
)
from seqlab.models.schedules import DivideAfterLR
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


def test_plain_values_that_stand_for_an_optimizer() -> None:
    kept = plainly(partial(Adam, lr=0.5, betas=(0.1, 0.2), eps=object()), OPTIMIZERS)
    assert kept == {"name": "adam", "lr": 0.5, "betas": [0.1, 0.2]}
    made = of_plain(kept, OPTIMIZERS)
    assert (made.func, made.keywords) == (Adam, {"lr": 0.5, "betas": [0.1, 0.2]})
    assert plainly(None, OPTIMIZERS) is None


def test_what_has_no_name_here_keeps_pythons_and_is_not_made_again() -> None:
    def own(parameters: object) -> None: ...

    kept = plainly(own, OPTIMIZERS)
    assert kept is not None
    assert kept["name"].endswith("own")
    assert of_plain(kept, OPTIMIZERS) is None


def test_names_that_a_command_line_can_spell() -> None:
    assert OPTIMIZERS["sgd"] is SGD
    assert {"steplr", "warmupcosinelr", "reducelronplateau"} <= SCHEDULERS.keys()
    assert not {"lambdalr", "sequentiallr", "lrscheduler"} & SCHEDULERS.keys()
    assert SCHEDULERS.keys() >= STEP_WISE


@pytest.mark.parametrize(
    ("kept", "moved"),
    [(["b", "a"], {1: "of b", 0: "of a"}), (["a", "b"], {0: "of b", 1: "of a"}), (["b", "c"], {0: "of b", 1: "of a"})],
)
def test_states_follow_the_names_of_weights_where_both_have_the_same(kept: list[str], moved: dict[int, str]) -> None:
    states = [{"state": {0: "of b", 1: "of a"}}]
    by_name(states, kept, ["a", "b"])
    assert states == [{"state": moved}]


def test_weight_decay_for_matrices_alone() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4))
    assert in_groups(layers.named_parameters(), False) == [*layers.parameters()]
    matrices, others = in_groups(layers.named_parameters(), True)
    assert ([*matrices], [weight.ndim for weight in matrices["params"]]) == (["params"], [2, 2])
    assert (others["weight_decay"], [weight.ndim for weight in others["params"]]) == (0.0, [1, 1])
    assert in_order(layers.named_parameters(), False) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert in_order(layers.named_parameters(), True) == ["0.weight", "1.weight", "0.bias", "1.bias"]


def test_a_state_of_another_machine_leaves_the_kernels_to_this_one() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = in_one_pass(Adam([weight], lr=0.1))
    kept = optimizer.state_dict()
    kept["param_groups"][0] |= {"fused": None, "foreach": None, "lr": 0.5}
    optimizer.load_state_dict(kept)
    assert (optimizer.param_groups[0]["fused"], optimizer.param_groups[0]["lr"]) == (True, 0.5)


@pytest.mark.parametrize("ids", [[0, 2, 3], [3, 0, 2], [0, 0, 3]])
def test_sparse_gradients_have_each_row_once(ids: list[int]) -> None:
    made = torch.sparse_coo_tensor([ids], torch.arange(6.0).view(3, 2), (4, 2), check_invariants=True)
    wanted, found = made.to_dense(), coalesced(made)
    assert found.is_coalesced()
    assert found.indices()[0].tolist() == sorted({*ids})
    assert torch.equal(found.to_dense(), wanted)


@pytest.mark.parametrize("by", [1e300, 1e-300])
def test_a_schedule_whose_rates_are_no_numbers_says_so(by: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = DivideAfterLR(optimizer, after_epochs=0, by=by)

    def two_epochs() -> None:
        with rates_of(schedule):
            for _ in range(2):
                optimizer.step()
                schedule.step()

    words = "^the schedule divideafterlr gives no learning rate with these options "
    with pytest.raises(UserError, match=words):
        two_epochs()
