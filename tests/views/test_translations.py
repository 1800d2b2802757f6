import re
from itertools import product
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.data.parallel import ParallelData
from seqlab.models.translation import TranslationModel
from seqlab.nn.transformer_translation import TransformerTranslationOptions
from seqlab.nn.translation_network import TranslationOptions
from seqlab.views.translations import WORST, TranslationView, worst


@pytest.fixture
def pairs(tmp_path: Path) -> ParallelData:
    lines = [f"{a} {b} {c}\t{c} {b} {a}\n" for a in "abcd" for b in "abcd" for c in "abcd"]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    return ParallelData(str(tmp_path / "pairs.tsv"), batch_size=16, val_fraction=0.3, min_freq=1)


def translator(pairs: ParallelData, **options: Any) -> TranslationModel:
    torch.manual_seed(0)
    given = {"hidden_size": 8, "embedding_size": 4, **options}
    return TranslationModel(TranslationOptions(**given), pairs.codecs)


def transformer(pairs: ParallelData) -> TranslationModel:
    torch.manual_seed(0)
    options = TransformerTranslationOptions(hidden_size=8, num_heads=2, num_layers=1, bleu_sentences=0)
    return TranslationModel(options, pairs.codecs)


def test_the_worst_are_those_of_the_highest_loss_per_token(pairs: ParallelData) -> None:
    model = translator(pairs, dropout=0.5).train()
    found = worst(model, pairs)
    assert model.training
    model.eval()
    losses = {}
    for source, target in pairs.pairs("val"):
        ids, wanted = (
            codec.encode(text)
            for codec, text in zip((pairs.source_codec, pairs.target_codec), (source, target), strict=True)
        )
        bos, eos = (pairs.target_codec.vocab.id_of(token) for token in ("<bos>", "<eos>"))
        batch = [[*ids, eos], len(ids) + 1, [bos, *wanted], [*wanted, eos], [True] * (len(wanted) + 1)]
        nats = model.network.nats(*(torch.tensor([part]) for part in batch))
        losses[source] = (nats.item() / (len(wanted) + 1), target)
    expected = sorted(((loss, source, target) for source, (loss, target) in losses.items()), reverse=True)[:WORST]
    assert [failure.source for failure in found] == [source for _, source, _ in expected]
    assert [failure.reference for failure in found] == [target for *_, target in expected]
    assert [failure.loss for failure in found] == pytest.approx([loss for loss, *_ in expected], rel=1e-5)


@pytest.mark.parametrize(
    ("pictures", "network"), [*product((False, True), ("general", "none")), (False, "transformer")]
)
def test_what_tensorboard_shows(pictures: bool, network: str, pairs: ParallelData, tmp_path: Path) -> None:
    model = transformer(pairs) if network == "transformer" else translator(pairs, attention=network)
    board = TensorBoardLogger(str(tmp_path), name="run", version="")
    quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    pl.Trainer(max_epochs=2, logger=board, accelerator="cpu", callbacks=[TranslationView(pictures)], **quiet).fit(
        model, pairs
    )
    seen = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0, "tensors": 0})
    seen.Reload()
    tables = [event.tensor_proto.string_val[0].decode() for event in seen.Tensors("worst sentences/text_summary")]
    assert len(tables) == 2
    assert (
        len(re.findall(r"^\| \d+\.\d\d \| [a-d] [a-d] [a-d] \| [a-d] [a-d] [a-d] \| ", tables[0], re.MULTILINE))
        == WORST
    )
    images = seen.Tags()["images"]
    shown = {"none": [], "general": [f"attention/{row}" for row in range(3)]}
    shown["transformer"] = [
        *shown["general"],
        *(f"attention by head/{name}" for name in ("encoder", "decoder", "cross")),
    ]
    assert images == [f"watch pictures/{name}" for name in shown[network]]
    assert all(len(seen.Images(tag)) == (2 if pictures else 1) for tag in images)


def test_a_worst_sentence_of_unknown_words_is_translated_as_it_was_read(tmp_path: Path) -> None:
    lines = [f"{word}{row} is here\t{word}{row} est ici\n" for row, word in enumerate("abcdefgh" * 8)]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    data = ParallelData(str(tmp_path / "pairs.tsv"), batch_size=16, val_fraction=0.3, test_fraction=0.0, min_freq=3)
    model = translator(data)
    found = worst(model, data)
    assert {failure.source for failure in found} == {"<unk> is here"}
    unknown = next(source for source, _ in data.pairs("val"))
    assert {failure.translation for failure in found} == {*model.translate([unknown])[0]}
