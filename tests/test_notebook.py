from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "experiments" / "tour.ipynb"


def test_it_is_kept_without_outputs() -> None:
    assert NOTEBOOK.stat().st_size < 10_000
    assert not any(cell.get("outputs") for cell in nbformat.read(NOTEBOOK, as_version=4).cells)


def test_its_code_runs(here: Path, corpusless: None, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    said, told = capsys.readouterr()
    assert "SAMPLE" in told
    assert "gradient of a step's loss" in said
    assert "epoch 2: the" in said
    assert names["outputs"].shape == (35, 4, 16)
    assert plt.get_fignums()
    plt.close("all")


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path: Path, corpusless: None) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output.get("text", "") for output in outputs)
    assert "SAMPLE" in said
    assert "Epoch 2: 100%" in said
    assert "gradient of a step's loss" in said
    assert "epoch 2: the" in said
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    assert "Run(diary" in outputs[-1]["data"]["text/plain"]
