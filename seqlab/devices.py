"""The device that a user names."""

import torch

from seqlab.errors import UserError


def choose_device(name: str) -> torch.device:
    """A device by its name; ``auto`` is cuda where there is one, else cpu.

    Raises:
        UserError: It cannot be used here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device '{name}' cannot be used here: {str(error).splitlines()[0]}; give --device cpu"
        ) from None
