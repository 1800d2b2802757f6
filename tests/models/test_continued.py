from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.optim import SGD, Adagrad

from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.models.vectors import WordVectorModel
from seqlab.nn.fasttext import FastTextOptions
from seqlab.nn.skipgram import SkipGramOptions

KINDS: dict[str, Any] = {"skipgram": SkipGramOptions, "fasttext": partial(FastTextOptions, buckets=40)}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[TextData, TextData]:
    """Two texts, which share two words of three."""
    folder, found = tmp_path_factory.mktemp("texts"), []
    for name, words in (("old", "red dog cat "), ("new", "cat dog hen ")):
        (folder / f"{name}.txt").write_text(words * 300, encoding="utf-8")
        found.append(TextData(str(folder / f"{name}.txt"), tokens="word", batch_size=2, num_steps=32))
    return found[0], found[1]


def model(text: TextData, kind: str, optimizer: Any = Adagrad, **options: Any) -> WordVectorModel:
    torch.manual_seed(0)
    made = KINDS[kind](**{"embedding_size": 4, "subsample": 0.0, **options})
    return WordVectorModel(made, text.codecs, partial(optimizer, lr=0.3), name=kind)


@pytest.fixture(scope="module")
def runs(texts: tuple[TextData, TextData], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of the old text for each kind."""
    found = {}
    for kind in KINDS:
        quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"), False)
        trainer = pl.Trainer(max_epochs=1, accelerator="cpu", num_sanity_val_steps=0, **quiet)
        trainer.fit(model(texts[0], kind), texts[0])
        found[kind] = tmp_path_factory.mktemp(kind) / "best.ckpt"
        trainer.save_checkpoint(found[kind])
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_shared_words_go_on_and_new_ones_begin_afresh(
    kind: str, texts: tuple[TextData, TextData], runs: dict[str, Path]
) -> None:
    fresh, made = model(texts[1], kind), model(texts[1], kind, vectors=str(runs[kind]))
    kept = torch.load(runs[kind], weights_only=True)
    old, new = texts[0].codec.vocab, texts[1].codec.vocab
    assert made.loaded[0].startswith("vectors of 3 of 4 words from")  # <unk> among them
    state = made.configure_optimizers().state
    for place, name in enumerate(("embedding", "context_embedding")):
        found, drawn = (getattr(one.network, name).weight.detach() for one in (made, fresh))
        before, squares = (
            kept["state_dict"][f"network.{name}.weight"],
            kept["optimizer_states"][0]["state"][place]["sum"],
        )
        summed = state[getattr(made.network, name).weight]["sum"]
        for word in ("dog", "cat"):
            assert torch.equal(found[new[word]], before[old[word]])
            assert torch.equal(summed[new[word]], squares[old[word]])
            assert float(summed[new[word]].min()) > 0
        assert torch.equal(found[new["hen"]], drawn[new["hen"]])
        assert not summed[new["hen"]].any()
        if len(found) > len(new):
            own, there = made.network.rows_behind(len(before) - len(old))
            assert torch.equal(found[own], before[there + len(old)])
            assert torch.equal(summed[own], squares[there + len(old)])


def test_another_optimizer_has_the_vectors_alone(texts: tuple[TextData, TextData], runs: dict[str, Path]) -> None:
    made = model(texts[1], "skipgram", SGD, vectors=str(runs["skipgram"]))
    assert not made.configure_optimizers().state


def test_a_file_of_vectors(texts: tuple[TextData, TextData], tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("dog 1 2 3 4\nbird 1 1 1 1\n", encoding="utf-8")
    made = model(texts[1], "skipgram", vectors=str(tmp_path / "v.txt"))
    assert made.loaded == ["vectors of 1 of 4 words from v.txt"]
    assert made.network.embedding.weight[texts[1].codec.vocab["dog"]].tolist() == [1, 2, 3, 4]
    with pytest.raises(UserError, match="no vectors of the parts of words; give a run of fasttext"):
        model(texts[1], "fasttext", vectors=str(tmp_path / "v.txt"))


@pytest.mark.parametrize(
    ("kind", "run", "options", "words"),
    [
        (
            *("skipgram", "fasttext", {}),
            "holds a model 'fasttext', and skipgram cannot continue its training; give the vectors",
        ),
        ("skipgram", "skipgram", {"embedding_size": 3}, "vectors of size 4, not 3; give --model.embedding_size 4"),
    ],
)
def test_runs_that_it_cannot_go_on_from(
    kind: str,
    run: str,
    options: dict[str, Any],
    words: str,
    texts: tuple[TextData, TextData],
    runs: dict[str, Path],
) -> None:
    with pytest.raises(UserError, match=words):
        model(texts[1], kind, vectors=str(runs[run]), **options)
