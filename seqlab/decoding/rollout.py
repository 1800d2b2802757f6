"""Forecasts of many steps: step by step, all at once, or block by block."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.distributions import Distribution, Samples
from seqlab.nn.forecaster import Forecaster, Memory

Strategy = Literal["one_step", "recursive", "direct", "direct_recursive"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def strategies_for(steps: int, horizon: int) -> list[Strategy]:
    """The strategies that differ for a network that forecasts ``horizon`` steps at once."""
    same: dict[Strategy, bool] = {"direct": steps > horizon, "direct_recursive": horizon == 1}
    return [one for one in STRATEGIES if not same.get(one, False)]


def strategy_for(steps: int, horizon: int) -> Strategy:
    """The default strategy for a network that forecasts ``horizon`` steps at once."""
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
    say: Callable[[Memory, Tensor], Tensor] | None = None,
) -> Tensor:
    """A forecast of so many steps.

    ``direct`` takes all steps from one output of the network. ``recursive`` takes only the first step, feeds it back
    and repeats. ``direct_recursive`` feeds all steps of an output back and repeats. ``one_step`` forecasts each step
    from the true values before it.

    Args:
        network: The forecasting network, in evaluation mode.
        history: ``(batch, history, columns)``.
        known: Known features of the history and of the next steps ``(batch, history + steps, features)``.
        steps: Number of steps to forecast.
        strategy: Strategy of the forecast.
        truth: ``(batch, steps, columns)``; ``one_step`` reads it.
        say: Memory and known features -> the next steps ``(batch, horizon, columns, ...)``; the network's method if not
            given.

    Returns:
        ``(batch, steps, columns)``, or the shape of ``say``.

    Raises:
        UserError: ``direct`` is requested for more steps than the network's horizon.
    """
    horizon, before = network.sizes.horizon, history.shape[1]
    if strategy == "direct" and steps > horizon:
        raise UserError(
            f"direct forecasts reach the {horizon} steps that the model was trained for, not {steps}; give --strategy "
            f"direct_recursive or recursive, or train with --data.horizon {steps}"
        )
    block = 1 if strategy in ("one_step", "recursive") else horizon
    say = say or network.say
    memory, said, done = network.read(history, known[:, :before]), [], 0
    while True:
        places = torch.arange(before + done, before + done + horizon, device=known.device)
        ahead = known[:, places.clamp(max=known.shape[1] - 1)]
        part = say(memory, ahead)[:, : min(block, steps - done)]
        said.append(part)
        done += part.shape[1]
        if done == steps:
            return torch.cat(said, 1)
        if strategy == "one_step" and truth is not None:
            part = truth[:, done - 1 : done]
        memory = network.read(part, known[:, before + done - part.shape[1] : before + done], memory)


class Told(NamedTuple):
    """A distribution of each step and column.

    Args:
        kind: Kind of the distribution.
        numbers: Its parameters ``(batch, steps, columns, parts)``.
    """

    kind: Distribution
    numbers: Tensor

    def crps(self, targets: Tensor) -> Tensor:
        """Continuous ranked probability score of each target ``(batch, steps, columns)``."""
        return self.kind.crps(self.numbers.float(), targets.float())


PATHS = 100
"""Default number of random futures."""
ROWS = 4096
"""Random futures to draw at once."""


def check_paths(paths: int) -> None:
    """Refuses too few random futures.

    Raises:
        UserError: There are fewer than 2.
    """
    if paths < 2:
        raise UserError(f"paths {paths} must be a whole number of at least 2")


def distribution_of(
    network: Forecaster,
    history: Tensor,
    known: Tensor,
    steps: int,
    strategy: Strategy,
    truth: Tensor | None = None,
    paths: int = PATHS,
    generator: torch.Generator | None = None,
) -> Told | None:
    """The distribution of a forecast of so many steps; the other arguments are those of ``roll_out``.

    Without feedback (``one_step``, or a single output of the network) it is the network's own distribution. Otherwise
    random futures are drawn as in DeepAR (Salinas et al. 2020): the network reads each drawn value and continues, so
    that errors accumulate realistically. Steps of one output are drawn independently.

    Args:
        paths: Random futures per window, at least 2.
        generator: Random generator, on the device of the network; one with seed 0 if not given.

    Returns:
        None for a network that forecasts values alone.
    """
    if (said := network.distribution) is None:
        return None
    block = 1 if strategy == "recursive" else network.sizes.horizon
    if strategy == "one_step" or steps <= block:
        return Told(said, roll_out(network, history, known, steps, strategy, truth, network.tell))
    draws = generator or torch.Generator(history.device).manual_seed(0)

    def drawn(memory: Memory, ahead: Tensor) -> Tensor:
        return said.sample(network.tell(memory, ahead), draws)

    size, parts = max(1, ROWS // paths), []
    for rows, features in zip(history.split(size), known.split(size), strict=True):
        own, ahead = (part.repeat_interleave(paths, 0) for part in (rows, features))
        futures = roll_out(network, own, ahead, steps, strategy, say=drawn)
        parts.append(futures.unflatten(0, (-1, paths)).movedim(1, -1))
    return Told(Samples(paths), torch.cat(parts))


def forecast(
    network: Forecaster, history: Tensor, known: Tensor, steps: int, strategy: Strategy, **options: Any
) -> tuple[Tensor, Told | None]:
    """A forecast ``(batch, steps, columns)``, and its distribution if the network gives one.

    For a single output of the network, the forecast comes from the distribution. Random futures vary around the
    recursive forecast.

    Args:
        options: Arguments of ``distribution_of``, like those before.
    """
    told = distribution_of(network, history, known, steps, strategy, **options)
    if told is None or isinstance(told.kind, Samples):
        return roll_out(network, history, known, steps, strategy, options.get("truth")), told
    return told.kind.point(told.numbers), told
