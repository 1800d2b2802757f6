from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.views.projector import EmbeddingView


def board(folder: Path) -> TensorBoardLogger:
    return TensorBoardLogger(str(folder), name="run", version="")


def test_the_projector_has_a_label_for_each_vector(tmp_path: Path, fit: Any, data: Any) -> None:
    _, model = fit(EmbeddingView(), logger=board(tmp_path), model={"embedding_size": 4})
    (vectors,) = tmp_path.rglob("tensors.tsv")
    (labels,) = tmp_path.rglob("metadata.tsv")
    written = np.loadtxt(vectors, delimiter="\t")
    np.testing.assert_allclose(written, model.network.embedding.weight.detach(), atol=1e-6)
    names = labels.read_text(encoding="utf-8").splitlines()
    assert len(names) == data.vocab_size == len(written)
    assert names[:2] == ["<unk>", "␣"]
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    (event,) = events.Tensors("embedding/neighbours/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    assert text.count("\n") == 1 + min(40, data.vocab_size)


def test_one_hot_inputs_have_no_projector(tmp_path: Path, fit: Any) -> None:
    fit(EmbeddingView(), logger=board(tmp_path), model={"embedding_size": None})
    assert not list(tmp_path.rglob("*.tsv"))
