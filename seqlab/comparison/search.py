"""A search instead of a grid: Optuna chooses the next run from earlier results."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.comparison.bars import Read
from seqlab.comparison.execution import Planned, Runs, carry_out_all, plan_runs
from seqlab.comparison.grid import Cell, cell
from seqlab.comparison.records import Record
from seqlab.errors import UserError, nearest
from seqlab.metrics import Measure

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

SAMPLERS = {"tpe": "TPESampler", "random": "RandomSampler"}
STUDY = "study.db"
NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})")
LOGARITHMIC = ("perplexity",)
"""Measures that the search sees as logarithms."""
MainOf = Callable[[Mapping[str, Any]], tuple[str, Measure]]
"""Function: options of ``fit`` -> the main measure of their task, with its name."""
WIDE = 10
"""Ratio of the ends of a range from which the search uses logarithms."""


def is_range(value: str) -> bool:
    """Whether a value is a range such as ``1e-4..1e-1``."""
    return RANGE.fullmatch(value) is not None


def _distribution(key: str, values: Sequence[str]) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found = RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        if mixed := next((value for value in values if is_range(value)), None):
            raise UserError(f"{key} has the range {mixed} among its values; give one range, or values alone")
        return CategoricalDistribution(list(values))
    low, high = (float(end) for end in found.groups())
    if low >= high:
        raise UserError(f"the range {values[0]} of {key} must rise, such as 1e-4..1e-1")
    wide = low > 0 and high / low >= WIDE
    if all(re.fullmatch(r"[-+]?\d+", end) for end in found.groups()):
        return IntDistribution(int(low), int(high), log=wide)
    return FloatDistribution(low, high, log=wide)


class Search:
    """Trials of a study; each trial is one run.

    The study is an SQLite file in the output folder, so that the same command continues it. The sampler of each choice
    is seeded with the number of earlier trials.

    Args:
        axes: Varied options: values, or one range.
        options: Options of ``fit``, the same for all trials.
        sampler: ``tpe`` (Bergstra et al. 2011) or ``random``.
        trials: Total number of trials.
        output: Folder of the study.
        read: Gives the options of a run.
        main: Gives the measure to optimize.

    Raises:
        UserError: Optuna is missing, a name, a range or an option is wrong, the runs have several main measures, or
            the folder's study searches other options.
    """

    def __init__(
        self,
        axes: Mapping[str, Sequence[str]],
        options: Sequence[str],
        sampler: str,
        trials: int,
        output: Path,
        read: Read,
        main: MainOf,
    ) -> None:
        if sampler not in SAMPLERS:
            raise UserError(f"unknown sampler '{sampler}': {nearest(sampler, SAMPLERS)}")
        if trials < 1:
            raise UserError(f"trials {trials} must be a whole number of at least 1")
        try:
            import optuna
        except ImportError:
            raise UserError("--sampler needs optuna; install it with pip install 'seqlab[search]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = {key: _distribution(key, values) for key, values in axes.items()}
        self.options, self.sampler, self.trials, self.output, self.read = options, sampler, trials, output, read
        ends = [cell(_end(axes, end), 1, options) for end in range(2)]
        (self.name, self.measure), other = (main(options) for options in map(read, ends))
        if other[0] != self.name:
            raise UserError(f"a search cannot weigh {self.name} against {other[0]}; vary models of one task")

    def run(self, runs: Runs, jobs: int, say: Callable[[Record], None]) -> list[Planned]:
        """Runs the missing trials; returns all trials of the study, in order."""
        from optuna.trial import TrialState

        study = self._study()
        while True:
            begun = [trial for trial in study.trials if trial.state == TrialState.RUNNING]
            while len(begun) < jobs and len(study.trials) < self.trials:
                study.sampler = self._seeded(len(study.trials))
                number = study.ask(self.space).number
                begun.append(study.trials[number])
            if not begun:
                return [self._planned(trial) for trial in study.trials]
            records = carry_out_all(runs, [self._planned(trial) for trial in begun], jobs, say)
            for trial, record in zip(begun, records, strict=True):
                if (reached := (record.result or {}).get(f"val_{self.name}")) is None or math.isnan(reached):
                    study.tell(trial.number, state=TrialState.FAIL)
                else:
                    study.tell(trial.number, math.log(reached) if self.name in LOGARITHMIC else reached)

    def best(self, found: Sequence[Planned]) -> Cell | None:
        """The best run; None if no run has finished."""
        sign = 1 if self.measure.better == "lower" else -1
        reached = [(record.result or {}).get(f"val_{self.name}", math.nan) for _, record in found]
        places = [place for place, value in enumerate(reached) if not math.isnan(value)]
        best = min(places, key=lambda place: sign * reached[place], default=None)
        return None if best is None else found[best][0]

    def _planned(self, trial: "FrozenTrial") -> Planned:
        chosen = {
            key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in trial.params.items()
        }
        ((each, record),) = plan_runs([self._cell(trial.number, chosen)], self.output, self.read)
        return each, record

    def _cell(self, number: int, chosen: Mapping[str, str]) -> Cell:
        return cell(chosen, 1, self.options, prefix=[f"trial{number}"])

    def _study(self) -> "Study":
        import optuna

        study = optuna.create_study(
            storage=f"sqlite:///{self.output / STUDY}",
            study_name="comparison",
            direction="minimize" if self.measure.better == "lower" else "maximize",
            load_if_exists=True,
        )
        said = {"space": {key: repr(values) for key, values in self.space.items()}, "options": [*self.options]}
        if study.user_attrs and study.user_attrs != said:
            raise UserError(f"{self.output / STUDY} searches other options than these; choose another --output")
        for name, value in said.items():
            study.set_user_attr(name, value)
        return study

    def _seeded(self, seed: int) -> "BaseSampler":
        import optuna

        made: Any = getattr(optuna.samplers, SAMPLERS[self.sampler])
        sampler: BaseSampler = made(seed=seed)
        return sampler


def _end(axes: Mapping[str, Sequence[str]], end: int) -> dict[str, str]:
    """The first or the last value of every axis; for a range its lower or upper end."""
    ends = {}
    for key, values in axes.items():
        found = RANGE.fullmatch(values[0])
        ends[key] = found[end + 1] if found else values[-end]
    return ends
