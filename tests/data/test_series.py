import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqlab.data import DATA, named
from seqlab.data.download import SOURCES, Unavailable, fetch
from seqlab.data.loader import Shard
from seqlab.data.parts import SPLITS
from seqlab.data.series import SeriesData
from seqlab.data.series_corpora import sine
from seqlab.errors import UserError
from seqlab.text.any_codec import codec_of

CORPORA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


def numbers(folder: Path, count: int = 20, head: str = "x") -> str:
    path = folder / "numbers.csv"
    path.write_text(head + "\n" + "".join(f"{n * n}\n" for n in range(count)), encoding="utf-8")
    return str(path)


def data(folder: Path, count: int = 20, **options: Any) -> SeriesData:
    return SeriesData(numbers(folder, count), **{"history": 3, "horizon": 2, "scaling": "none", **options})


def test_windows_by_hand(tmp_path: Path) -> None:
    made = data(tmp_path, 10, counts=[6, 2, 2])
    batch = made.windows("train").batch(np.arange(2))
    assert batch.history.squeeze(-1).tolist() == [[0, 1, 4], [1, 4, 9]]
    assert batch.targets.squeeze(-1).tolist() == [[9, 16], [16, 25]]
    assert len(made.windows("train")) == 2
    val = made.windows("val").batch(np.arange(1))
    assert len(made.windows("val")) == 1
    assert val.history.squeeze(-1).tolist() == [[9, 16, 25]], "history reaches back into the part before"
    assert val.targets.squeeze(-1).tolist() == [[36, 49]]


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_every_held_out_window_counts_once(tmp_path: Path, horizon: int) -> None:
    made = data(tmp_path, 60, horizon=horizon, val_fraction=0.2, test_fraction=0.3)
    for split, steps in (("val", 12), ("test", 18)):
        items = [item for batch in made.evaluation_loader(split) for item in batch.items[batch.valid].tolist()]
        assert items == [*range(steps - horizon + 1)]


def test_no_window_reads_its_future(tmp_path: Path) -> None:
    before, after = data(tmp_path, 30), data(tmp_path, 30)
    after._values[0][20:] = -1
    for split in SPLITS:
        one, other = before.windows(split), after.windows(split)
        early = np.flatnonzero(one.starts <= 20)
        batches = one.batch(early), other.batch(early)
        assert torch.equal(batches[0].history, batches[1].history)


def test_the_scale_is_of_the_training_part_alone(tmp_path: Path) -> None:
    made = data(tmp_path, scaling="standard", counts=[10, 5, 5])
    squares = np.arange(10.0) ** 2
    scale = made.codec.scales[""]
    assert scale.means == [squares.mean()]
    assert scale.deviations == [squares.std()]
    values = np.array([[3.0], [400.0]])
    assert scale.unscaled(scale.scaled(values)) == pytest.approx(values)
    assert made.codec.errors[""] == [np.abs(np.diff(squares)).mean()]


def test_a_constant_column_is_not_divided_by_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("a\n" + "5\n" * 20, encoding="utf-8")
    made = SeriesData(str(path), history=2)
    assert made.codec.scales[""].deviations == [1.0]
    assert made.codec.errors[""] == [1.0]


def test_the_codec_comes_back_from_plain_values(tmp_path: Path) -> None:
    codec = data(tmp_path, scaling="standard").codec
    assert codec_of(codec.state()) == codec


