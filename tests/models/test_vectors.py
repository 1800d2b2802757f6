import contextlib
import importlib
import io
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch.optim import SGD, Adagrad, Adam

import seqlab
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.models.vectors import WordVectorModel
from seqlab.native import sparse_rows, word_pairs
from seqlab.native.compiler import Native, portable
from seqlab.nn.cbow import CBOWOptions
from seqlab.nn.fasttext import FastTextOptions
from seqlab.nn.glove import GloVeOptions
from seqlab.nn.ppmi import PPMIOptions
from seqlab.nn.skipgram import SkipGramOptions
from seqlab.options import Options
from seqlab.runs.checkpoint import read_checkpoint

HALVES = "red green blue pink grey", "dog cat cow hen pig"
SMALL: dict[str, Options] = {
    "skipgram": SkipGramOptions(embedding_size=8, window=2, subsample=0.0),
    "full": SkipGramOptions(embedding_size=8, window=2, subsample=0.0, objective="full"),
    "cbow": CBOWOptions(embedding_size=8, window=2, subsample=0.0),
    "fasttext": FastTextOptions(embedding_size=8, window=2, subsample=0.0, buckets=300),
    "ppmi": PPMIOptions(embedding_size=8, window=2),
    "glove": GloVeOptions(embedding_size=8, window=2, epochs=200, learning_rate=0.5),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of colours and animals, each among its own kind."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("corpus") / "kinds.txt"
    lines = [" ".join(rng.choice(HALVES[line % 2].split(), 12)) for line in range(300)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def data(corpus: Path, **options: Any) -> TextData:
    return TextData(str(corpus), **{"tokens": "word", "batch_size": 4, "num_steps": 64, **options})


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    names = "enable_checkpointing", "enable_progress_bar", "enable_model_summary"
    quiet: dict[str, Any] = {**dict.fromkeys(names, False), "logger": False, "accelerator": "cpu"}
    return pl.Trainer(**{**quiet, "max_epochs": epochs, "num_sanity_val_steps": 0, **options})


def model(text: TextData, options: Options, optimizer: Any = partial(Adagrad, lr=0.3)) -> WordVectorModel:
    torch.manual_seed(0)
    return WordVectorModel(options, text.codecs, optimizer)


@pytest.mark.parametrize("kind", SMALL)
def test_words_of_one_kind_become_neighbours(kind: str, corpus: Path) -> None:
    text = data(corpus)
    learned = model(text, SMALL[kind])
    before = learned.evaluate(text, "val")
    trainer(6).fit(learned, text)
    after = learned.evaluate(text, "val")
    assert after.loss < before.loss
    assert after.measures["auc"] > 0.6 > before.measures["auc"]
    for half in HALVES:
        for near in learned.predict(half.split(), neighbours=4):
            assert {*near.neighbours} | {near.query} == {*half.split()}, near


def test_validation_under_a_trainer_is_what_evaluate_says(corpus: Path) -> None:
    text = data(corpus)
    learned, runner = model(text, SMALL["skipgram"]), trainer(1)
    runner.fit(learned, text)
    report = learned.evaluate(text, "val", items=True)
    assert float(runner.callback_metrics["val/loss"]) == pytest.approx(report.loss)
    assert float(runner.callback_metrics["val/auc"]) == pytest.approx(report.measures["auc"])
    assert sum(report.items["pairs"]) == report.count
    resampled = learned.measures["auc"].resampled
    assert resampled is not None
    columns = {name: np.array(values) for name, values in report.items.items()}
    assert resampled(columns, np.ones((1, len(columns["pairs"]))))[0] == pytest.approx(report.measures["auc"])


def test_the_same_seed_gives_the_same_vectors(corpus: Path) -> None:
    text, found = data(corpus), []
    for _ in range(2):
        learned = model(text, SMALL["skipgram"])
        trainer(1).fit(learned, text)
        found.append(learned.network.vectors())
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["skipgram", "cbow", "fasttext"])
@pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
def test_vectors_do_not_depend_on_the_number_of_threads(
    kind: str, corpus: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (word_pairs, sparse_rows):
        monkeypatch.setattr(module, "EACH", 1)
    text, found = data(corpus), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        learned = model(text, SMALL[kind])
        trainer(1).fit(learned, text)
        found.append(learned.network.vectors())
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_sparse_gradients_are_clipped_by_their_norm(corpus: Path) -> None:
    text = data(corpus)
    moved = []
    for clip in (None, 1e-4):
        learned = model(text, SMALL["skipgram"], partial(SGD, lr=1.0))
        before = learned.network.context_embedding.weight.detach().clone()
        trainer(1, limit_train_batches=1, gradient_clip_val=clip).fit(learned, text)
        moved.append(float((learned.network.context_embedding.weight.detach() - before).norm()))
    assert moved[0] > 1e-3
    assert moved[1] == pytest.approx(1e-4, rel=1e-2)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (partial(Adam, lr=0.1), "the optimizer adam does not take the sparse gradients .* give adagrad or sgd"),
        (partial(SGD, lr=0.1, momentum=0.9), r"--optimizer\.momentum is not for the sparse gradients"),
        (partial(Adagrad, weight_decay=0.1), r"--optimizer\.weight_decay is not for the sparse gradients"),
    ],
)
def test_optimizers_that_take_no_sparse_gradients_are_refused(optimizer: Any, words: str, corpus: Path) -> None:
    text = data(corpus)
    with pytest.raises(UserError, match=words):
        model(text, SMALL["skipgram"], optimizer).configure_optimizers()
    assert model(text, SMALL["full"], optimizer).configure_optimizers() is not None


