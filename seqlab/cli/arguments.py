"""The options of ``fit``: their names, defaults and help texts."""

from dataclasses import Field, fields
from inspect import signature
from typing import Any, Literal

from jsonargparse import ActionYesNo, ArgumentParser
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from seqlab.cli.parser import Parser
from seqlab.cli.plan import CHOICES, Plan, known_names
from seqlab.data import DATA
from seqlab.models import TASKS
from seqlab.models.optimization import OPTIMIZERS, SCHEDULERS, STEP_WISE
from seqlab.options import Bounds, Options

MORE = (
    "The options above belong to the chosen model, data and optimizer: --data trec --model cnn --help lists theirs. "
    "--help_all lists every option."
)
USAGE = "python -m seqlab.fit [--model gru] [--data time_machine] [--config FILE.yaml] [--OPTION VALUE ...]"
EXAMPLES = (
    "python -m seqlab.fit --model gru",
    "python -m seqlab.fit --data trec --model cnn --trainer.max_epochs 5",
)

PLATEAU = "reducelronplateau"
"""The schedule that counts validations."""
SCORED = 100
"""Batches that measure train/loss of a counted model, which has counted the whole training part before them."""
TRAINER_DEFAULTS: dict[str, Any] = {
    "max_epochs": 20,
    "gradient_clip_val": 1.0,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
    "use_distributed_sampler": False,
    "logger": None,
}

NAMES = {
    "model": "Of those that read this data: {}.",
    "data": "{}.",
    "optimizer": "Any of torch.optim, in lower case.",
    "lr_scheduler": "warmupcosinelr, noamlr, divideafterlr or any of torch.optim.lr_scheduler.",
}
HELP = {
    "config": "YAML file of options; later files and options on the command line override it.",
    "print_config": "Print the options as a YAML file and exit.",
    "optimizer.lr": "Learning rate.",
    "optimizer.weight_decay": "Weight decay.",
    "optimizer.momentum": "Momentum.",
    "trainer.accelerator": "auto, cpu or gpu.",
    "trainer.devices": "Number of devices or processes, or auto.",
    "trainer.strategy": "auto, ddp for several devices, or single_device.",
    "trainer.precision": "32-true, bf16-mixed, 16-mixed (GPU) or 64-true.",
    "trainer.fast_dev_run": "Test run of this many batches, without files.",
    "trainer.max_epochs": "Passes over the training part.",
    "trainer.max_steps": "Optimizer steps; -1 for no limit.",
    "trainer.max_time": "Wall time, as DD:HH:MM:SS.",
    "trainer.check_val_every_n_epoch": "Epochs from one validation to the next.",
    "trainer.log_every_n_steps": "Optimizer steps from one log entry to the next; 50 if not given.",
    "trainer.accumulate_grad_batches": "Gradient accumulation: batches per optimizer step.",
    "trainer.gradient_clip_val": "Gradient clipping: largest norm of all gradients together; null for none.",
    "trainer.default_root_dir": "Folder of lightning_logs; the current folder if not given.",
}
SELDOM = ("trainer.fast_dev_run", "trainer.check_val_every_n_epoch", "trainer.log_every_n_steps")
"""Options that only ``--help_all`` lists, in addition to those of Lightning and torch."""

COMMON = (
    "help",
    "help_all",
    "seed",
    "run",
    "overwrite",
    "ckpt_path",
    "ckpt_every",
    "watch",
    "samples",
    "patience",
    "monitor",
    "bar",
    "model.",
    "data.",
    "lr_scheduler.",
    *(name for name in HELP if name not in SELDOM),
)


class TrainingParser(Parser, LightningArgumentParser):
    """The parser of ``fit``."""

    common = (*COMMON, "optimizer.name")
    first = (*(f"{choice}.name" for choice in CHOICES), "config", "run", "overwrite", "ckpt_path", "ckpt_every", "seed")


def add_run_options(parser: LightningArgumentParser) -> None:
    """Options of a run as a whole."""
    parser.add_argument("--seed", type=int, default=1, help="Random seed of weights, dropout and data order.")
    parser.add_argument("--run", type=str | None, help="Name of the run's folder under lightning_logs.")
    parser.add_argument(
        "--overwrite",
        action=ActionYesNo,
        nargs="?",
        default=False,
        help="Replace the run of that name, if there is one.",
    )
    parser.add_argument(
        "--take_over",
        action=ActionYesNo,
        nargs="?",
        default=False,
        help="Train the run even if another process seems to be training it.",
    )
    parser.add_argument("--ckpt_path", type=str | None, help="Go on from last, best, a run's folder or a .ckpt file.")
    parser.add_argument(
        "--patience",
        type=int | None,
        default=5,
        help="Early stopping: validations without improvement; null for none.",
    )
    parser.add_argument(
        "--monitor",
        type=str,
        default="val/loss",
        help="Measure for best.ckpt and --patience, such as val/accuracy.",
    )
    parser.add_argument(
        "--bar",
        type=Literal["auto", "none"],
        default="auto",
        help="auto also measures the task's counted baseline if that is quick.",
    )
    parser.add_argument("--ckpt_every", type=str | None, help="Also write last.ckpt every 200 (steps), 30s, 5m or 1h.")
    parser.add_argument(
        "--on_nan",
        type=Literal["stop", "skip"],
        default="stop",
        help="Stop at a loss that is NaN or infinite, or skip such updates.",
    )
    parser.add_argument(
        "--watch",
        type=Literal["none", "light", "full"],
        default="light",
        help="More views in TensorBoard; full also draws pictures at each validation.",
    )
    parser.add_argument(
        "--samples",
        action=ActionYesNo,
        nargs="?",
        default=False,
        help="Print samples or predictions after each validation.",
    )


