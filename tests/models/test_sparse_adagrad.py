from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adagrad

from seqlab.models import sparse_adagrad
from seqlab.models.sparse_adagrad import SparseAdagrad
from seqlab.native.compiler import portable


def gradient(seed: int, sparse: bool) -> Tensor:
    values = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    ids = torch.tensor([[seed % 3, 3, 4]])
    made = torch.sparse_coo_tensor(ids, values, (6, 4), is_coalesced=True, check_invariants=True)
    return made if sparse else made.to_dense()


def steps(kind: Any, count: int, state: dict[str, Any] | None = None, **options: Any) -> tuple[Tensor, dict[str, Any]]:
    """Weights after some steps, one of them sparse and one dense, and the optimizer's state."""
    weights = [nn.Parameter(torch.ones(6, 4)) for _ in range(2)]
    made = Adagrad(weights, **{"lr": 0.1, **options})
    optimizer = made if kind is Adagrad else kind.like(made)
    if state is not None:
        optimizer.load_state_dict(deepcopy(state))
    for seed in range(count):
        for weight, sparse in zip(weights, (True, False), strict=True):
            weight.grad = gradient(seed, sparse)
        optimizer.step()
    return torch.cat([weight.detach() for weight in weights]), optimizer.state_dict()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr_decay": 0.5},
        {"maximize": True},
        {"eps": 0.1, "initial_accumulator_value": 2.0},
        {"lr": torch.tensor(0.2)},
    ],
)
def test_steps_are_those_of_torch(options: dict[str, Any]) -> None:
    (found, state), (wanted, known) = (steps(kind, 4, **options) for kind in (SparseAdagrad, Adagrad))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(state["state"], known["state"])
    assert state["param_groups"] == known["param_groups"]


def test_a_checkpoint_moves_between_the_two() -> None:
    state = steps(Adagrad, 3)[1]
    torch.testing.assert_close(steps(SparseAdagrad, 2, state)[0], steps(Adagrad, 2, state)[0])
    state = steps(SparseAdagrad, 3)[1]
    torch.testing.assert_close(steps(SparseAdagrad, 2, state)[0], steps(Adagrad, 2, state)[0])


@pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
def test_compiled_code_steps_the_sparse_ones_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Tensor] = []
    step = sparse_adagrad.adagrad_rows_
    monkeypatch.setattr(sparse_adagrad, "adagrad_rows_", lambda *given: (taken.append(given[2]), step(*given)))
    steps(SparseAdagrad, 2)
    assert [one.is_sparse for one in taken] == [True, True]


def test_gradients_stay_and_a_closure_is_asked() -> None:
    weight = nn.Parameter(torch.ones(6, 4))
    optimizer = SparseAdagrad([weight], lr=0.1)

    def closure() -> float:
        weight.grad = gradient(1, True)
        return 7.0

    assert optimizer.step(closure) == 7.0
    assert weight.grad is not None
