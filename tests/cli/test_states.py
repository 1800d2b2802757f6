import copy
import importlib
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SMALL

from seqlab.cli.build import make_data, make_model
from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings
from seqlab.cli.states import check_states
from seqlab.cli.trainer import make_trainer
from seqlab.errors import UserError
from seqlab.runs.checkpoint import read_checkpoint

WORDS = (*SMALL, "--model.hidden_size", "4", "--trainer.limit_train_batches", "2", "--run", "one")
Check = Callable[[dict[str, Any]], None]
Kept = tuple[dict[str, Any], Check]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A checkpoint of two steps, and the check of one against the run that made it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("states"))
        assert importlib.import_module("seqlab.fit").main([*WORDS]) == 0
        checkpoint = read_checkpoint("lightning_logs/one/checkpoints/last.ckpt")
        settings = read_settings(plan(WORDS))
        data = make_data(settings)
        model, _ = make_model(settings, data, {})
        trainer = make_trainer(settings, data, model, Path("lightning_logs/one").resolve(), {})
        return checkpoint, partial(check_states, trainer=trainer, model=model, data=data, path=Path("a.ckpt"))


def changed(checkpoint: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at a place, or without it where the value is None."""
    copied = copy.deepcopy(checkpoint)
    inside: Any = copied
    for key in place[:-1]:
        inside = inside[_key(inside, key)]
    if value is None:
        del inside[_key(inside, place[-1])]
    else:
        inside[_key(inside, place[-1])] = value
    return copied


def _key(inside: Any, key: Any) -> Any:
    """Callbacks are named by the beginnings of their keys."""
    if not isinstance(key, str) or key in inside:
        return key
    return next((own for own in inside if own.startswith(key)), key)


def test_what_the_run_itself_kept_is_right(kept: Kept) -> None:
    checkpoint, check = kept
    check(checkpoint)
    check({**checkpoint, "callbacks": {"Unknown": {"a": 1}}})
    check(changed(checkpoint, ("callbacks", "KeepBest", "reached"), None))


GROUP, STATE = ("optimizer_states", 0, "param_groups", 0), ("optimizer_states", 0, "state", 0)
LOOP = ("loops", "fit_loop")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("callbacks", "Clock"), 3, "Clock is 3"),
        (("callbacks", "Clock", "seconds"), math.nan, "Clock.seconds is nan"),
        (("callbacks", "EarlyStopping", "wait_count"), None, "mode': 'min'} lacks wait_count"),
        (("callbacks", "KeepBest", "best_k_models"), {"a": 1}, "best_k_models.a is 1"),
        (("callbacks", "KeepBest", "reached"), {"loss": "low"}, "reached.loss is 'low'"),
        (LOOP, None, "loops lack fit_loop"),
        (LOOP, [], "fit_loop is a list"),
        ((*LOOP, "epoch_progress", "total", "ready"), -7, "fit_loop.epoch_progress.total.ready is -7"),
        ((*LOOP, "state_dict", "combined_loader"), [{"epoch": 0}], "fit_loop.state_dict lacks index"),
        ((*LOOP, "state_dict", "combined_loader"), -7, "fit_loop.state_dict.combined_loader is -7"),
        ((*LOOP, "state_dict"), 7, "fit_loop.state_dict is 7"),
        (("TextData",), {"epoch": "a", "index": 0}, "the place in the data.epoch is 'a'"),
        (("optimizer_states",), [], "it has 0 optimizers and 0 schedules"),
        (("lr_schedulers",), [{}], "it has 1 optimizers and 1 schedules"),
        (("optimizer_states", 0, "param_groups"), [], "the optimizer has 0 groups of weights"),
        ((*GROUP, "lr"), "fast", "the optimizer.lr is 'fast'"),
        ((*GROUP, "params"), [1, 0], "the optimizer has other weights"),
        (("optimizer_states", 0, "state", 99), {}, "the optimizer has a weight 99"),
        ((*STATE, "exp_avg"), torch.zeros(45, 3), "exp_avg of weight 0 has 45 x 3 numbers"),
        ((*STATE, "step"), torch.zeros(1), "step of weight 0 has 1 numbers"),
        ((*STATE, "exp_avg"), 3, "the optimizer has exp_avg of weight 0"),
        ((*STATE, "momentum"), torch.zeros(1), "the optimizer has momentum of weight 0"),
        ((*STATE, "exp_avg_sq"), None, "the optimizer lacks exp_avg_sq of weight 0"),
    ],
)
def test_a_state_unlike_that_of_its_part(place: tuple[Any, ...], value: Any, words: str, kept: Kept) -> None:
    checkpoint, check = kept
    with pytest.raises(UserError, match=rf"^a.ckpt cannot be .*{re.escape(words)}, unlike what this run"):
        check(changed(checkpoint, place, value))