def add_options(parser: ArgumentParser, kind: type[Options], group: str, skip: set[str]) -> None:
    """Adds the options of a class, with the help texts of its fields."""
    parser.add_class_arguments(kind, group, instantiate=False, skip={*skip})
    told = {f"{group}.{each.name}": _told(each) for each in fields(kind)}
    for action in parser._actions:
        action.help = told.get(action.dest) or action.help
    if isinstance(parser, Parser):
        parser.seldom |= {f"{group}.{each.name}" for each in fields(kind) if each.metadata.get("seldom")}
        parser.refused |= {f"{group}.{name}": f"{name} {why}" for name, why in kind.refused.items()}


def _told(each: Field[Any]) -> str | None:
    """The help text of a field, with its bounds."""
    rule = each.metadata.get("bounds", Bounds()).told()
    return f"{each.metadata['help']} ({rule})" if rule else each.metadata.get("help")


def add_chosen_options(parser: LightningArgumentParser, plan: Plan) -> None:
    """Adds options of the chosen model, data, optimizer and schedule, and of the trainer."""
    for key in CHOICES:
        name = getattr(plan, key)
        told = NAMES[key].format(", ".join(_names_for(plan, key)))
        parser.add_argument(f"--{key}.name", type=str, default=name, metavar="NAME", help=told)
    network, data = plan.network, DATA[plan.data]
    if isinstance(parser, Parser):
        parser.seldom |= {f"data.{name}" for name in data.SELDOM}
        title = (data.__doc__ or "").strip().splitlines()[0].rstrip(".")
        parser.headings |= {key: f"Options of {key} {getattr(plan, key)}" for key in CHOICES}
        parser.headings |= {
            "data": f"Options of data {plan.data} ({title})",
            "trainer": "Options of Lightning's Trainer",
        }
    add_options(parser, network.options, "model", skip=set(network.sets))
    parser.add_class_arguments(data, "data", instantiate=False, skip=set(data.UNASKED))
    read = plan.row.reads.get(plan.data, {})
    parser.set_defaults({f"data.{key}": value for key, value in read.items()})
    optimizer = OPTIMIZERS[plan.optimizer]
    parser.add_class_arguments(optimizer, "optimizer", instantiate=False, skip={"params"}, fail_untyped=False)
    _set_defaults(parser, plan, "optimizer")
    if plan.lr_scheduler != "none":
        kind = SCHEDULERS[plan.lr_scheduler]
        parser.add_class_arguments(kind, "lr_scheduler", instantiate=False, skip={"optimizer"}, fail_untyped=False)
        if plan.lr_scheduler != PLATEAU:
            parser.add_argument(
                "--lr_scheduler.interval",
                type=Literal["epoch", "step"],
                default="step" if plan.lr_scheduler in STEP_WISE else "epoch",
                help="Unit of the schedule: epoch or optimizer step.",
            )
        _set_defaults(parser, plan, "lr_scheduler")
    parser.add_lightning_class_args(Trainer, "trainer")
    lengths = {} if network.options.by_gradients else {"max_epochs": 1, "limit_train_batches": SCORED}
    parser.set_defaults({f"trainer.{key}": value for key, value in {**TRAINER_DEFAULTS, **lengths}.items()})
    for action in parser._actions:
        action.help = HELP.get(action.dest, action.help)


def options_of_runs() -> set[str]:
    """Names of the options of every model, data and the trainer; ``optimizer`` and ``lr_scheduler`` as groups."""
    networks = [network.options for task in TASKS.values() for network in task.networks.values()]
    groups = {"model": networks, "data": DATA.values(), "trainer": [Trainer]}
    named = {f"{key}.{name}" for key, kinds in groups.items() for kind in kinds for name in signature(kind).parameters}
    return {"model.name", "data.name", "optimizer", "lr_scheduler", *named}


def _names_for(plan: Plan, key: str) -> list[str]:
    """The names that fit the other choices; for models, those that read the chosen data."""
    if key != "model":
        return known_names(key)
    return [*dict.fromkeys(name for task in TASKS.values() if plan.data in task.data for name in task.networks)]


def _set_defaults(parser: LightningArgumentParser, plan: Plan, group: str) -> None:
    """Sets the network's default options of its default optimizer or schedule, and our defaults for others."""
    asked, name = plan.network.options.trained_by[group], getattr(plan, group)
    values = asked if asked["name"] == name else Options.trained_by[group]
    if values["name"] == name:
        parser.set_defaults({f"{group}.{key}": value for key, value in values.items() if key != "name"})