def test_parts_by_time(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("day,a\n" + "".join(f"2024-01-{n:02d},{n}\n" for n in range(1, 32)), encoding="utf-8")
    made = SeriesData(str(path), history=2, val_from="2024-01-20", test_from="2024-01-26")
    assert made.bounds[0] == {"train": (0, 19), "val": (19, 25), "test": (25, 31)}
    assert made.times("test")[0] == ("", "2024-01-26 00:00:00")
    with pytest.raises(UserError, match="val_from 2024-01-28 lies behind the first step that tests"):
        SeriesData(str(path), history=2, val_from="2024-01-28", test_from="2024-01-26")
    with pytest.raises(UserError, match="test_from '3' is no time as the series has them"):
        SeriesData(str(path), history=2, test_from="3")


def test_several_series_are_cut_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    rows = [f"{shop},{day},{value * day}" for day in range(1, 21) for shop, value in (("x", 1), ("y", 100))]
    path.write_text("shop,day,sold\n" + "\n".join(rows) + "\n", encoding="utf-8")
    made = SeriesData(str(path), id_column="shop", history=2, counts=[10, 5, 5], scaling="standard")
    assert made.codec.names == ["x", "y"]
    assert len(made.windows("train")) == 2 * 8
    batch = made.windows("train").batch(np.array([0, 8]))
    assert torch.allclose(batch.history[0], batch.history[1]), "each in its own scale"
    assert batch.series.tolist() == [0, 1]
    other = tmp_path / "other.csv"
    other.write_text(path.read_text(encoding="utf-8").replace("y,", "z,"), encoding="utf-8")
    with pytest.raises(UserError, match=r"has the series 'z', which the model was not trained on; it knows x, y$"):
        SeriesData(str(other), id_column="shop", codecs=made.codecs)


def test_known_columns_and_the_calendar_lie_beside(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    rows = [f"2024-01-{n:02d},{n},{n % 2}" for n in range(1, 31)]
    path.write_text("day,a,odd\n" + "\n".join(rows) + "\n", encoding="utf-8")
    made = SeriesData(str(path), history=3, horizon=2, known="odd", calendar="weekday", scaling="none")
    batch = made.windows("train").batch(np.array([0]))
    assert batch.known.shape == (1, 5, 3)
    assert batch.known[0, :, 0].tolist() == [1, 0, 1, 0, 1]
    assert (made.codec.columns, made.codec.features) == (["a"], 3)


def test_training_batches_are_a_function_of_seed_epoch_and_index(tmp_path: Path) -> None:
    one, other = (data(tmp_path, 60, batch_size=4, seed=3).train_batches(Shard()) for _ in range(2))
    assert torch.equal(one.batch(2, 1).items, other.batch(2, 1).items)
    items = [item for index in range(len(one)) for item in one.batch(0, index).items.tolist()]
    assert sorted(items) == [*range(len(one.part))]
    assert items != sorted(items)


def test_what_was_missing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    days = [n for n in range(1, 31) if n != 7]
    path.write_text("day,a\n" + "".join(f"2024-01-{n:02d},{'' if n == 9 else n}\n" for n in days), encoding="utf-8")
    made = SeriesData(str(path), history=2)
    assert "1 missing rows and 1 missing values filled with the value before" in made.describe()
    assert made._values[0].shape == (30, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"history": 0}, "history 0 must be a whole number of at least 1"),
        ({"history": 100}, "the training part has 14 steps, fewer than one window of history 100 and horizon 2"),
        ({"val_fraction": 0.6, "test_fraction": 0.5}, "val_fraction 0.6 and test_fraction 0.5 must be at least 0"),
        ({"counts": [1, 2]}, r"counts \[1, 2\] must be three whole numbers"),
        ({"counts": [19, 2, 2]}, r"counts \[19, 2, 2\] are more than the 20 steps that there are"),
        ({"counts": [10, 5, 5], "test_from": "8"}, "counts cut the parts, and so do val_from and test_from"),
        ({"calendar": "hours"}, "unknown calendar 'hours': did you mean 'hour'"),
        ({"calendar": "hour"}, "calendar features need times"),
        ({"scaling": "minmax"}, "unknown scaling 'minmax'"),
    ],
)
def test_refusals(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        data(tmp_path, **options)


def test_the_sine_is_the_same_everywhere() -> None:
    made = DATA["sine"]()
    assert made.corpus_name == "sine"
    assert made._values[0][:, 0] == pytest.approx(sine().astype(np.float32))
    assert np.std(sine() - np.sin(0.01 * np.arange(1, 1001))) == pytest.approx(0.2, abs=0.01)
    assert {split: len(made.windows(split)) for split in SPLITS} == {"train": 596, "val": 100, "test": 300}


FACTS = {"airline": (144, "monthly", 12), "temperatures": (3652, "daily", 365), "etth1": (17_420, "hourly", 24)}


@pytest.mark.parametrize("name", FACTS)
def test_named_series(name: str) -> None:
    source = SOURCES[name]
    if not (CORPORA / source.filename).is_file():
        pytest.skip(f"{CORPORA / source.filename} is not here")
    assert fetch(source, CORPORA).stat().st_size == source.size
    made = DATA[name](root=str(CORPORA))
    steps, step, season = FACTS[name]
    assert (made.corpus_name, len(made.series[0].values), str(made.step), made.codec.season) == (
        name,
        steps,
        step,
        season,
    )
    again = DATA[name](**{key: value for key, value in made.recipe().items() if key != "name"})
    assert again.fingerprint() == made.fingerprint()
    if name == "etth1":
        assert made.bounds[0] == {"train": (0, 8640), "val": (8640, 11_520), "test": (11_520, 14_400)}
        assert len(made.windows("test")) == 2880 - 96 + 1


@pytest.mark.parametrize("name", FACTS)
def test_the_sample_stands_in_loudly(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(*_: object) -> Path:
        raise Unavailable("no network")

    monkeypatch.setattr(named, "fetch", nothing)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    made = DATA[name]()
    assert made.corpus_name == "sample"
    assert all(made.has(split) for split in SPLITS)
    assert str(made.step) == FACTS[name][1]
    assert "BUNDLED SAMPLE" in capsys.readouterr().err
    monkeypatch.setenv("SEQLAB_DATA", "/somewhere")
    with pytest.raises(Unavailable):
        DATA[name]()
