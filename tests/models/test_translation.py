import math
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.optim import Adam

from seqlab.data.parallel import ParallelData
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import translate
from seqlab.errors import UserError
from seqlab.models import load
from seqlab.models.translation import TranslationModel
from seqlab.nn.ibm1 import IBM1Options
from seqlab.nn.transformer_translation import TransformerTranslationOptions
from seqlab.nn.translation_network import TranslationOptions
from seqlab.text.clean import detokenize

LETTERS = "abcdefgh"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words of three to five letters and the same backwards: a b c -> c b a."""
    generator = torch.Generator().manual_seed(0)
    lines = {}
    while len(lines) < 700:
        length = int(torch.randint(3, 6, (), generator=generator))
        word = [LETTERS[k] for k in torch.randint(8, (length,), generator=generator).tolist()]
        lines[" ".join(word)] = " ".join(reversed(word))
    path = tmp_path_factory.mktemp("toy") / "toy.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in lines.items()), encoding="utf-8")
    return path


def data(toy: Path, **options: Any) -> ParallelData:
    return ParallelData(str(toy), **{"batch_size": 32, "val_fraction": 0.1, "test_fraction": 0.1, **options})


def model(toy_data: ParallelData, **options: Any) -> TranslationModel:
    torch.manual_seed(0)
    given = {"hidden_size": 48, "embedding_size": 16, "dropout": 0.0, **options}
    return TranslationModel(TranslationOptions(**given), toy_data.codecs, optimizer=partial(Adam, lr=0.01))


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    quiet |= {"enable_checkpointing": False, "gradient_clip_val": 1.0, "use_distributed_sampler": False}
    return pl.Trainer(max_epochs=epochs, **{**quiet, **options})


@pytest.fixture(scope="module")
def trained(toy: Path) -> tuple[TranslationModel, ParallelData, pl.Trainer]:
    toy_data = data(toy)
    made, fit = model(toy_data), trainer(25)
    fit.fit(made, toy_data)
    return made, toy_data, fit


def test_it_learns_to_reverse_unseen_words(trained: tuple[TranslationModel, ParallelData, pl.Trainer]) -> None:
    made, toy_data, fit = trained
    pairs = toy_data.pairs("test")
    said = made.translate([source for source, _ in pairs])
    right = sum(text == [target] for text, (_, target) in zip(said, pairs, strict=True))
    assert right / len(pairs) > 0.95
    assert float(fit.callback_metrics["val/bleu"]) > 90
    assert float(fit.callback_metrics["val/perplexity"]) < 1.2


def test_beams_and_orders(trained: tuple[TranslationModel, ParallelData, pl.Trainer]) -> None:
    made, toy_data, _ = trained
    sources = [source for source, _ in toy_data.pairs("test")]
    codecs = made.source_codec, made.target_codec
    beam = Beam(3, 1.0, max_length=9, n_best=2)
    with torch.no_grad():
        found = translate(made.eval().network, *codecs, sources, beam, attention=True)
        backwards = translate(made.network, *codecs, sources[::-1], beam)
    assert [[one.text for one in best] for best in found] == [[one.text for one in best] for best in backwards[::-1]]
    for source, best in zip(sources, found, strict=True):
        first = best[0]
        assert first.source == [*source.split(), "<eos>"]
        assert first.attention is not None
        assert first.attention.shape == (len(first.target), len(first.source))
        assert best[0].score >= best[1].score


def test_validation_loss_is_over_real_tokens(trained: tuple[TranslationModel, ParallelData, pl.Trainer]) -> None:
    made, toy_data, fit = trained
    nats, tokens = 0.0, 0
    with torch.no_grad():
        for row in range(len(toy_data.pairs("val"))):
            one = toy_data.encoded("val").batch(torch.tensor([row]).numpy())
            nats += float(made.eval().network.nats(*one))
            tokens += int(one.valid.sum())
    assert float(fit.callback_metrics["val/loss"]) == pytest.approx(nats / tokens, rel=1e-4)
    assert float(fit.callback_metrics["val/perplexity"]) == pytest.approx(math.exp(nats / tokens), rel=1e-4)


def test_a_checkpoint_gives_the_model_back(
    trained: tuple[TranslationModel, ParallelData, pl.Trainer], tmp_path: Path
) -> None:
    made, toy_data, fit = trained
    fit.save_checkpoint(tmp_path / "a.ckpt")
    loaded = load(tmp_path / "a.ckpt")
    assert isinstance(loaded, TranslationModel)
    sources = [source for source, _ in toy_data.pairs("val")]
    assert loaded.translate(sources) == made.translate(sources)
    assert loaded.options == made.options


OPTIONS: dict[str, dict[str, Any]] = {
    "label_smoothing": {"label_smoothing": 0.1},
    "scheduled_sampling": {"scheduled_sampling": 0.5},
    "attention": {"attention": "none"},
    "input_feeding": {"input_feeding": True},
    "cell": {"cell": "lstm"},
    "dropout": {"dropout": 0.3},
    "init": {"init": "orthogonal"},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_changes_something(option: str, toy: Path) -> None:
    toy_data = data(toy)
    losses = []
    for options in ({}, OPTIONS[option]):
        made = model(toy_data, **options)
        batch = toy_data.train_batches(toy_data.shard()).batch(0, 0)
        torch.manual_seed(1)
        losses.append(float(made.training_step(batch, 0)["loss"].detach()))
    assert losses[0] != losses[1]


@pytest.mark.parametrize("name", ["label_smoothing", "scheduled_sampling"])
def test_shares_lie_below_one(name: str, toy: Path) -> None:
    with pytest.raises(UserError, match=f"^{name} 1.0 must be at least 0 and below 1$"):
        model(data(toy), **{name: 1.0})


def rows(embedding: torch.nn.Embedding, ids: list[int]) -> list[list[float]]:
    return [[round(value, 4) for value in embedding.weight[row].tolist()] for row in ids]


def test_vectors_of_either_side(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "source.vec").write_text("2 2\na 1 2\nb 3 4\n")
    (tmp_path / "target.vec").write_text("1 2\nb 5 6\n")
    files = {f"{side}_vectors": str(tmp_path / f"{side}.vec") for side in ("source", "target")}
    toy_data = data(toy)
    drawn, made = (model(toy_data, embedding_size=2, **given) for given in ({}, files))
    source_ids, target_ids = toy_data.source_codec.vocab.ids("abc"), toy_data.target_codec.vocab.ids("abc")
    before = rows(drawn.network.encoder.embedding, source_ids), rows(drawn.network.decoder.embedding, target_ids)
    assert rows(made.network.encoder.embedding, source_ids) == [[1, 2], [3, 4], before[0][2]]
    assert rows(made.network.decoder.embedding, target_ids) == [before[1][0], [5, 6], before[1][2]]
    said = ["vectors of 2 of 12 source tokens from source.vec", "vectors of 1 of 12 target tokens from target.vec"]
    assert made.loaded == said


def test_a_shared_embedding_begins_with_one_file(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "v.vec").write_text("a 1 2\n")
    toy_data, file = data(toy, shared_vocab=True), str(tmp_path / "v.vec")
    made = model(toy_data, embedding_size=2, shared=True, source_vectors=file)
    assert rows(made.network.decoder.embedding, toy_data.target_codec.vocab.ids("a")) == [[1, 2]]
    with pytest.raises(UserError, match=r"^a shared embedding takes one file; leave out --model.source_vectors"):
        model(toy_data, embedding_size=2, shared=True, source_vectors=file, target_vectors=file)


def test_a_model_in_training_mode_is_measured_without_dropout(toy: Path) -> None:
    toy_data = data(toy)
    made = model(toy_data, dropout=0.5)
    losses = [made.train(mode).evaluate(toy_data, "test", sentences=1, beam_size=1).loss for mode in (True, False)]
    assert losses[0] == losses[1]
    assert not made.training


def test_an_empty_sentence_is_refused(trained: tuple[TranslationModel, ParallelData, pl.Trainer]) -> None:
    with pytest.raises(UserError, match=r"^sentence 2 \('  '\) has nothing to translate; give it at least one word$"):
        trained[0].translate(["a b c", "  "])


def test_detokenize() -> None:
    assert detokenize("je suis ici , et toi ?") == "je suis ici, et toi?"


def test_room_for_a_translation_follows_the_source_and_the_longest_sentence(toy: Path, tmp_path: Path) -> None:
    toy_data = data(toy, max_length=7)
    made, fit = model(toy_data, length_factor=1.5, length_addend=4, bleu_sentences=3), trainer(1, limit_train_batches=1)
    made.network.output.bias.data[toy_data.target_codec.vocab.id_of("<eos>")] = -99.0
    fit.fit(made, toy_data)
    assert float(fit.callback_metrics["val/incomplete"]) == 3
    (words,) = made.remarks({"val/incomplete": 3.0})
    assert words.startswith("Of the translations that the last val/bleu was measured on (at most 3), 3 were cut")
    assert made.remarks({"val/incomplete": 0.0}) == []
    fit.save_checkpoint(tmp_path / "a.ckpt")
    loaded = load(tmp_path / "a.ckpt")
    assert isinstance(loaded, TranslationModel)
    lengths = {"a b": 7, "a b c d e f": 13}
    for source, most in lengths.items():
        assert [len(text.split()) for (text,) in loaded.translate([source])] == [most]
        assert [len(text.split()) for (text,) in loaded.translate([source], max_length=2)] == [2]
        assert [len(text.split()) for (text,) in loaded.translate([source], length_factor=0)] == [7]
        assert [len(text.split()) for (text,) in loaded.translate([source], min_length=20)] == [20]
        (said,) = loaded.predict([source], beam_size=1)
        assert (len(said.translation.split()), said.complete) == (most, False)
    report = loaded.evaluate(toy_data, "val", beam_size=1)
    assert report.incomplete == report.sentences == len(toy_data.pairs("val"))


def transformer(toy_data: ParallelData, **options: Any) -> TranslationModel:
    torch.manual_seed(0)
    given = {"hidden_size": 32, "num_heads": 2, "num_layers": 2, "init": "torch", **options}
    return TranslationModel(TransformerTranslationOptions(**given), toy_data.codecs)


@pytest.mark.parametrize("beam_size", [1, 5])
def test_heads_are_those_of_the_translation(beam_size: int, toy: Path) -> None:
    toy_data = data(toy)
    made = transformer(toy_data)
    found = made.inspect(lambda: toy_data, text="A b c", beam_size=beam_size)
    ((best, *_),) = made.translations(["A b c"], made.beam(beam_size), attention=True)
    assert (found.sentence, found.translation) == ("A b c", best.text)
    assert (found.attention.source, found.attention.target) == (best.source, best.target)
    assert best.attention is not None
    torch.testing.assert_close(found.attention.cross[-1].mean(0), best.attention, rtol=1e-3, atol=1e-5)
    assert found.attention.encoder.shape == (2, 2, 4, 4)
    assert found.attention.decoder.shape == (2, 2, len(best.target), len(best.target))


def test_heads_of_a_sentence_of_the_corpus_that_is_left_without_words(toy: Path) -> None:
    toy_data = data(toy)
    made = transformer(toy_data, tied=False)
    made.network.output.bias.data[toy_data.target_codec.vocab.id_of("<eos>")] = 99.0
    found = made.inspect(lambda: toy_data)
    sentences = toy_data.inputs("test")
    assert (found.sentence, found.translation) == (sentences[len(sentences) // 2], "")
    assert found.attention.decoder.equal(torch.ones(2, 2, 1, 1))
    assert found.attention.cross.shape == (2, 2, 1, len(found.sentence.split()) + 1)


def test_models_without_heads_are_refused(toy: Path) -> None:
    toy_data = data(toy)
    counted = TranslationModel(IBM1Options(), toy_data.codecs)
    said = r"attention without heads; translate --attention FILE.png draws it$"
    for made, words in ((model(toy_data), said), (model(toy_data, attention="none"), "no attention to look at")):
        with pytest.raises(UserError, match=words):
            made.inspect(lambda: toy_data, text="a b c")
    with pytest.raises(UserError, match="no attention to look at; give a Transformer$"):
        counted.inspect(lambda: toy_data, text="a b c")
    with pytest.raises(UserError, match="has nothing to translate; give it at least one word$"):
        transformer(toy_data).inspect(lambda: toy_data, text=" ")
