import pytest
import torch

from seqlab.errors import UserError
from seqlab.runs.devices import choose_accelerator, choose_device


def machine(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("name", "cuda", "mps", "chosen"),
    [
        ("auto", False, False, "auto"),
        ("auto", True, True, "auto"),
        ("auto", False, True, "cpu"),
        ("gpu", True, True, "gpu"),
        ("cpu", False, True, "cpu"),
    ],
)
def test_an_accelerator_is_never_mps(
    name: str, cuda: bool, mps: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, cuda, mps)
    assert choose_accelerator(name) == chosen


@pytest.mark.parametrize("name", ["mps", "gpu"])
def test_mps_is_refused_by_whatever_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=False, mps=True)
    with pytest.raises(UserError, match="accelerator does not take mps: losses are summed in float64, which it lacks"):
        choose_accelerator(name)


@pytest.mark.parametrize(("cuda", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_where_there_is_one(cuda: bool, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda, mps=True)
    assert choose_device("auto") == torch.device(device)


def test_devices_that_cannot_be_used() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    for name, words in {
        "mps": "device 'mps' cannot be used: losses",
        "tpu9": "device 'tpu9' cannot be used here: ",
    }.items():
        with pytest.raises(UserError, match=f"^{words}.*; give --device cpu$"):
            choose_device(name)
