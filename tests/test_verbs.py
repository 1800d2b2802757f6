import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from served import Served

import seqlab
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]

SAMPLE_RUN = (
    *("--data.batch_size", "4", "--data.num_steps", "8", "--data.max_tokens", "2000", "--model.hidden_size", "16"),
    *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
)
STEPS = 62
"""Of an epoch of that run."""
STORY_STEPS = 19
"""Of an epoch on the story."""


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = read_checkpoint(path)["state_dict"]
    return weights


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights_of(one), weights_of(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def newest(folder: Path) -> Path:
    """The run whose configuration was written last."""
    return max((folder / "lightning_logs").iterdir(), key=lambda run: (run / "config.yaml").stat().st_mtime_ns)


@pytest.fixture(scope="module")
def sample_fit(forked: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder in which ``python -m seqlab.fit`` trained where no corpus can be had, and what it said."""
    folder = tmp_path_factory.mktemp("sample")
    finished = forked("seqlab.fit", *SAMPLE_RUN, cwd=folder)
    assert finished.code == 0, finished.err
    return folder, finished


class TestOnTheBundledSample:
    """Verbs with neither corpora nor network, one of each way to call them as a process of its own."""

    def test_fit_says_loudly_that_it_is_not_the_corpus(self, sample_fit: tuple[Path, Any]) -> None:
        _, finished = sample_fit
        assert re.search(r"^!!! .*The Time Machine is not here.*SAMPLE", finished.err, re.MULTILINE)
        assert re.search(
            r"^!!! Reason: cannot download time_machine from .*: no connection", finished.err, re.MULTILINE
        )
        assert "Traceback" not in finished.err

    def test_the_sample_is_named_wherever_numbers_are(self, sample_fit: tuple[Path, Any]) -> None:
        folder, finished = sample_fit
        (run,) = (folder / "lightning_logs").iterdir()
        assert run.name.startswith("gru-sample")
        assert re.search(r"on sample: 2,000 tokens", finished.out)
        assert read_checkpoint(run / "checkpoints" / "last.ckpt")["seqlab"]["corpus"] == "sample"
        events = b"".join(path.read_bytes() for path in run.glob("events*"))
        assert b"sample" in events
        assert b"corpus" in events

    def test_fit_ends_with_text_and_the_next_commands(self, sample_fit: tuple[Path, Any]) -> None:
        folder, finished = sample_fit
        assert re.search(rf"Done in \d+ s, {STEPS} steps: .*best validation perplexity \d", finished.out)
        assert "\nthe keeper" in finished.out
        checkpoint = re.search(r"python -m seqlab.generate (\S+)", finished.out)
        assert checkpoint is not None
        assert (folder / checkpoint.group(1)).is_file()
        assert re.search(r"tensorboard --logdir lightning_logs", finished.out)

    def test_evaluate(self, sample_fit: tuple[Path, Any], verb: Command, corpusless: None) -> None:
        folder, _ = sample_fit
        checkpoint = newest(folder) / "checkpoints" / "best.ckpt"
        finished = verb("evaluate", str(checkpoint), "--split", "val")
        assert finished.code == 0, finished.err
        assert "The Time Machine is not here" in finished.err
        assert re.search(r"^corpus +sample, val part$", finished.out, re.MULTILINE)
        loss = re.search(r"^loss +(\d+\.\d{4}) nats per token$", finished.out, re.MULTILINE)
        assert loss is not None
        best = next(
            s["best_model_score"] for s in read_checkpoint(checkpoint)["callbacks"].values() if "kth_value" in s
        )
        assert float(loss.group(1)) == pytest.approx(float(best), abs=1e-4)

    def test_generate_as_fit_proposes(self, sample_fit: tuple[Path, Any], forked: Command) -> None:
        folder, finished = sample_fit
        (command,) = re.findall(r"^ *python -m (seqlab.generate .*)$", finished.out, re.MULTILINE)
        spoken = forked(*shlex.split(command), "--num_tokens", "50", cwd=folder)
        assert (spoken.code, spoken.err) == (0, "")
        assert spoken.out.startswith("the keeper")
        assert len(spoken.out) == len("the keeper") + 50 + 1

    def test_resume_goes_on_counting(
        self, sample_fit: tuple[Path, Any], verb: Command, corpusless: None, tmp_path: Path
    ) -> None:
        folder, _ = sample_fit
        run = newest(folder)
        moved = tmp_path / "lightning_logs" / run.name
        shutil.copytree(run, moved)
        options = ["--ckpt_path", "last", "--trainer.max_epochs", "2"]
        finished = verb("fit", *options)
        assert finished.code == 0, finished.err
        assert f"step {STEPS}: training starts" in finished.err
        assert f", {2 * STEPS} steps" in finished.out
        assert [path.name for path in (tmp_path / "lightning_logs").iterdir()] == [run.name]
        assert read_checkpoint(moved / "checkpoints" / "last.ckpt")["global_step"] == 2 * STEPS

    def test_console_script(self, sample_fit: tuple[Path, Any], shell: Command) -> None:
        folder, _ = sample_fit
        checkpoint = str(newest(folder) / "checkpoints" / "best.ckpt")
        program = str(Path(sys.executable).with_name("seqlab"))
        finished = shell("generate", checkpoint, "--prefix", "the", "--num_tokens", "9", program=program, cwd=folder)
        assert (finished.code, finished.err) == (0, "")
        assert len(finished.out) == len("the") + 9 + 1


class TestResume:
    def test_last_equals_an_uninterrupted_run(self, verb: Command, story_root: Path, small: list[str]) -> None:
        story = story_root / "lightning_logs" / "story"
        assert verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "4").code == 0
        assert verb("fit", *small, "--run", "whole", "--trainer.max_epochs", "4").code == 0
        whole = story.with_name("whole") / "checkpoints" / "last.ckpt"
        assert read_checkpoint(whole)["global_step"] == 4 * STORY_STEPS
        assert same_weights(story / "checkpoints" / "last.ckpt", whole)

    def test_dropout_goes_on_where_it_was(self, verb: Command, here: Path, small: list[str]) -> None:
        lossy = [*small, "--model.dropout", "0.3"]
        assert verb("fit", *lossy, "--run", "parts").code == 0
        assert verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2").code == 0
        assert verb("fit", *lossy, "--run", "whole", "--trainer.max_epochs", "2").code == 0
        parts, whole = (here / "lightning_logs" / run / "checkpoints" / "last.ckpt" for run in ("parts", "whole"))
        assert same_weights(parts, whole)

    @pytest.mark.parametrize("form", ["best", "file"])
    def test_best_and_a_file(self, verb: Command, story_root: Path, form: str) -> None:
        best = story_root / "lightning_logs" / "story" / "checkpoints" / "best.ckpt"
        begun = read_checkpoint(best)["global_step"]
        which = "best" if form == "best" else str(best)
        finished = verb("fit", "--ckpt_path", which, "--trainer.max_epochs", "3")
        assert finished.code == 0
        assert f"step {begun}: training starts" in finished.err
        assert read_checkpoint(best.with_name("last.ckpt"))["global_step"] == 3 * STORY_STEPS

    def test_the_newest_run_unless_one_is_named(self, verb: Command, story_root: Path, small: list[str]) -> None:
        assert verb("fit", *small, "--run", "newer").code == 0
        assert "run newer" in verb("fit", "--ckpt_path", "last").out
        assert "run story" in verb("fit", "--ckpt_path", "last", "--run", "story").out

    def test_the_settings_of_the_run_hold(self, verb: Command, story_root: Path) -> None:
        folder = story_root / "lightning_logs" / "story"
        before = yaml.safe_load((folder / "config.yaml").read_text())
        assert verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3").code == 0
        before["trainer"]["max_epochs"] = 3
        assert yaml.safe_load((folder / "config.yaml").read_text()) == before


class TestConfiguration:
    def test_of_a_run_makes_the_run_again(self, verb: Command, here: Path, small: list[str]) -> None:
        options = ["--model", "lstm", "--model.dropout", "0.25", "--optimizer", "sgd", "--optimizer.lr", "0.5"]
        schedule = ["--lr_scheduler", "steplr", "--lr_scheduler.step_size", "3", "--seed", "7"]
        assert verb("fit", *small, *options, *schedule, "--run", "first").code == 0
        first = here / "lightning_logs" / "first"
        assert verb("fit", "--config", str(first / "config.yaml"), "--run", "second").code == 0
        second = first.with_name("second")
        settings = [yaml.safe_load((run / "config.yaml").read_text()) for run in (first, second)]
        assert settings[0] == settings[1]
        assert same_weights(first / "checkpoints" / "last.ckpt", second / "checkpoints" / "last.ckpt")

    def test_printed_is_read_again(self, verb: Command, here: Path, small: list[str]) -> None:
        printed = verb("fit", *small, "--model", "rnn", "--optimizer", "adamw", "--print_config")
        assert (printed.code, printed.err) == (0, "")
        assert yaml.safe_load(printed.out)["model"]["hidden_size"] == 16
        (here / "printed.yaml").write_text(printed.out)
        again = verb("fit", "--config", "printed.yaml", "--print_config")
        assert again == printed
        assert verb("fit", "--config", "printed.yaml", "--run", "again").code == 0
        assert not (here / "lightning_logs" / "printed").exists()

    @pytest.mark.parametrize("order", ["before", "after"])
    def test_the_command_line_wins(self, verb: Command, here: Path, order: str) -> None:
        (here / "given.yaml").write_text("model: {name: lstm, hidden_size: 12}\ntrainer: {max_epochs: 2}\n")
        config, options = ["--config", "given.yaml"], ["--model", "rnn", "--model.hidden_size", "20"]
        words = [*config, *options] if order == "after" else [*options, *config]
        read = yaml.safe_load(verb("fit", *words, "--print_config").out)
        assert (read["model"]["name"], read["model"]["hidden_size"], read["trainer"]["max_epochs"]) == ("rnn", 20, 2)

    def test_the_later_file_wins(self, verb: Command, here: Path) -> None:
        (here / "one.yaml").write_text("model: {name: lstm, hidden_size: 12}\n")
        (here / "two.yaml").write_text("model: {name: rnn, num_layers: 2}\n")
        read = yaml.safe_load(verb("fit", "--config", "one.yaml", "--config", "two.yaml", "--print_config").out)[
            "model"
        ]
        assert (read["name"], read["hidden_size"], read["num_layers"]) == ("rnn", 12, 2)

    def test_another_optimizer_drops_the_options_of_the_one_before(self, verb: Command, here: Path) -> None:
        (here / "given.yaml").write_text("model: lstm\noptimizer: {name: sgd, lr: 1.0, momentum: 0.9}\n")
        kept = yaml.safe_load(verb("fit", "--config", "given.yaml", "--print_config").out)["optimizer"]
        assert (kept["name"], kept["lr"], kept["momentum"]) == ("sgd", 1.0, 0.9)
        read = yaml.safe_load(verb("fit", "--config", "given.yaml", "--optimizer", "adam", "--print_config").out)
        assert (read["model"]["name"], read["optimizer"]["name"], read["optimizer"]["lr"]) == ("lstm", "adam", 0.002)

    @pytest.mark.parametrize("words", [["--model", "LSTM"], ["--model=lstm"], ["--model.name", "lstm"]])
    def test_ways_to_choose(self, verb: Command, words: list[str]) -> None:
        assert yaml.safe_load(verb("fit", *words, "--print_config").out)["model"]["name"] == "lstm"


class TestRunFolder:
    def test_names_say_what_differs(self, verb: Command, here: Path, small: list[str]) -> None:
        for _ in range(2):
            assert verb("fit", *small, "--trainer.limit_train_batches", "2").code == 0
        first, second = sorted(path.name for path in (here / "lightning_logs").iterdir())
        assert first.startswith("gru-story")
        assert "hidden_size=16" in first
        assert second == f"{first}-2"

    def test_holds_all_of_a_run(self, story_run: Path) -> None:
        assert {"best.ckpt", "last.ckpt"} == {path.name for path in (story_run / "checkpoints").iterdir()}
        assert (story_run / "config.yaml").is_file()
        assert list(story_run.glob("events.out.tfevents.*"))

    def test_fast_dev_run_keeps_nothing(self, verb: Command, here: Path, small: list[str]) -> None:
        finished = verb("fit", *small, "--trainer.fast_dev_run", "true")
        assert finished.code == 0
        assert ", 1 steps" in finished.out
        assert not list(here.iterdir())

    @pytest.mark.parametrize("steps", [12, STORY_STEPS + 12])
    def test_max_steps_within_an_epoch(self, verb: Command, here: Path, small: list[str], steps: int) -> None:
        limits = ["--trainer.max_epochs", "9", "--trainer.max_steps", str(steps)]
        finished = verb("fit", *small, *limits, "--run", "short")
        assert finished.code == 0
        assert f", {steps} steps" in finished.out
        assert read_checkpoint(here / "lightning_logs" / "short" / "checkpoints" / "last.ckpt")["global_step"] == steps

    def test_epochs_without_validation(self, verb: Command, here: Path, small: list[str]) -> None:
        rare = ["--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "5", "--run", "rare"]
        assert verb("fit", *small, *rare).code == 0
        last = here / "lightning_logs" / "rare" / "checkpoints" / "last.ckpt"
        assert read_checkpoint(last)["global_step"] == 2 * STORY_STEPS

    def test_patience(self, verb: Command, small: list[str]) -> None:
        still = [*small, "--optimizer", "sgd", "--optimizer.lr", "1e-12", "--trainer.max_epochs", "5"]
        assert f", {3 * STORY_STEPS} steps" in verb("fit", *still, "--patience", "2").out
        assert f", {5 * STORY_STEPS} steps" in verb("fit", *still, "--patience", "null").out


class TestEvaluate:
    def test_order_of_the_words(self, verb: Command, story_run: Path) -> None:
        checkpoint = str(story_run / "checkpoints" / "best.ckpt")
        after, before = (
            verb("evaluate", *words) for words in ([checkpoint, "--split", "val"], ["--split", "val", checkpoint])
        )
        assert (after.code, before.code) == (0, 0), before.err
        assert re.sub("time .*", "", after.out) == re.sub("time .*", "", before.out)

    def test_another_text(self, verb: Command, story_run: Path, here: Path) -> None:
        (here / "other.txt").write_text("The dog sat in the garden.\n" * 40, encoding="utf-8")
        checkpoint = str(story_run / "checkpoints" / "best.ckpt")
        own = verb("evaluate", checkpoint)
        other = verb("evaluate", checkpoint, "--data", "text", "--data.path", "other.txt")
        assert re.search("^corpus +story, test part", own.out, re.MULTILINE)
        assert re.search("^corpus +other, whole", other.out, re.MULTILINE)
        assert "1,079 tokens, each once" in other.out
        assert seqlab.evaluate(checkpoint, data={"name": "text", "path": "other.txt"}).split == "whole"

    @pytest.mark.parametrize("asked", ["--split test", "--data.test_fraction 0.1", "--data.val_fraction=0.05"])
    def test_of_another_text_a_part_where_one_is_asked_for(
        self, asked: str, verb: Command, story_run: Path, here: Path
    ) -> None:
        (here / "other.txt").write_text("The dog sat in the garden.\n" * 40, encoding="utf-8")
        checkpoint = str(story_run / "checkpoints" / "best.ckpt")
        out = verb("evaluate", checkpoint, "--data", "text", "--data.path", "other.txt", *asked.split()).out
        assert re.search("^corpus +other, test part", out, re.MULTILINE)

    def test_counts_each_token_once(self, verb: Command, story_run: Path) -> None:
        checkpoint = str(story_run / "checkpoints" / "best.ckpt")
        for streams in ("1", "4"):
            out = verb("evaluate", checkpoint, "--data.eval_streams", streams).out
            assert "269 tokens, each once (3 of them <unk>), standing for 269 characters" in out
            assert f"carried through {streams} stream" in out


class TestGenerate:
    def test_a_seed_is_a_text(self, verb: Command, story_run: Path) -> None:
        def texts(*options: str) -> str:
            prefix = ["--prefix", "the", "--num_tokens", "40"]
            finished = verb("generate", str(story_run / "checkpoints" / "best.ckpt"), *prefix, *options)
            assert (finished.code, finished.err) == (0, "")
            return str(finished.out)

        assert texts("--seed", "3") == texts("--seed", "3")
        assert texts("--seed", "3") != texts("--seed", "4")
        both = texts("--seed", "3", "--num_samples", "2")
        assert both == f"{texts('--seed', '3')}\n{texts('--seed', '4')}"
        greedy = texts("--temperature", "0")
        assert greedy == texts("--top_k", "1", "--seed", "9") == texts("--top_p", "1e-9", "--seed", "8")
        assert greedy != texts("--temperature", "2")


STOPS = {"SIGINT": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}


@pytest.mark.parametrize("name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_signal_leaves_a_checkpoint_and_the_way_on(
    name: str, served: Served, verb: Command, here: Path, small: list[str]
) -> None:
    number, code = STOPS[name]
    elsewhere = ["--trainer.default_root_dir", "my runs"] if name == "SIGTERM" else []
    endless = [*small, "--trainer.max_epochs", "100000", "--patience", "null", "--run", "stopped", *elsewhere]
    log = here / "log"
    with log.open("wb") as file:
        process = served.start("seqlab.fit", *endless, cwd=here, output=file.fileno())
    while "training starts" not in log.read_text():
        time.sleep(0.02)
    os.kill(process.pid, number)
    assert process.wait() == code
    out = log.read_text()
    assert "Traceback" not in out
    stopped = re.search(rf"Stopped by {name} after step (\d+)\. Go on with:\n +python -m seqlab\.fit (.*)\n", out)
    assert stopped is not None, out
    step, command = int(stopped.group(1)), shlex.split(stopped.group(2))
    checkpoints = here / (elsewhere or ["", "."])[1] / "lightning_logs" / "stopped" / "checkpoints"
    assert read_checkpoint(checkpoints / "last.ckpt")["global_step"] == step

    epochs = ["--trainer.max_epochs", str(step // STORY_STEPS + 1)]
    finished = verb("fit", *command, *epochs)
    assert finished.code == 0, finished.err
    assert f"step {step}: training starts" in finished.err
    assert read_checkpoint(checkpoints / "last.ckpt")["global_step"] == int(epochs[1]) * STORY_STEPS

    assert verb("fit", *small, *epochs, "--run", "whole").code == 0
    assert same_weights(checkpoints / "last.ckpt", here / "lightning_logs" / "whole" / "checkpoints" / "last.ckpt")


def test_another_text_brings_its_own_held_out_parts(verb: Command, small: list[str], here: Path) -> None:
    for name, words in (("a", "to be or not to be "), ("v", "that is the question "), ("o", "whether it is nobler ")):
        (here / f"{name}.txt").write_text(f"{words}\n" * 40)
    files = ["--data.path", "a.txt", "--data.val_path", "v.txt", "--data.test_path", "v.txt", "--run", "held"]
    assert verb("fit", *small, *files).code == 0
    ckpt = "lightning_logs/held/checkpoints/best.ckpt"
    own, other, alone = (
        verb("evaluate", ckpt, *options).out.splitlines()
        for options in ([], ["--data.path", "o.txt"], ["--data.path", "o.txt", "--split", "train"])
    )
    assert own[0].split()[1:] == [f"{here.name},", "test", "part"]
    assert other[0].split()[1:] == ["o,", "whole"]
    assert other[1] != own[1]
    assert alone[1] != own[1]


def test_a_configuration_may_be_a_pipe(verb: Command) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"trainer: {max_epochs: 7}\n")
    os.close(writing)
    assert "  max_epochs: 7\n" in verb("fit", "--config", f"/dev/fd/{reading}", "--print_config").out
    os.close(reading)


def test_a_run_s_folder_is_taken_for_its_best_checkpoint(story_root: Path, verb: Command) -> None:
    folder = str(story_root / "lightning_logs" / "story")
    for name, *options in (
        ("evaluate", "--split", "val"),
        ("generate", "--num_tokens", "9"),
        ("inspect", "--text", "the dog runs. " * 9),
    ):
        of_folder, of_file = (verb(name, path, *options) for path in (folder, f"{folder}/checkpoints/best.ckpt"))
        assert of_folder.code == 0, of_folder.err
        assert re.sub(r"time .*", "", of_folder.out) == re.sub(r"time .*", "", of_file.out)
    assert torch.equal(
        seqlab.load(folder).network.output.weight, seqlab.load(f"{folder}/checkpoints/best.ckpt").network.output.weight
    )
    assert verb("evaluate", str(story_root)).err.endswith("give a run's folder, or a file such as best.ckpt\n")
