import re
from typing import Any

import pytest
import torch

from seqlab.errors import UserError
from seqlab.runs.schema import Checkpoint, OldCheckpoint, check_codecs, check_finite, check_plain, check_shape
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels

RECORD = {"format": 2, "task": "language", "model": "gru", "codecs": {}}
SMALL = {"seqlab": RECORD, "hyper_parameters": {"options": {}}, "state_dict": {"w": torch.arange(6.0)}}
TEXT = Codec.build(lambda: iter(["abb"]), "raw").state()


def _bomb() -> list[Any]:
    value: list[Any] = [0]
    for _ in range(35):
        value = [value] * 10
    return value


def _cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(60):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (_bomb(), "more than 67,108,864 values"),
        (_cycle(), "something that holds itself"),
        (_deep(), "values nested deeper than 40"),
        (2**200, "a number that is too large"),
        (torch.zeros(1).expand(10**6, 10**6), "a tensor of 1000000 x 1000000 numbers"),
        (torch.zeros(2, dtype=torch.complex64), "complex numbers"),
        (torch.zeros(2, 2).to_sparse(), "a tensor of layout"),
        (torch.float16, "a dtype"),
    ],
    ids=["bomb", "cycle", "deep", "number", "view", "complex", "sparse", "dtype"],
)
def test_what_no_checkpoint_holds(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=rf"^a.ckpt holds {re.escape(words)}.*, which no checkpoint of seqlab does;"):
        check_plain({**SMALL, "more": [value]}, 10_000, "a.ckpt")


def test_plain_values_and_tensors_that_the_file_can_hold() -> None:
    shared = torch.zeros(2, 3)
    view = shared[:, 0].expand(3, 2)
    check_plain({1: [2**63, 0.5, None, True, "a", b"b"], "t": (shared, view, shared), "s": {1, 2}}, 24, "a.ckpt")
    with pytest.raises(UserError, match="a tensor of 2 x 3 numbers, of which the file has fewer"):
        check_plain({"t": shared}, 23, "a.ckpt")


def test_values_that_are_referred_to_often_are_counted_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = [0] * 10  # 11 values
    monkeypatch.setattr("seqlab.runs.schema.MOST_VALUES", 34)
    check_plain([shared] * 3, 10, "a.ckpt")
    monkeypatch.setattr("seqlab.runs.schema.MOST_VALUES", 33)
    with pytest.raises(UserError, match="^a.ckpt holds more than 33 values"):
        check_plain([shared] * 3, 10, "a.ckpt")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seqlab": {**RECORD, "task": 3}}, "seqlab.task is 3"),
        ({"hyper_parameters": {"options": {}, "lr_interval": "year"}}, "hyper_parameters.lr_interval is 'year'"),
        ({"epoch": True}, "epoch is True"),
        ({"loops": {"fit_loop": []}}, "loops.fit_loop is a list"),
        ({"optimizer_states": [{"state": {}}]}, "optimizer_states[0] lacks param_groups"),
        ({"run": {"name": "a", "config": "", "arithmetic": {"threads": 0.5}}}, "run.arithmetic.threads is 0.5"),
    ],
    ids=str,
)
def test_the_shape_of_a_checkpoint(change: dict[str, Any], words: str) -> None:
    check_shape(SMALL, Checkpoint, "a.ckpt")
    sentence = f"a.ckpt is no sound checkpoint of seqlab: {words}; use another one"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        check_shape({**SMALL, **change}, Checkpoint, "a.ckpt")


def test_the_shape_of_an_old_checkpoint() -> None:
    old = {"seqlab": {"format": 1, "codec": None}, "hyper_parameters": {}}
    check_shape(old, OldCheckpoint, "a.ckpt")
    for wrong in ({**old, "seqlab": {"format": 2}}, {**old, "hyper_parameters": []}):
        with pytest.raises(UserError, match="seqlab.format is 2|hyper_parameters is a list"):
            check_shape(wrong, OldCheckpoint, "a.ckpt")


def test_codecs_number_their_tokens() -> None:
    vocab = TEXT["vocab"]
    assert vocab == {"reserved": ["<unk>"], "tokens": ["b", "a"], "counts": [2, 1]}
    labels = Labels(["x", "y"]).state()

    def check(**codecs: object) -> None:
        check_codecs({"seqlab": {"codecs": codecs}}, "a.ckpt")

    check(text=TEXT, label=labels)
    for wrong in ({"tokens": ["b", "b"]}, {"tokens": ["<unk>", "a"]}, {"counts": [2]}):
        with pytest.raises(UserError, match="codecs.text does not number its tokens$"):
            check(label=labels, text={**TEXT, "vocab": {**vocab, **wrong}})
    with pytest.raises(UserError, match="codecs.label does not number its tokens$"):
        check(label={**labels, "names": []})
    with pytest.raises(UserError, match="codecs.text lacks vocab"):
        check(text={"cleaning": "raw", "tokenizer": {"name": "char"}})
    context = {"kind": "context", "text": TEXT, "network": "recurrent", "options": {"hidden_size": 3}}
    check(text=TEXT, label=labels, context=context)
    with pytest.raises(UserError, match="codecs.context does not number its tokens$"):
        check(context={**context, "text": {**TEXT, "vocab": {**vocab, "counts": []}}})
    with pytest.raises(UserError, match="codecs.context.network is 'mlp'"):
        check(context={**context, "network": "mlp"})
    with pytest.raises(UserError, match=r"codecs.text.tokenizer.apart is a list"):
        check(text={**TEXT, "tokenizer": {"name": "word", "apart": []}})


def test_weights_are_numbers() -> None:
    check_finite({"a": torch.zeros(2), "b": torch.tensor([2**40]), "c": torch.zeros(0)}, "a.ckpt")
    words = (
        "^a.ckpt has weights that are no numbers: 2 of the 4 of b are NaN or infinite; use a checkpoint from before$"
    )
    with pytest.raises(UserError, match=words):
        check_finite({"a": torch.zeros(2), "b": torch.tensor([[0, torch.nan], [-torch.inf, 1]])}, "a.ckpt")