def test_unseen_words_have_vectors_of_their_parts(corpus: Path) -> None:
    text = data(corpus)
    learned = model(text, SMALL["fasttext"])
    trainer(6).fit(learned, text)
    seen, unseen = learned.predict(["dog", "Greenish - dog"], neighbours=3)
    assert seen.unseen == ""
    assert unseen.unseen == "Greenish"
    assert "dog" not in unseen.neighbours
    assert str(unseen).endswith(" (unseen, by its parts: Greenish)")
    assert next(iter(learned.predict(["greeny"], neighbours=1))).neighbours.keys() <= {*HALVES[0].split()}
    with pytest.raises(UserError, match="is none of the 10 words with a vector"):
        [*model(text, SMALL["skipgram"]).predict(["greeny"])]


def test_the_loss_of_the_validation_part_is_told_after_each_pass(corpus: Path) -> None:
    text = data(corpus)
    learned = model(text, GloVeOptions(embedding_size=8, window=2, epochs=30, learning_rate=0.5))
    trainer(1).fit(learned, text)
    assert len(learned.passes) == 30
    assert learned.passes[-1] < learned.passes[0]
    assert learned.passes[-1] == pytest.approx(learned.evaluate(text, "val").loss)
    assert learned.remarks({})[0].endswith(f", {learned.passes[-1]:.4f}")


@pytest.mark.parametrize("kind", ["skipgram", "fasttext", "ppmi"])
def test_plain_torch_says_that_digits_may_differ(kind: str, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = model(data(corpus), SMALL[kind])
    assert bool(learned.remarks({})) == (kind != "ppmi" and portable().library is None)
    monkeypatch.setattr(sparse_rows, "portable", lambda: Native(None))
    said = learned.remarks({})
    assert said == [] if kind == "ppmi" else "on another number of threads" in said[0]


def test_phrases_are_asked_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"{n % 31} new york {n % 30}\n" for n in range(120)), encoding="utf-8")
    text = data(tmp_path / "a.txt", phrases=1, phrase_threshold=2.0, num_steps=16)
    learned = model(text, SMALL["ppmi"])
    learned.count(text)
    first, second = learned.predict(["new york", "new_york"], neighbours=2)
    assert first.query == "new york"
    assert first.neighbours == second.neighbours
    with pytest.raises(UserError, match="'york' is none of the"):
        [*learned.predict(["york"])]


def test_a_text_without_words_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one " * 200, encoding="utf-8")
    with pytest.raises(UserError, match="word vectors need two words"):
        model(data(file), SMALL["ppmi"])


FIT = ("--data", "text", "--model.embedding_size", "8", "--model.window", "2", "--trainer.accelerator", "cpu")
BEST = "lightning_logs/{}/checkpoints/best.ckpt"


