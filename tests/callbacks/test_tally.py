import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from seqlab.callbacks.tally import Tally


class Nats(pl.Callback):
    """Makes step k cost k nats a token."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        outputs["total"] = torch.tensor(80.0 * trainer.global_step)


@pytest.mark.parametrize(
    ("options", "mean"),
    [({}, 15.5), ({"max_steps": 14}, 12.5), ({"max_epochs": 1}, 5.5), ({"max_epochs": 1, "max_steps": 1}, 1.0)],
)
def test_the_epoch_counts_all_its_tokens(options: dict[str, Any], mean: float, fit: Any) -> None:
    tally = Tally()
    _, model = fit(Nats(), tally, **options)
    assert tally.epoch["train/loss"] == pytest.approx(mean)
    assert tally.epoch["train/perplexity"] == pytest.approx(math.exp(mean))
    assert tally.epoch["train/tokens_per_second"] > 0
    assert tally.so_far(model) == tally.epoch


def test_since_somebody_asked(fit: Any) -> None:
    tally, asked = Tally(), []

    class Asks(pl.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            if trainer.global_step in (3, 7):
                asked.append(tally.since_asked(module)["train/loss"])
                assert tally.since_asked(module) == {}
                assert tally.so_far(module)["train/loss"] == pytest.approx((trainer.global_step + 1) / 2)

    fit(Nats(), tally, Asks(), max_epochs=1)
    assert asked == pytest.approx([2.0, 5.5])


def test_an_epoch_that_was_broken_off_is_gone_on_with(fit: Any, tmp_path: Path) -> None:
    class Keeps(pl.Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 14:
                trainer.save_checkpoint(tmp_path / "a.ckpt")

    fit(Nats(), Tally(), Keeps())
    tally = Tally()
    fit(Nats(), tally, ckpt_path=tmp_path / "a.ckpt")
    assert tally.epoch["train/loss"] == pytest.approx(15.5)


def test_what_two_processes_kept_goes_to_the_first_of_one() -> None:
    tally = Tally()
    tally.load_state_dict({"sums": [[3.0, 2, 1.0], [4.0, 5, 1.0]], "epoch": {"train/loss": 2.0}})
    assert tally.state_dict() == {"sums": [[7.0, 7, 2.0]], "epoch": {"train/loss": 2.0}}
