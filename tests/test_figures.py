from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.figures import new_figure, new_panels, save_figure


def test_sizes_are_in_inches() -> None:
    figure, axes = new_figure(3, 2)
    assert (figure.get_size_inches().tolist(), figure.axes) == ([3, 2], [axes])
    figure, panels = new_panels(3, 2, 4)
    assert (figure.get_size_inches().tolist(), figure.axes) == ([6, 4], panels)


def test_a_file_in_a_folder_that_is_made(tmp_path: Path) -> None:
    save_figure(new_figure(2, 1)[0], tmp_path / "of" / "figures" / "a.png")
    content = (tmp_path / "of" / "figures" / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (300, 150)  # dots, 150 an inch


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(
        UserError, match="^cannot write .*/taken/a.png: .*; name a file in a folder that can be written"
    ):
        save_figure(new_figure()[0], tmp_path / "taken" / "a.png")
