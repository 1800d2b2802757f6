from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from seqlab.views.boards import boards


@pytest.mark.parametrize(
    ("changed", "shows"), [({}, True), ({"sanity_checking": True}, False), ({"is_global_zero": False}, False)]
)
def test_the_first_process_writes_to_tensorboard_alone(changed: dict[str, Any], shows: bool, tmp_path: Path) -> None:
    board = TensorBoardLogger(str(tmp_path), name="run", version="")
    given = {"sanity_checking": False, "is_global_zero": True, "loggers": [CSVLogger(str(tmp_path)), board], **changed}
    trainer: Any = SimpleNamespace(**given)
    assert boards(trainer) == [board.experiment] * shows
