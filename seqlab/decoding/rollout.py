"""Values in, the values of many steps to come out: one step at a time, all at once, or block by block."""

from typing import Literal, get_args

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.forecaster import Forecaster

Strategy = Literal["one_step", "recursive", "direct", "direct_recursive"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def strategies_for(steps: int, horizon: int) -> list[Strategy]:
    """Those that differ, of a network that says ``horizon`` steps at once."""
    same: dict[Strategy, bool] = {"direct": steps > horizon, "direct_recursive": horizon == 1}
    return [one for one in STRATEGIES if not same.get(one, False)]


def strategy_for(steps: int, horizon: int) -> Strategy:
    """The strategy of a network that says ``horizon`` steps at once, where nobody names one."""
    if steps <= horizon:
        return "direct"
    return "recursive" if horizon == 1 else "direct_recursive"


def roll_out(
    network: Forecaster,
    history: Tensor,
    known: Tensor,
    steps: int,
    strategy: Strategy,
    truth: Tensor | None = None,
) -> Tensor:
    """A forecast of so many steps.

    ``direct`` takes what the network says at once; ``recursive`` takes the first step of it, has the network read
    that and say again; ``direct_recursive`` has it read all that it said. ``one_step`` says each step by the true
    values of all before it, and so forecasts one step ahead, at many places.

    Args:
        network: That forecasts, in evaluation mode.
        history: ``(batch, history, columns)``.
        known: In advance, of the history and of the steps to come ``(batch, history + steps, features)``.
        steps: To forecast.
        strategy: How.
        truth: ``(batch, steps, columns)``; ``one_step`` reads it.

    Returns:
        ``(batch, steps, columns)``.

    Raises:
        UserError: ``direct`` was asked for more steps than the network says.
    """
    horizon, before = network.sizes.horizon, history.shape[1]
    if strategy == "direct" and steps > horizon:
        raise UserError(
            f"direct forecasts reach the {horizon} steps that the model was trained for, not {steps}; give --strategy "
            f"direct_recursive or recursive, or train with --data.horizon {steps}"
        )
    block = 1 if strategy in ("one_step", "recursive") else horizon
    memory, said, done = network.read(history, known[:, :before]), [], 0
    while True:
        places = torch.arange(before + done, before + done + horizon, device=known.device)
        ahead = known[:, places.clamp(max=known.shape[1] - 1)]
        part = network.say(memory, ahead)[:, : min(block, steps - done)]
        said.append(part)
        done += part.shape[1]
        if done == steps:
            return torch.cat(said, 1)
        if strategy == "one_step" and truth is not None:
            part = truth[:, done - 1 : done]
        memory = network.read(part, known[:, before + done - part.shape[1] : before + done], memory)
