from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.analysis.activations import read, saturations, windows
from seqlab.analysis.gradient_flow import gradient_by_lag, recurrent_radii
from seqlab.board_tags import board_tag
from seqlab.views.gates import ROWS, RecurrenceWatch
from seqlab.views.projector import EmbeddingView


def board(folder: Path) -> TensorBoardLogger:
    return TensorBoardLogger(str(folder), name="run", version="")


def events(folder: Path) -> EventAccumulator:
    read = EventAccumulator(
        str(folder / "run"), size_guidance={"scalars": 0, "tensors": 0, "images": 0, "histograms": 0}
    )
    read.Reload()
    return read


@pytest.mark.parametrize("cell", ["rnn", "lstm", "min_gru"])
def test_the_numbers_are_those_of_the_model(cell: str, tmp_path: Path, fit: Any, data: Any) -> None:
    options = {"cell": cell, "num_layers": 2, "embedding_size": 4, "dropout": 0.5}
    _, model = fit(RecurrenceWatch(tmp_path, pictures=False), logger=board(tmp_path), model=options)
    seen = events(tmp_path)
    last = {tag: seen.Scalars(tag)[-1].value for tag in seen.Tags()["scalars"]}
    pieces = windows(data.part("val").ids, ROWS, data.num_steps)
    norms = gradient_by_lag(model.network, pieces[:, :-1], pieces[:, 1:])
    for layer in (0, 1):
        for lag in (1, 2, 4, 8, 16, 20):
            assert last[f"gradient_flow/layer{layer}_lag_{lag}"] == pytest.approx(float(norms[layer, lag]), rel=1e-5)
    for name, radius in recurrent_radii(model.network).items():
        assert last[f"spectral_radius/{name}"] == pytest.approx(radius, rel=1e-5)
    gates = saturations(read(model.network, pieces[:, :-1]))
    for name, (closed, opened) in gates.items():
        assert last[f"gates/{name}_closed"] == pytest.approx(float(closed.mean()), abs=1e-6)
        assert last[f"gates/{name}_open"] == pytest.approx(float(opened.mean()), abs=1e-6)
    assert sorted(seen.Tags()["histograms"]) == sorted(board_tag(f"gates/{name}") for name in gates)
    assert [event.step for event in seen.Scalars("state_norm/layer1")] == [10, 20]
    assert seen.Tags()["images"] == ["watch pictures/gradient flow by lag"]


def test_looks_are_apart_also_in_a_resumed_run(tmp_path: Path, fit: Any) -> None:
    watch = RecurrenceWatch(tmp_path, pictures=False, every=15)
    fit(watch, logger=board(tmp_path), max_epochs=4)
    assert watch.steps == [10, 30]
    watch.load_state_dict({"steps": [-6], "norms": [[1.0] * 21]})
    fit(watch, logger=board(tmp_path), max_epochs=1)
    assert watch.steps == [-6, 10]


def test_pictures_on_request(tmp_path: Path, fit: Any) -> None:
    fit(RecurrenceWatch(tmp_path, pictures=True), logger=board(tmp_path))
    seen = events(tmp_path)
    assert sorted(seen.Tags()["images"]) == [
        f"watch pictures/{name}" for name in ("gates", "gradient flow by lag", "units")
    ]
    assert [event.step for event in seen.Images("watch pictures/units")] == [10, 20]
    assert (tmp_path / "units.html").read_text(encoding="utf-8").count("<h3>") == 4


def test_training_is_as_without_it(tmp_path: Path, fit: Any) -> None:
    watching = RecurrenceWatch(tmp_path, pictures=True), EmbeddingView()
    _, watched = fit(*watching, logger=board(tmp_path), model={"dropout": 0.5, "embedding_size": 4})
    _, plain = fit(model={"dropout": 0.5, "embedding_size": 4})
    for one, other in zip(watched.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_history_goes_on(tmp_path: Path) -> None:
    watch, again = RecurrenceWatch(tmp_path, pictures=False), RecurrenceWatch(tmp_path, pictures=False)
    watch.steps, watch.norms = [10], [[1.0, 0.5]]
    again.load_state_dict(watch.state_dict())
    assert (again.steps, again.norms) == ([10], [[1.0, 0.5]])
