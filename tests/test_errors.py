import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seqlab.runs.checkpoint import read_checkpoint

Refusal = Callable[..., str]

FIT: dict[str, tuple[str, str]] = {
    "model": ("--model gruu", r"unknown model 'gruu': did you mean 'gru'\?"),
    "model with letters swapped": ("--model gur", r"unknown model 'gur': did you mean 'gru'\?"),
    "model far off": (
        "--model diffusion",
        "unknown model 'diffusion': choose one of .*gru, gru_before, .*",
    ),
    "model without a name": ("--model", "--model '' is empty; give it a value, or leave it out"),
    "data": ("--data time_mahcine", r"unknown data 'time_mahcine': did you mean 'time_machine'\?"),
    "optimizer": ("--optimizer adm", r"unknown optimizer 'adm': did you mean 'adam'\?"),
    "scheduler": ("--lr_scheduler steplrr", r"unknown lr_scheduler 'steplrr': did you mean 'steplr'\?"),
    "scheduler of functions": ("--lr_scheduler lambdalr", "unknown lr_scheduler 'lambdalr': .*"),
    "option of the model": (
        "--model.hiden_size 3",
        r"unknown option --model.hiden_size: did you mean '--model.hidden_size'\?; --help_all lists them",
    ),
    "option of the data": ("--data.num_step 3", r"unknown option --data.num_step: did you mean '--data.num_steps'\?.*"),
    "option of the trainer": (
        "--trainer.max_epoch 3",
        r"unknown option --trainer.max_epoch: did you mean '--trainer.max_epochs'\?; .*",
    ),
    "option of the optimizer": (
        "--optimizer.lrr 3",
        r"unknown option --optimizer.lrr: did you mean '--optimizer.lr'\?; .*",
    ),
    "option of the scheduler": (
        "--lr_scheduler steplr --lr_scheduler.step_size 2 --lr_scheduler.gama 0.1",
        r"unknown option --lr_scheduler.gama: did you mean '--lr_scheduler.gamma'\?; .*",
    ),
    "option alone": ("--sed 3", r"unknown option --sed: did you mean '--seed'\?; .*"),
    "abbreviation": ("--model.hidden 3", r"unknown option --model.hidden: did you mean '--model.hidden_size'\?; .*"),
    "word too many": ("extra", "'extra' is one argument too many; give options as --name value"),
    "number": (
        "--model.hidden_size big",
        r"--model.hidden_size does not take 'big': it takes a whole number or a list such as \[2,3\]",
    ),
    "fraction": ("--model.dropout much", "--model.dropout does not take 'much': it takes a number"),
    "switch": ("--model.tied perhaps", r"--model.tied does not take 'perhaps': it takes true or false"),
    "choice": (
        "--data.sampling sequential",
        "--data.sampling does not take 'sequential': choose one of contiguous, random",
    ),
    "precision": ("--trainer.precision bf17", r"--trainer.precision does not take 'bf17': did you mean 'bf16.*"),
    "switch or a word": (
        "--trainer.deterministic yess",
        "--trainer.deterministic does not take 'yess': it takes true, false, warn or null",
    ),
    "seed": ("--seed one", "--seed does not take 'one': it takes a whole number"),
    "negative seed": ("--seed -1", r"--seed -1 must be at least 0 and below 2\*\*32"),
    "required by the scheduler": ("--lr_scheduler steplr", "--lr_scheduler.step_size is required; --help says .*"),
    "refused by the optimizer": ("--optimizer.lr -1", "the optimizer or its schedule refuses .* learning rate: -1.*"),
    "refused by the scheduler": (
        "--lr_scheduler onecyclelr --lr_scheduler.max_lr 0.1 --lr_scheduler.pct_start 2",
        "the optimizer or its schedule refuses its options: .*pct_start.*",
    ),
    "warm-up longer than the run": (
        "--lr_scheduler warmupcosinelr --lr_scheduler.warmup_steps 100000",
        "--lr_scheduler.warmup_steps 100000 must be at least 0 and below total_steps 19",
    ),
    "plateau without validation": (
        "--lr_scheduler reducelronplateau --data.val_fraction 0",
        ".*reducelronplateau.*val.*",
    ),
    "bidirectional": (
        "--model.bidirectional true",
        ".*would read the tokens that it has to predict; leave out.*",
    ),
    "tied": (
        "--model.tied true --model.embedding_size 8",
        r"tied weights need embedding_size \(8\) equal to hidden_size \(16\); give --model.embedding_size 16 or .*",
    ),
    "dropout": ("--model.dropout 1.5", "--model.dropout 1.5 must be at least 0 and below 1"),
    "hidden_size": ("--model.hidden_size 0", r"--model.hidden_size 0 must be a whole number of at least 1, or .*"),
    "num_layers": ("--model.num_layers 0", "--model.num_layers 0 must be a whole number of at least 1"),
    "init": ("--model.init xavierr", r"unknown init 'xavierr': did you mean 'xavier'\?"),
    "forget_bias": ("--model.forget_bias 1", "forget_bias 1.0 needs a cell with a forget gate .*"),
    "widths": (
        "--model.hidden_size [16,8] --model.connections residual",
        r"residual connections need layers of one width, not \[16, 8\]",
    ),
    "option of another cell": (
        "--model.nonlinearity relu",
        "nonlinearity is a cell of its own; give --model rnn_relu",
    ),
    "backend": (
        "--model mgu --model.backend torch",
        "--model.backend torch does not have this MGU; choose one of auto, reference, scan",
    ),
    "backend by another name": ("--model.backend cuda", "--model.backend does not take 'cuda': .*"),
    "missing vectors": (
        "--model.vectors nowhere.txt",
        "cannot read nowhere.txt: no such file or directory; name a file of vectors",
    ),
    "l1": ("--model.l1 -1", "--model.l1 -1.0 must be at least 0"),
    "tokens": ("--data.tokens chars", r"unknown tokens 'chars'. did you mean 'char'\?"),
    "cleaning": (
        "--data.cleaning bookish",
        "unknown cleaning 'bookish'. choose one of classic, letters, lower, raw, spaced",
    ),
    "batch_size": ("--data.batch_size 0", "--data.batch_size 0 must be a whole number of at least 1"),
    "fractions": ("--data.val_fraction 0.9", "--data.val_fraction 0.9 and test_fraction 0.1 .* and sum below 1"),
    "too little text": (
        "--data.batch_size 4000",
        "the training text has 2,477 tokens, but one batch of batch_size 4000 x num_steps 16 needs at least 64,016; "
        "lower --data.batch_size or --data.num_steps, or give more text",
    ),
    "too few tokens": (
        "--data.max_tokens 20",
        "the training text has 20 tokens, but one batch of .* needs at least 144.*",
    ),
    "missing text": (
        "--data.path nowhere.txt",
        "cannot read nowhere.txt: no such file or directory; name an existing text file with --data.path",
    ),
    "missing test text": ("--data.test_path nowhere.txt", "cannot read nowhere.txt: no such file or directory; .*"),
    "accelerator": ("--trainer.accelerator tpux", "the trainer refuses its options: .*accelerator.*tpux.*"),
    "strategy": ("--trainer.strategy ddpp", "--trainer.strategy does not take 'ddpp', .*; choose one of auto, ddp, .*"),
    "strategy that cuts weights": (
        "--trainer.strategy fsdp",
        "--trainer.strategy does not take 'fsdp', only what starts its processes as commands and keeps weights whole; "
        "choose one of auto, ddp, single_device",
    ),
    "strategy that spawns": (
        "--trainer.strategy ddp_spawn --trainer.devices 2",
        "--trainer.strategy does not take 'ddp_spawn', .*; choose one of auto, ddp, single_device",
    ),
    "clipping at no number": ("--trainer.gradient_clip_val .nan", ".*gradient_clip_val nan.*"),
    "accumulation of nothing": ("--trainer.accumulate_grad_batches 0", ".*accumulate_grad_batches 0 must be.*"),
    "log entries at no step": ("--trainer.log_every_n_steps 0", ".*log_every_n_steps 0 must be.*"),
    "validation at no epoch": ("--trainer.check_val_every_n_epoch 0", ".*check_val_every_n_epoch 0 must be.*"),
    "validation after the epoch": (
        "--trainer.val_check_interval 1000",
        "--trainer.val_check_interval 1000 must be at most the 19 batches of an epoch; give .* null .*",
    ),
    "nothing but <unk>": (
        "--data.tokens word --data.min_freq 100000",
        "all tokens of 'story' are <unk>; lower --data.min_freq 100000",
    ),
    "share that is no number": ("--data.val_fraction .nan", ".*val_fraction nan.*"),
    "weights of half precision": (
        "--trainer.precision bf16-true",
        "--trainer.precision does not take 'bf16-true', .*; give bf16-mixed",
    ),
    "device without float64": ("--trainer.accelerator mps", "--trainer.accelerator does not take mps: .*; give cpu"),
    "schedule without an end": (
        "--lr_scheduler warmupcosinelr --trainer.max_epochs -1",
        "warmupcosinelr must know how long training takes; give --trainer.max_epochs, .*",
    ),
    "max_time": ("--trainer.max_time tomorrow", "the trainer refuses its options: .*tomorrow.*DD:HH:MM:SS.*"),
    "negative clipping": ("--trainer.gradient_clip_val -1", ".*gradient_clip_val -1.*"),
    "configuration": (
        "--config nowhere.yaml",
        "cannot read the configuration nowhere.yaml: no such file or directory; give --config an existing file",
    ),
    "no runs": ("--ckpt_path last", "no run under .*lightning_logs has a checkpoint 'last'; train one with .*"),
    "checkpoint": (
        "--ckpt_path nowhere.ckpt",
        "there is no checkpoint file 'nowhere.ckpt'; give last, best, a run's folder or the path of a .ckpt file",
    ),
    "checkpoint of the web": (
        "--ckpt_path http://127.0.0.1:9/a.ckpt",
        "there is no checkpoint file 'http://.*; give .*",
    ),
    "run outside of the runs": ("--run ../elsewhere", ".*'../elsewhere'.*"),
    "root that is no folder": (f"--trainer.default_root_dir {__file__}", f".*{re.escape(Path(__file__).name)}.*"),
}


