import os
import pickle
import random
import re
import resource
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.errors import UserError
from seqlab.models import load_model
from seqlab.nn.language_network import LanguageOptions
from seqlab.runs.checkpoint import FORMAT, check_resumable, read_checkpoint, write_checkpoint
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels

RECORD = {"format": FORMAT, "task": "language", "model": "gru", "codecs": {}}
SMALL = {
    "seqlab": RECORD,
    "hyper_parameters": {"options": {}},
    "state_dict": {"weights": torch.arange(6.0)},
    "plain": [1, "two", {"three": None}],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "last.ckpt"


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_checkpoint(path)
    return str(caught.value)


def test_what_was_written_is_read(path: Path) -> None:
    write_checkpoint(SMALL, path)
    read = read_checkpoint(path)
    assert torch.equal(read.pop("state_dict")["weights"], torch.arange(6.0))
    assert read == {key: one for key, one in SMALL.items() if key != "state_dict"}
    assert os.listdir(path.parent) == ["last.ckpt"]


def test_a_later_one_takes_its_place(path: Path) -> None:
    write_checkpoint(SMALL, path)
    write_checkpoint({**SMALL, "plain": "later"}, path)
    assert read_checkpoint(str(path))["plain"] == "later"
    assert os.listdir(path.parent) == ["last.ckpt"]


@pytest.mark.parametrize("moment", ["torch.save", "os.fsync"])
def test_a_full_disk_leaves_the_old_one(path: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(value: Any, file: Any = None) -> None:
        if file is not None:
            file.write(b"the first half")
        raise OSError(28, "No space left on device")

    write_checkpoint(SMALL, path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(moment, full)
        with pytest.raises(OSError, match="No space left on device"):
            write_checkpoint({**SMALL, "plain": "later"}, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["last.ckpt"]


def test_a_kill_leaves_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(value: Any, file: Any) -> None:
        file.write(b"the first half")
        raise KeyboardInterrupt

    write_checkpoint(SMALL, path)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint({**SMALL, "plain": "later"}, path)
    assert read_checkpoint(path)["plain"] == SMALL["plain"]
    assert os.listdir(path.parent) == ["last.ckpt"]


def test_the_file_is_on_the_disk_before_it_is_in_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            events.append(f"fsync {os.fstat(number).st_size > 0}")
        fsync(number)

    def note_replace(self: Path, target: Path) -> Path:
        events.append(f"replace {self.parent == target.parent}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_checkpoint(SMALL, path)
    assert events == ["fsync True", "replace True"]


class Harmful:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_checkpoint_is_not_run(path: Path, tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    write_checkpoint({**SMALL, "harm": Harmful(harm)}, path)
    words = f"{path} holds more than tensors and plain values, or is no checkpoint; it was not loaded"
    assert refusal(path) == words
    path.write_bytes(pickle.dumps(Harmful(harm)))
    assert refusal(path) == words
    assert not harm.exists()
    pickle.loads(path.read_bytes())  # it would have done
    assert harm.exists()


def test_every_flipped_bit_of_weights_is_noticed(path: Path) -> None:
    write_checkpoint({**SMALL, "optimizer_states": [{"state": {0: {"m": torch.rand(999)}}, "param_groups": []}]}, path)
    content, generator = path.read_bytes(), random.Random(0)
    begin = content.index(torch.load(path)["optimizer_states"][0]["state"][0]["m"].numpy().tobytes())
    for _ in range(40):
        place = begin * 8 + generator.randrange(999 * 32)
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert "damaged" in refusal(path)


def test_a_checkpoint_of_any_content_is_checked(path: Path) -> None:
    write_checkpoint({**SMALL, "more": 2**200}, path)
    assert refusal(path).startswith(f"{path} holds a number that is too large")


def test_a_compressed_archive_is_not_unpacked(path: Path) -> None:
    write_checkpoint(SMALL, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert "it was not loaded" in refusal(path)


class Large:
    """A few bytes of a pickle that take all memory."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (10**13,)


def test_nothing_is_allocated_by_a_pickle(path: Path) -> None:
    write_checkpoint({**SMALL, "large": Large()}, path)
    assert "it was not loaded" in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state_dict": None}, "state_dict is None"),
        ({"state_dict": {"a": 3}}, "state_dict.a is 3"),
        ({"hyper_parameters": {}}, "hyper_parameters lacks options"),
        ({"seqlab": {**RECORD, "codecs": []}}, "seqlab.codecs is a list"),
        ({"seqlab": {**RECORD, "codecs": {"text": {}}}}, "codecs.text lacks"),
        ({"seqlab": {**RECORD, "codecs": {"l": Labels(["a", "a"]).state()}}}, "codecs.l does not number its tokens"),
        ({"global_step": "3"}, "global_step is '3'"),
        ({"run": {"name": "a"}}, "run lacks config"),
        ({"state_dict": {"w": torch.tensor([1.0, float("nan")])}}, "weights that are no numbers: 1 of the 2 of w"),
        (
            {"optimizer_states": [{"state": {0: {"m": torch.tensor([torch.inf])}}, "param_groups": []}]},
            "1 of the 1 of m",
        ),
    ],
    ids=str,
)
def test_what_is_missing_or_of_another_kind(path: Path, change: dict[str, Any], words: str) -> None:
    write_checkpoint({**SMALL, **change}, path)
    assert words in refusal(path)


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    assert refusal(path) == f"cannot read the checkpoint {path}: it is a pipe, not a file that ends"
    assert "it is a device" in refusal(Path("/dev/zero"))


def test_a_module_is_not_loaded(path: Path) -> None:
    write_checkpoint({**SMALL, "module": torch.nn.Linear(2, 2)}, path)
    assert "holds more than tensors and plain values" in refusal(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut_short(path: Path, share: float) -> None:
    write_checkpoint(SMALL, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    words = "cannot be read as a checkpoint (damaged or cut short); use another one of the run, such as best.ckpt or"
    assert refusal(path).startswith(f"{path} {words} last.ckpt")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_whatever_the_bytes_there_is_a_sentence(path: Path) -> None:
    path.parent.mkdir()
    generator = random.Random(0)
    texts = [bytes(generator.choice(b"abcst \n.(]}0\x80") for _ in range(generator.randrange(60))) for _ in range(150)]
    torch.save(SMALL, path, _use_new_zipfile_serialization=False)
    old = path.read_bytes()
    for content in [*texts, *(old[:length] for length in range(0, len(old), 7))]:
        path.write_bytes(content)
        assert re.search("cannot be read as a checkpoint|holds more than|is not a checkpoint", refusal(path))


@pytest.mark.parametrize("foreign", [{"state_dict": {}}, {"seqlab": 3}, [1, 2], torch.zeros(3)], ids=str)
def test_another_programs_file(path: Path, foreign: object) -> None:
    path.parent.mkdir()
    torch.save(foreign, path)
    assert refusal(path) == f"{path} is not a checkpoint of seqlab; use one that python -m seqlab.fit wrote"


@pytest.mark.parametrize("version", [FORMAT + 1, None])
def test_another_format(path: Path, version: int | None) -> None:
    write_checkpoint({"seqlab": {"format": version}}, path)
    words = f"{path} has checkpoint format {version}, but this seqlab reads {FORMAT}; train anew"
    assert refusal(path) == words


def test_missing(path: Path) -> None:
    assert refusal(path) == f"there is no checkpoint '{path}'; python -m seqlab.fit makes one"


def test_a_folder(tmp_path: Path) -> None:
    words = f"{tmp_path} is a folder; use a file in it, such as best.ckpt or last.ckpt"
    assert refusal(tmp_path) == words


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "num_layers": 2, "forget_bias": 1.0},
        {"cell": "gru", "embedding_size": 8, "tied": True, "dropout": 0.5},
        {"cell": "gru_before", "hidden_size": [8, 6]},
    ],
    ids=lambda options: options["cell"],
)
def test_a_model_is_loaded_from_a_checkpoint_alone(path: Path, options: dict[str, Any]) -> None:
    codec = Codec.build(lambda: iter(["some text\n"]), "raw")
    given = LanguageOptions(**{"hidden_size": 8, **options})
    network = given.build(codec.vocab_size)
    state = {f"network.{name}": weights for name, weights in network.state_dict().items()}
    hyper_parameters = {"model": options["cell"], "options": {**given.plain(), "l1": 0.1}}
    record = {"format": FORMAT, "task": "language", "model": options["cell"], "codecs": {"text": codec.state()}}
    write_checkpoint({"seqlab": record, "hyper_parameters": hyper_parameters, "state_dict": state}, path)
    loaded = load_model(read_checkpoint(path))
    assert not loaded.training
    assert loaded.options == LanguageOptions(**{"hidden_size": 8, **options, "l1": 0.1})
    assert {name: own.state() for name, own in loaded.codecs.items()} == {"text": codec.state()}
    ids = torch.tensor([codec.encode("text")])
    assert torch.equal(loaded.network(ids)[0], network.eval()(ids)[0])


def resumable(path: Path, weights: dict[str, torch.Tensor], codecs: object) -> str:
    with pytest.raises(UserError) as caught:
        check_resumable(read_checkpoint(path), path, weights, codecs)
    return str(caught.value)


def test_another_model_does_not_go_on_from_it(path: Path) -> None:
    weights, codecs = (
        {"network.a": torch.zeros(2, 3), "network.b": torch.zeros(4)},
        {"label": Labels(["a", "b"]).state()},
    )
    write_checkpoint({**SMALL, "seqlab": {**RECORD, "codecs": codecs}, "state_dict": weights}, path)
    others = {name: weight + 1 for name, weight in weights.items()}
    check_resumable(read_checkpoint(path), path, others, codecs)
    way_out = "leave out the options that change it, or train anew without --ckpt_path"
    other = f"{path} holds another model"
    wider = {**weights, "network.a": torch.zeros(2, 5)}
    assert resumable(path, wider, codecs) == f"{other} (network.a is 2 x 3 there, 2 x 5 here); {way_out}"
    fewer = {"network.a": weights["network.a"]}
    assert resumable(path, fewer, codecs) == f"{other} (network.b is 4 there, missing here); {way_out}"
    more = {**weights, "network.c": torch.zeros(1)}
    assert resumable(path, more, codecs) == f"{other} (network.c is missing there, 1 here); {way_out}"
    words = f"the model in {path} reads other tokens than this data has; {way_out}"
    assert resumable(path, weights, {"label": Labels(["b", "a"]).state()}) == words


def test_a_disk_that_fills_up_while_torch_writes_is_an_error_of_the_system(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_checkpoint({"weights": [torch.zeros(1000) for _ in range(50)]}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [*path.parent.iterdir()] == []
