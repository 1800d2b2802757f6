"""The device that a user names."""

import torch

from seqlab.errors import UserError

NO_MPS = "losses are summed in float64, which it lacks"


def choose_accelerator(name: object) -> object:
    """The accelerator of a trainer by its name; ``auto`` and ``gpu`` never mean mps.

    Raises:
        UserError: The accelerator cannot be used.
    """
    only_mps = torch.backends.mps.is_available() and not torch.cuda.is_available()
    if name == "mps" or (name == "gpu" and only_mps):
        raise UserError(f"--trainer.accelerator does not take mps: {NO_MPS}; give cpu")
    return "cpu" if name == "auto" and only_mps else name


def choose_device(name: str) -> torch.device:
    """A device by its name; ``auto`` is cuda if available, otherwise cpu.

    Raises:
        UserError: The device cannot be used here.
    """
    if name == "mps":
        raise UserError(f"device '{name}' cannot be used: {NO_MPS}; give --device cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device '{name}' cannot be used here: {str(error).splitlines()[0]}; give --device cpu"
        ) from None