@pytest.mark.parametrize("case", FIT)
def test_fit(case: str, refusal: Refusal, small: list[str]) -> None:
    words, expected = FIT[case]
    message = refusal("fit", *small, *words.split())
    assert re.fullmatch(expected, message), message


def test_text_needs_a_path(refusal: Refusal) -> None:
    expected = "--data text needs a text to train on; name a UTF-8 file with --data.path"
    assert refusal("fit", "--data", "text") == expected


def test_text_that_is_not_utf8(refusal: Refusal, small: list[str], here: Path) -> None:
    (here / "latin.txt").write_bytes("fine\nna\u00efve\n".encode("latin-1"))
    message = refusal("fit", *small, "--data.path", "latin.txt")
    assert message == "latin.txt is not UTF-8 text (byte 0xef in line 2); convert it, for example with iconv -t UTF-8"


CONFIGS: dict[str, tuple[str, str]] = {
    "not YAML": ("model: [gru", "given.yaml is not YAML: .*"),
    "a list": ("- gru\n- lstm\n", "given.yaml must hold names and values, such as 'trainer: {max_epochs: 3}'"),
    "a word": ("gru", "given.yaml must hold names and values, .*"),
    "model": ("model: {name: gruu}", r"unknown model 'gruu': did you mean 'gru'\?"),
    "optimizer": ("optimizer: {name: adm}", r"unknown optimizer 'adm': did you mean 'adam'\?"),
    "key": ("model: {hiden_size: 3}", r"unknown option \S*model.hiden_size: did you mean '--model.hidden_size'\?.*"),
    "key of the trainer": (
        "trainer: {max_epoch: 3}",
        r"unknown option \S*trainer.max_epoch: did you mean '--trainer.max_epochs'\?.*",
    ),
    "group": ("modle: {name: gru}", "unknown option --modle.*: did you mean '--model.*"),
    "key alone": ("sed: 3", r"unknown option --sed: did you mean '--seed'\?.*"),
    "value": (
        "trainer: {max_epochs: three}",
        "--trainer.max_epochs does not take 'three': it takes a whole number or null",
    ),
    "short form": ("model: 3", ".*model.*name.*"),
    "trainer that has no options": ("trainer: 3", r"trainer 3 in given.yaml must be options such as .*"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configuration(case: str, refusal: Refusal, small: list[str], here: Path) -> None:
    content, expected = CONFIGS[case]
    (here / "given.yaml").write_text(content)
    message = refusal("fit", *small, "--config", "given.yaml")
    assert re.fullmatch(expected, message), message


def test_an_empty_configuration_changes_nothing(verb: Callable[..., tuple[int, str, str]], here: Path) -> None:
    (here / "empty.yaml").write_text("# all defaults\n")
    assert verb("fit", "--config", "empty.yaml", "--print_config") == verb("fit", "--print_config")


def test_unknown_run(verb: Callable[..., tuple[int, str, str]], story_root: Path) -> None:
    code, _, err = verb("fit", "--ckpt_path", "last", "--run", "stroy")
    assert (code, err) == (
        2,
        "seqlab: run 'stroy' under lightning_logs has no checkpoint 'last': did you mean 'story'?\n",
    )
    assert [path.name for path in (story_root / "lightning_logs").iterdir()] == ["story"]


@pytest.mark.parametrize("options", ["--model.hidden_size 20", "--model lstm", "--data.tokens word"])
def test_a_checkpoint_of_another_model(
    verb: Callable[..., tuple[int, str, str]], story_root: Path, options: str
) -> None:
    code, _, err = verb("fit", "--ckpt_path", "last", *options.split(), "--trainer.max_epochs", "3")
    assert code == 2
    assert err.startswith("seqlab: ")
    assert err.count("\n") == 1
    assert "story" in err
    assert "last.ckpt" in err


@pytest.fixture
def damaged(story_run: Path, tmp_path: Path) -> Path:
    content = (story_run / "checkpoints" / "best.ckpt").read_bytes()
    path = tmp_path / "cut.ckpt"
    path.write_bytes(content[: len(content) // 2])
    return path


BOTH = pytest.mark.parametrize("name", ["evaluate", "generate"])
ALL = pytest.mark.parametrize(("name", "option"), [("evaluate", []), ("generate", []), ("fit", ["--ckpt_path"])])


@ALL
def test_damaged_checkpoint(refusal: Refusal, name: str, option: list[str], damaged: Path) -> None:
    expected = f"{damaged} cannot be read as a checkpoint (damaged or cut short); use another one of the run, such as "
    assert refusal(name, *option, str(damaged)) == f"{expected}best.ckpt or last.ckpt"


@ALL
def test_a_file_that_is_no_checkpoint(refusal: Refusal, name: str, option: list[str], here: Path) -> None:
    torch.save({"state_dict": {}}, here / "other.ckpt")
    expected = "other.ckpt is not a checkpoint of seqlab; use one that python -m seqlab.fit wrote"
    assert refusal(name, *option, "other.ckpt") == expected


@BOTH
def test_no_checkpoint(refusal: Refusal, name: str) -> None:
    assert refusal(name).startswith(f"CKPT is missing; give it as in: python -m seqlab.{name} ")
    assert refusal(name, "nowhere.ckpt") == "there is no checkpoint 'nowhere.ckpt'; python -m seqlab.fit makes one"
    assert refusal(name, "http://127.0.0.1:9/a.ckpt").startswith("there is no checkpoint 'http")


EVALUATE: dict[str, tuple[str, str]] = {
    "split": ("--split tset", r"--split does not take 'tset': did you mean 'test'\?"),
    "data": ("--data time_mahcine", r"unknown data 'time_mahcine': did you mean 'time_machine'\?"),
    "option of the data": ("--data.patth x", r"unknown option --data.patth: did you mean '--data.path'\?; .*"),
    "option without effect": ("--data.batch_size 3", "unknown option --data.batch_size: .*"),
    "text": ("--data.path nowhere.txt", "cannot read nowhere.txt: no such file or directory; .*"),
    "streams": ("--data.eval_streams 100000", "a text of 270 tokens is too short to evaluate in 100000 streams; .*"),
    "device": ("--device gpuu", "device 'gpuu' cannot be used here: .*; give --device cpu"),
    "word too many": ("more", "'more' is one argument too many; give options as --name value"),
}


@pytest.mark.parametrize("case", EVALUATE)
def test_evaluate(case: str, refusal: Refusal, story_run: Path) -> None:
    words, expected = EVALUATE[case]
    message = refusal("evaluate", str(story_run / "checkpoints" / "best.ckpt"), *words.split())
    assert re.fullmatch(expected, message), message


GENERATE: dict[str, tuple[str, str]] = {
    "num_tokens": ("--num_tokens 0", "--num_tokens 0 must be a whole number of at least 1"),
    "num_tokens in words": ("--num_tokens ten", "--num_tokens does not take 'ten': it takes a whole number"),
    "num_samples": ("--num_samples 0", "--num_samples 0 must be a whole number of at least 1"),
    "temperature": ("--temperature -1", "temperature -1.0 must be finite and at least 0 .*"),
    "top_k": ("--top_k 0", "--top_k 0 must be a whole number of at least 1, or left out"),
    "top_p": ("--top_p 1.5", "--top_p 1.5 must be above 0 and at most 1, or left out"),
    "top_p of nothing": ("--top_p 0", "top_p 0.0 must be above 0 and at most 1, or left out"),
    "seed": ("--seed 99999999999999999999", "--seed 99999999999999999999 must be .*"),
    "option": ("--prefx the", r"unknown option --prefx: did you mean '--prefix'\?; --help_all lists them"),
}


@pytest.mark.parametrize("case", GENERATE)
def test_generate(case: str, refusal: Refusal, story_run: Path) -> None:
    words, expected = GENERATE[case]
    message = refusal("generate", str(story_run / "checkpoints" / "best.ckpt"), *words.split())
    assert re.fullmatch(expected, message), message


def test_a_run_is_not_harmed_by_a_failed_resume(verb: Callable[..., tuple[int, str, str]], story_root: Path) -> None:
    folder = story_root / "lightning_logs" / "story"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, *_ = verb("fit", "--ckpt_path", "last", "--data.batch_size", "4000", "--trainer.max_epochs", "3")
    assert code == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 38


@pytest.mark.slow
def test_bad_option_as_a_process(shell: Callable[..., tuple[int, str, str]], small: list[str], tmp_path: Path) -> None:
    code, out, err = shell("-m", "seqlab.fit", *small, "--data.batch_size", "4000", cwd=tmp_path)
    assert code == 2
    assert out == ""
    assert err.startswith("seqlab: the training text has 2,477 tokens")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
