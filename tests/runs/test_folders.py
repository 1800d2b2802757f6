import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.runs.folders import (
    check_free,
    check_name,
    checkpoint_in,
    checkpoint_path,
    claimed,
    free_name,
    is_huggingface,
    run_name,
    runs_folder,
    write_json,
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "project" / "lightning_logs"


def test_two_claims_at_once_get_two_names(logs: Path) -> None:
    with claimed(logs, "gru", True, True) as first, claimed(logs, "gru", True, True) as second:
        assert (first, second) == (logs / "gru", logs / "gru-2")
        assert first.is_dir()
        assert second.is_dir()
        with claimed(logs, "gru", True, True) as third:
            assert third == logs / "gru-3"


def test_many_claims_of_threads_get_as_many_names(logs: Path) -> None:
    names, all_claimed = [], threading.Barrier(8)

    def claim() -> None:
        with claimed(logs, "gru", True, True) as folder:
            names.append(folder.name)
            all_claimed.wait(30)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == ["gru", *(f"gru-{number}" for number in range(2, 9))]


def test_a_name_that_is_taken_between_look_and_claim(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir: Callable[..., None] = Path.mkdir

    def too_late(self: Path, *given: object, **options: object) -> None:
        if self == logs / "gru" and not self.exists():
            mkdir(self, parents=True)
        mkdir(self, *given, **options)

    monkeypatch.setattr(Path, "mkdir", too_late)
    with claimed(logs, "gru", True, True) as folder:
        assert folder == logs / "gru-2"


def test_what_is_left_empty_is_removed_with_the_folders_made_for_it(logs: Path) -> None:
    with claimed(logs, "gru", True, True) as folder:
        assert folder.is_dir()
    assert not logs.parent.exists()
    logs.mkdir(parents=True)
    with claimed(logs, "gru", True, True):
        pass
    assert os.listdir(logs) == []


@pytest.mark.parametrize("error", [UserError, KeyboardInterrupt])
def test_a_run_that_fails_at_its_start_leaves_nothing(logs: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), claimed(logs, "gru", True, True):
        raise error
    assert not logs.parent.exists()


def test_what_a_run_left_stays(logs: Path) -> None:
    with claimed(logs, "gru", True, True) as folder:
        (folder / "result.json").write_text("{}")
    assert [path.name for path in logs.glob("*/*")] == ["result.json"]
    with claimed(logs, "gru", True, True) as other:
        assert other == logs / "gru-2"
    assert os.listdir(logs) == ["gru"]


def test_nothing_is_made_where_nothing_is_kept(logs: Path) -> None:
    with claimed(logs, "gru", True, keeps=False) as folder:
        assert folder == logs / "gru"
        assert not logs.parent.exists()
    assert not logs.parent.exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_name_that_was_given_gets_no_number(logs: Path, there: bool) -> None:
    if there:
        (logs / "mine").mkdir(parents=True)
        (logs / "mine" / "result.json").write_text("{}")
    with claimed(logs, "mine", False, True) as folder:
        assert folder == logs / "mine"
        assert folder.is_dir()
    assert (logs / "mine").exists() == there


def test_free_names(logs: Path) -> None:
    assert free_name(logs, "gru") == "gru"
    for number in ("gru", "gru-2", "gru-4"):
        (logs / number).mkdir(parents=True)
    assert free_name(logs, "gru") == "gru-3"


def test_the_name_of_a_run_is_that_of_a_file() -> None:
    assert run_name("gru", "story", "path=a/b c", "lr=0.1") == "gru-story-path=a_b_c-lr=0.1"
    assert len(run_name("x" * 200)) == 80
    assert check_name("mine") == "mine"
    for wrong in ("..", "a/b", "a\\b"):
        with pytest.raises(UserError, match="must be the plain name of a folder, without slashes$"):
            check_name(wrong)


def test_where_runs_are_kept(tmp_path: Path) -> None:
    assert runs_folder(tmp_path / "new") == tmp_path / "new" / "lightning_logs"
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^no runs can be kept in .*file: .*file is no folder that can be written to"):
        runs_folder(tmp_path / "file")


def test_the_checkpoint_that_is_meant(logs: Path) -> None:
    for age, name in enumerate(("new", "old")):
        folder = logs / name / "checkpoints"
        folder.mkdir(parents=True)
        for which in ("last", "best") if name == "old" else ("last",):
            (folder / f"{which}.ckpt").touch()
            os.utime(folder / f"{which}.ckpt", (1000 - age, 1000 - age))
    assert checkpoint_path(logs, "last", None) == logs / "new" / "checkpoints" / "last.ckpt"
    assert checkpoint_path(logs, "best", None) == logs / "old" / "checkpoints" / "best.ckpt"
    assert checkpoint_path(logs, "last", "old") == logs / "old" / "checkpoints" / "last.ckpt"
    file = str(logs / "old" / "checkpoints" / "best.ckpt")
    assert checkpoint_path(logs, file, None) == Path(file)
    with pytest.raises(UserError, match=r"^run 'ne' under .* has no checkpoint 'last': did you mean 'new'\?$"):
        checkpoint_path(logs, "last", "ne")
    with pytest.raises(
        UserError, match=r"^there is no checkpoint file 'gone.ckpt'; give last, best, a run's folder or"
    ):
        checkpoint_path(logs, "gone.ckpt", None)
    with pytest.raises(UserError, match="^no run under .* has a checkpoint 'best'; train one with python -m"):
        checkpoint_path(logs / "none", "best", None)


def test_json_is_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "result.json", {"loss": 1.5})
    assert (tmp_path / "result.json").read_text() == '{\n "loss": 1.5\n}\n'
    with pytest.raises(TypeError):
        write_json(tmp_path / "result.json", {"loss": object()})
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_run_that_was_killed_before_its_first_checkpoint_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    check_free(tmp_path, "one")
    for name in ("checkpoints/last.ckpt", "result.json"):
        (folder / name).touch()
        with pytest.raises(UserError, match="run 'one' is there already"):
            check_free(tmp_path, "one")
        (folder / name).unlink()


def test_a_run_s_folder_stands_for_its_best_checkpoint(tmp_path: Path) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    assert checkpoint_in("elsewhere.ckpt") == Path("elsewhere.ckpt")
    with pytest.raises(UserError, match="is a folder without checkpoints; give a run's folder, or a file"):
        checkpoint_in(tmp_path / "run")
    (checkpoints / "last.ckpt").touch()
    assert checkpoint_in(tmp_path / "run") == checkpoints / "last.ckpt"
    (checkpoints / "best.ckpt").touch()
    assert checkpoint_in(tmp_path / "run") == checkpoint_in(checkpoints) == checkpoints / "best.ckpt"
    assert checkpoint_path(tmp_path, str(tmp_path / "run"), None) == checkpoints / "last.ckpt"


def test_weights_of_hugging_face_are_no_run(tmp_path: Path) -> None:
    assert not is_huggingface(tmp_path)
    (tmp_path / "config.json").touch()
    assert is_huggingface(tmp_path)
    with pytest.raises(UserError, match="holds weights of Hugging Face, which only inspect --word reads; give a run's"):
        checkpoint_in(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    assert not is_huggingface(tmp_path)
    assert checkpoint_in(tmp_path).name == "best.ckpt"
