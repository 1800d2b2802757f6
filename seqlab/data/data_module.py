"""Base data module of every corpus: resumable batches, and what a model must know about them."""

import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader, Dataset

from seqlab.data.loader import Batches, Loader, Shard, used_of
from seqlab.data.parts import SPLITS, Split
from seqlab.errors import NoPartError
from seqlab.text.any_codec import AnyCodec

TOGETHER = 64
"""Raw inputs in a prediction batch of a Trainer."""


class DataModule(pl.LightningDataModule):
    """A corpus cut into batches.

    ``corpus_name`` is the corpus that was actually read; ``prompt`` is a text that a language model may continue.

    Some class attributes sort the options: ``answered`` are fixed by the corpus, such as the path of its file;
    ``of_files`` name its files and ``held_out`` those of held-out parts; ``of_codecs`` say how text becomes ids, which
    a checkpoint has fixed; ``of_training`` shape training batches, ``of_limits`` limit the training part,
    ``of_batches`` shape all batches, ``of_splits`` cut the parts. Only ``--help_all`` lists ``SELDOM``; no help lists
    ``UNASKED``. With the options ``whole`` the training part is the whole corpus.
    """

    data_name: ClassVar[str]
    answered: ClassVar[tuple[str, ...]] = ()
    of_files: ClassVar[tuple[str, ...]] = ("path",)
    held_out: ClassVar[tuple[str, ...]] = ("val_path", "test_path")
    of_codecs: ClassVar[tuple[str, ...]] = ("cleaning", "tokens", "min_freq", "num_subwords")
    of_training: ClassVar[tuple[str, ...]] = ("batch_size",)
    of_limits: ClassVar[tuple[str, ...]] = ()
    of_batches: ClassVar[tuple[str, ...]] = ()
    of_splits: ClassVar[tuple[str, ...]] = ("val_fraction", "test_fraction")
    whole: ClassVar[Mapping[str, Any]] = {"val_fraction": 0.0, "test_fraction": 0.0}
    SELDOM: ClassVar[tuple[str, ...]] = ("name_shown", "eval_streams", "shuffled", "phrases", "phrase_threshold")
    UNASKED: ClassVar[tuple[str, ...]] = ("seed", "codecs")
    corpus_name: str
    prompt: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self._loader: Loader[Any] | None = None
        self.added: dict[str, AnyCodec] = {}
        self._resumed: dict[str, int] = {}

    @abstractmethod
    def has(self, split: Any) -> bool:
        """Whether the corpus has such a part."""

    @property
    def last_part(self) -> Split:
        """The last part that the corpus has: test, otherwise validation, otherwise training."""
        return next(part for part in SPLITS[::-1] if self.has(part))

    @property
    def watched_part(self) -> Split:
        """The part whose items are shown while a model is trained: validation, otherwise training."""
        return "val" if self.has("val") else "train"

    def check_has(self, split: Any) -> None:
        """Checks that a part is not empty.

        Raises:
            NoPartError: The part is empty.
        """
        if not self.has(split):
            way_out = f"give --data.{split}_fraction or --data.{split}_path"
            raise NoPartError(f"the corpus '{self.corpus_name}' has no {split} part; {way_out}")

    @abstractmethod
    def train_batches(self, shard: Shard) -> Batches[Any]:
        """The training batches, or the rows of them that belong to one process.

        Raises:
            UserError: The corpus does not fill a batch, or the batch does not divide among the processes.
        """

    @abstractmethod
    def evaluation_loader(self, split: Any) -> Loader[Any]:
        """Every item of a part exactly once.

        Raises:
            UserError: There is no such part.
        """

    def val_dataloader(self) -> Loader[Any] | Sequence[Loader[Any]]:
        return self.evaluation_loader("val") if self.has("val") else []

    def test_dataloader(self) -> Loader[Any]:
        return self.evaluation_loader("test")

    @property
    @abstractmethod
    def codecs(self) -> Mapping[str, AnyCodec]:
        """The codecs by name, in the order in which a network takes their sizes."""

    def adopt(self, codecs: Mapping[str, AnyCodec]) -> None:
        """Takes over those codecs of a model that these data do not have, so that batches hold their ids too."""
        added = {name: codec for name, codec in codecs.items() if name not in self.codecs}
        if added and added != self.added:
            self.added = added
            self.encode_anew()

    def encode_anew(self) -> None:
        """Drops encoded parts, since there are other codecs; by default, none depends on added codecs."""

    @abstractmethod
    def inputs(self, split: Any) -> list[str]:
        """The raw inputs of one part for ``predict``, as written in the file."""

    @abstractmethod
    def num_items(self) -> int:
        """Number of training items, in the unit of the loss."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Hexadecimal digest of the training and validation data."""

    @abstractmethod
    def describe(self) -> str:
        """The size of the parts, in words."""

    def recipe(self) -> dict[str, object]:
        """The name and the arguments that recreate this data, as plain values."""
        given = {key: value for key, value in self.hparams.items() if value is not None and key not in self.answered}
        return {"name": self.data_name, **given}

    def __str__(self) -> str:
        return f"{self.corpus_name}: {self.describe()}"

    def predict_dataloader(self) -> DataLoader[str]:
        inputs = cast("Dataset[str]", self.inputs("test"))
        return DataLoader(inputs, batch_size=TOGETHER, collate_fn=list)

    def shard(self) -> Shard:
        """The rows of each batch that belong to this process."""
        trainer = self.trainer
        return Shard(trainer.global_rank, trainer.world_size) if trainer is not None else Shard()

    @contextmanager
    def undivided(self) -> Iterator[None]:
        """A context in which each process reads whole parts, for any number of processes."""
        module: pl.LightningDataModule = self
        held, module.trainer = module.trainer, None
        try:
            yield
        finally:
            module.trainer = held

    def _is_counted(self) -> bool:
        """Whether the model counts the whole part at once, so that no batch needs to be full."""
        model = None if self.trainer is None else self.trainer.lightning_module
        return not getattr(getattr(model, "options", None), "by_gradients", True)

    def train_dataloader(self) -> Loader[Any]:
        if self._is_counted():
            self._loader = self.evaluation_loader("train")
            return self._loader
        batches = self.train_batches(self.shard())
        limit = None if self.trainer is None else self.trainer.limit_train_batches
        self._loader = Loader(batches, used_of(len(batches), limit))
        if self._resumed:
            self._loader.load_state_dict(self._resumed)
            self._resumed = {}
        return self._loader

    def state_dict(self) -> dict[str, int]:
        """Position in the training batches; Lightning itself restores it only in the middle of an epoch."""
        return self._loader.state_dict() if self._loader is not None else {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._resumed = state_dict


@rank_zero_only
def warn_of_sample(wanted: str, reason: str) -> None:
    """Warns in large letters that training uses the bundled sample."""
    lines = [f"{wanted} is not here. Going on with the BUNDLED SAMPLE, written for this project:"]
    lines += [f"numbers from this run are not numbers of {wanted}.", f"Reason: {reason}"]
    bar = "!" * 100
    text = "\n".join([bar, *(f"!!! {line}" for line in lines), bar])
    print(f"\033[1;33m{text}\033[0m" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)