def run(verb: str, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = importlib.import_module(f"seqlab.{verb}").main([*words])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def fitted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of two fits, and what they said."""
    folder, said = tmp_path_factory.mktemp("fitted"), {}
    options = {"skipgram": ("--optimizer.lr", "0.3", "--model.subsample", "0", "--data.batch_size", "4"), "ppmi": ()}
    with contextlib.chdir(folder):
        for name, more in options.items():
            given = ("--model", name, *FIT, "--data.path", str(corpus), "--data.num_steps", "64", *more, "--run", name)
            epochs = ("--trainer.max_epochs", "3") if name == "skipgram" else ()
            code, said[name], err = run("fit", *given, *epochs)
            assert code == 0, err
    return folder, said


def test_fit_reads_words_and_says_neighbours_and_the_bar(fitted: tuple[Path, dict[str, str]]) -> None:
    folder, said = fitted
    recipe = read_checkpoint(folder / BEST.format("skipgram"))["seqlab"]["data"]
    assert (recipe["tokens"], recipe["min_freq"]) == ("word", 5)
    assert "best validation AUC" in said["skipgram"]
    assert "The bar to beat, ppmi: validation AUC" in said["skipgram"]
    assert "python -m seqlab.predict" in said["skipgram"]


def test_predict_answers_analogies_and_refuses_unknown_words(fitted: tuple[Path, dict[str, str]]) -> None:
    with contextlib.chdir(fitted[0]):
        path = BEST.format("skipgram")
        Path("asked.txt").write_text("dog\nred - dog + cat\n", encoding="utf-8")
        code, out, _ = run("predict", path, "--input", "asked.txt", "--neighbours", "2")
        assert code == 0
        first, second = out.splitlines()
        assert {pair.split()[0] for pair in first.split(", ")} < {*HALVES[1].split()}
        assert len(second.split(", ")) == 2
        code, out, err = run("predict", path, "dogg")
        assert (code, out) == (2, "")
        assert "'dogg' is none of the 10 words with a vector: did you mean 'dog'?" in err


def test_evaluate_asks_analogies_and_similarity(fitted: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(": kinds\nred green dog cat\nred green dog king\n", encoding="utf-8")
    (tmp_path / "s.txt").write_text("dog\tcat\t9\nred\tblue\t8\ndog\tred\t1\ncow\tpink\t2\n", encoding="utf-8")
    asked = ("--analogies", str(tmp_path / "q.txt"), "--similarity", str(tmp_path / "s.txt"))
    with contextlib.chdir(fitted[0]):
        code, out, _ = run("evaluate", BEST.format("ppmi"), *asked)
        assert code == 0
        assert "right of 1 covered, of 2" in out
        assert "over 4 covered, of 4" in out
        report = seqlab.evaluate(BEST.format("ppmi"), similarity=asked[3])
        assert report.similarity.spearman > 0.7
        assert report.analogies is None
        code, _, err = run("evaluate", BEST.format("ppmi"), "--analogies", "nothing")
        assert code == 2
        assert "cannot read nothing" in err


@pytest.mark.parametrize("format", ["word2vec", "word2vec_binary", "glove"])
def test_what_is_exported_begins_other_tasks(
    format: str, fitted: tuple[Path, dict[str, str]], corpus: Path, tmp_path: Path
) -> None:
    file = str(tmp_path / "vectors")
    with contextlib.chdir(fitted[0]):
        code, out, _ = run("export", BEST.format("ppmi"), "--format", format, "--output", file)
        assert (code, out) == (0, f"wrote {file}\n")
        space = seqlab.load(BEST.format("ppmi")).space()
    text = data(corpus)
    options = importlib.import_module("seqlab.nn.language_network").LanguageOptions(
        "gru", 4, embedding_size=8, vectors=file
    )
    begun = importlib.import_module("seqlab.models.language").LanguageModel(options, text.codecs)
    assert begun.loaded == [f"vectors of 10 of {len(text.codec.vocab)} tokens from vectors"]
    row = begun.network.embedding.weight[text.codec.vocab["dog"]]
    torch.testing.assert_close(row.detach(), space.vectors[space.rows["dog"]])


def test_a_run_that_was_broken_off_goes_on_as_if_it_had_not_been(corpus: Path, tmp_path: Path) -> None:
    given = (
        *FIT,
        "--model",
        "skipgram",
        "--data.path",
        str(corpus),
        "--data.num_steps",
        "64",
        "--data.batch_size",
        "4",
    )
    with contextlib.chdir(tmp_path):
        for name, steps in (("whole", "16"), ("part", "9")):
            assert run("fit", *given, "--trainer.max_steps", steps, "--run", name, "--bar", "none")[0] == 0
        last = "lightning_logs/part/checkpoints/last.ckpt"
        assert run("fit", "--ckpt_path", last, "--trainer.max_steps", "16")[0] == 0
        whole, part = (read_checkpoint(f"lightning_logs/{name}/checkpoints/last.ckpt") for name in ("whole", "part"))
    assert whole["global_step"] == part["global_step"] == 16
    for name, weights in whole["state_dict"].items():
        torch.testing.assert_close(part["state_dict"][name], weights, rtol=0, atol=0)


def test_inspect_draws_words_and_says_which_neighbours_runs_share(
    fitted: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    runs = BEST.format("skipgram"), BEST.format("ppmi")
    with contextlib.chdir(fitted[0]):
        code, out, err = run("inspect", *runs, "--words", "dog,red", "--neighbours", "4", "--output", str(tmp_path))
        assert code == 0, err
        shared = out[out.index("neighbours over 2 runs") :].splitlines()
        assert shared[1].split()[0] == "dog"
        assert all(f"{word} 2/2" in shared[1] for word in HALVES[1].split() if word != "dog")
        assert shared[1].endswith("overlap of two runs 100%")
        assert {path.name for path in tmp_path.iterdir()} == {"skipgram-words.png", "ppmi-words.png"}
        code, out, err = run("inspect", BEST.format("ppmi"), "--words", "dogg")
        assert (code, out) == (2, "")
        assert "did you mean 'dog'?" in err
        assert "neighbours over" not in run("inspect", BEST.format("ppmi"))[1]


def test_five_sentences_are_learned_in_a_moment(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "experiments" / "five_sentences-skipgram.yaml"
    with contextlib.chdir(tmp_path):
        code, out, err = run("fit", "--config", str(recipe), "--run", "five", "--watch", "none")
        assert code == 0, err
        near = {one.query: [*one.neighbours] for one in seqlab.predict("lightning_logs/five", ["machine", "learning"])}
    assert near["machine"][0] == "deep"
    assert len(near["learning"]) == 10
