from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from seqlab.comparison.curves import Curve, against_time, read_curves


def test_scalars_by_name(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as board:
        for step, loss in ((10, 2.5), (20, 1.5)):
            board.add_scalar("val/loss", loss, step)
        board.add_text("note", "no scalar")
    curves = read_curves(tmp_path)
    assert curves.keys() == {"val/loss"}
    assert (curves["val/loss"].steps.tolist(), curves["val/loss"].values.tolist()) == ([10, 20], [2.5, 1.5])


def test_what_lies_behind_the_checkpoint_gone_on_from_is_left_out(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path), filename_suffix=".1") as board:
        for step in (10, 20, 30):
            board.add_scalar("val/loss", step, step)
    with SummaryWriter(str(tmp_path), filename_suffix=".2", purge_step=15) as board:
        board.add_scalar("val/loss", 0.5, 20)
    curve = read_curves(tmp_path)["val/loss"]
    assert (curve.steps.tolist(), curve.values.tolist()) == ([10, 20], [10, 0.5])


def test_seconds_instead_of_steps() -> None:
    curve, seconds = (
        Curve(np.array([10.0, 15, 20, 90]), np.arange(4.0)),
        Curve(np.array([10.0, 20]), np.array([2.0, 6])),
    )
    found = against_time(curve, seconds)
    assert found.steps.tolist() == [2, 4, 6, 6]  # halfway between two neighbours; none behind the last
    assert found.values.tolist() == [0, 1, 2, 3]
