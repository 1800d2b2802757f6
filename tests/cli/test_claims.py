from pathlib import Path
from typing import Any

import pytest

from seqlab.cli.claims import believed, name_of
from seqlab.errors import UserError

CALLBACK = {"class_path": "planted.Evil"}


def claim(content: dict[str, Any], *given: str, checkpoint: Path = Path("a.ckpt")) -> dict[str, Any]:
    return believed(content, checkpoint, lambda option: option in given)


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("trainer", "callbacks", [CALLBACK]),
        ("trainer", "callbacks", "planted.Evil"),
        ("trainer", "callbacks", {"class_path": "LambdaCallback", "init_args": {"on_fit_start": "planted.go"}}),
        ("trainer", "logger", "CSVLogger"),
        ("trainer", "accelerator", "planted.Accelerator"),
        ("optimizer", "lr", "planted.go"),
        ("lr_scheduler", "scale_fn", "planted.go"),
        ("data", "path", {"inside": [CALLBACK]}),
    ],
)
def test_no_code_is_taken_and_it_must_be_given_again(group: str, key: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"names code.*--{group}.{key} is .*give --{group}.{key} again"):
        claim({group: {key: value}})
    assert claim({group: {key: value, "other": 1}}, f"{group}.{key}") == {group: {"other": 1}}


def test_plain_values_are_believed() -> None:
    trainer = {"precision": "bf16-mixed", "max_time": "00:01:00:00", "strategy": "ddp", "logger": None, "max_epochs": 3}
    content = {"seed": 3, "trainer": trainer, "data": {"path": "some.Text.txt"}, "optimizer": {"betas": [0.9, 0.99]}}
    assert claim(content) == content


@pytest.mark.parametrize("key", ["config", "ckpt_path", "run", "print_config"])
def test_the_command_line_alone_says(key: str) -> None:
    with pytest.raises(UserError, match=f"says --{key}, which the command line alone can"):
        claim({key: "x"})
    assert claim({key: None, "seed": 1}) == {"seed": 1}


def test_folders_are_followed_where_the_checkpoint_lies_in_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = tmp_path / "lightning_logs" / "one" / "checkpoints" / "last.ckpt"
    inside.parent.mkdir(parents=True)
    content = {"trainer": {"default_root_dir": str(tmp_path)}, "data": {"root": str(tmp_path)}}
    assert claim(content, checkpoint=inside) == content
    assert claim(content, checkpoint=tmp_path / "copied.ckpt") == {"trainer": {}, "data": {"root": str(tmp_path)}}
    assert f"--trainer.default_root_dir, {tmp_path}, is not followed" in capsys.readouterr().err
    assert claim({"data": {"root": str(tmp_path / "none")}}) == {"data": {}}


def test_a_run_is_named_after_the_folder_of_its_checkpoint(tmp_path: Path) -> None:
    inside = tmp_path / "lightning_logs" / "one" / "checkpoints" / "last.ckpt"
    assert name_of(inside, "another") == "one"
    assert name_of(tmp_path / "copied.ckpt", "another") == "another"
    for name in ("../escaped", "/tmp/escaped", "", " ", "..", "a\nb", "x" * 300, "a\0b"):
        with pytest.raises(UserError, match="must"):
            name_of(tmp_path / "copied.ckpt", name)
