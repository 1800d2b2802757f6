"""Configurations that refer to themselves, are deep or vast, or name code; in files and on the command line."""

from collections.abc import Iterator

from .sound import Sound, fit_of
from .verdict import Attack

MANY = 10**6


STEPS = list(zip("abcdefgh", "bcdefghi", strict=True))


def _bomb(name: str, opened: str, shut: str) -> str:
    levels = [f"{b}: &{b} {opened}{', '.join([name.format(i, a) for i in range(9)])}{shut}" for a, b in STEPS]
    return "\n".join(["a: &a [x]", *levels, ""])


TEXTS: dict[str, str | bytes] = {
    "cycle": "&a {x: *a}",
    "cycle of a list": "&a [*a]",
    "cycle of a group": "model: &m {hidden_size: *m}",
    "cycle by merging": "&a {<<: *a}",
    "bomb of lists": _bomb("*{1}", "[", "]"),
    "bomb of dicts": _bomb("k{0}: *{1}", "{", "}"),
    "bomb by merging": "a: &a {x: 1}\n"
    + "\n".join(f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}" for a, b in STEPS),
    "many aliases": "seed: &s 1\nx: [" + ", ".join(["*s"] * 5000) + "]",
    "alias of nothing": "seed: *nowhere",
    "deep list": "[" * 5000,
    "deep list that ends": "x: " + "[" * 5000 + "]" * 5000,
    "deep dict": "{a: " * 5000,
    "deep by indents": "".join(" " * i + "a:\n" for i in range(1200)),
    "deep by dashes": "- " * 5000,
    "deep question": "? " * 5000,
    "long number": f"seed: {'9' * 5000}",
    "vast number": f"seed: 0x{'f' * 10**5}",
    "sexagesimal": "seed: 1:" + "59:" * 2000 + "1",
    "tag": "a: !!python/object/apply:os.system ['touch PLANTED']",
    "tag of a class": "trainer: {callbacks: !!python/name:planted.Evil}",
    "strange tag": "seed: !evil 1",
    "binary": "run: !!binary AAECAw==",
    "date": "run: 2001-12-14 21:59:43",
    "set": "run: !!set {a, b}",
    "pairs": "run: !!omap [a: 1]",
    "numbers for names": "1: 2\ntrainer: {3: 4}\n",
    "null for a name": "null: 2\n~: 3\n",
    "list for a name": "? [a, b]\n: 1\n",
    "dict for a name": "? {a: b}\n: 1\n",
    "a name twice": "seed: 1\nseed: 2\n",
    "two documents": "seed: 1\n---\nseed: 2\n",
    "nothing": "",
    "a comment": "# nothing",
    "list": "[1, 2]",
    "number": "7",
    "text": "hello",
    "control": "a: \0",
    "no text": b"\xff\xfe\x00\xd8seed",
    "utf-16": "seed: 1".encode("utf-16"),
    "byte order mark": "\ufeffseed: 1",
    "lone surrogate": 'run: "\\ud800"',
    "escaped name": "run: ../../../escaped",
    "absolute name": "run: /tmp/escaped",
    "tabs": "trainer:\n\tmax_epochs: 1",
    "large": "a: b\n" * MANY,
    "one long word": "run: " + "x" * MANY,
    "infinite": "optimizer: {lr: .inf}",
    "no number": "optimizer: {lr: .nan}",
    "class of another kind": "trainer: {callbacks: {class_path: os.system, init_args: {command: touch PLANTED}}}",
    "configuration in itself": "config: config.yaml",
    "configuration of a group": "model: config.yaml",
}
ENDLESS = (
    "cycle",
    "bomb",
    "many",
    "deep",
    "large",
    "one long",
    "tag",
    "control",
    "no text",
    "utf-16",
    "list",
    "number",
)
"""How the names of those begin that no verb may take."""

TYPED: dict[str, str] = {
    "cycle": "&a [*a]",
    "bomb": "[&a [x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b,*b], [*c,*c,*c,*c,*c,*c,*c,*c,*c]]",
    "deep list": "[" * 5000 + "]" * 5000,
    "deep dict": "{a: " * 3000 + "1" + "}" * 3000,
    "tag": "!!python/object/apply:os.system ['touch PLANTED']",
    "control": "\x01\x02",
    "surrogate": "\udcff\udcfe",
    "long": "x" * 10**5,
    "long number": "9" * 5000,
    "dict": "{class_path: os.system, init_args: {command: touch PLANTED}}",
    "open": "[1, 2",
    "quote": "'",
    "colon": "a: b: c",
    "star": "*",
    "ampersand": "&",
}
OPTIONS = (
    *("--model.hidden_size", "--optimizer.lr", "--trainer.callbacks", "--trainer.logger", "--trainer.plugins", "--run"),
    *("--trainer.devices", "--trainer.val_check_interval", "--data.path", "--data.tokens", "--lr_scheduler", "--bar"),
    *(
        "--ckpt_every",
        "--seed",
        "--trainer.profiler",
        "--trainer.max_time",
        "--monitor",
        "--model",
        "--data",
        "--config",
    ),
)


def configurations(sound: Sound) -> Iterator[Attack]:
    """Hostile files of options, for training, for a comparison, and for a group of options."""
    path = sound.here / "config.yaml"
    for name, text in TEXTS.items():
        content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        fit = [*fit_of("language"), "--run", "again", "--trainer.fast_dev_run", "1"]
        compared = [["compare", str(path)]] if name.startswith(ENDLESS) else []
        for words in ([*fit, "--config", str(path)], [*fit, "--trainer", str(path)], *compared):
            kind = " ".join(words[:1] + words[-2:-1])
            prepare = lambda content=content: path.write_bytes(content)  # noqa: E731
            yield Attack(f"{kind}: {name}", words, prepare, refused=name.startswith(ENDLESS))


def typed(sound: Sound) -> Iterator[Attack]:
    """Hostile values of options, which are read as YAML."""
    for option in OPTIONS:
        for name, value in TYPED.items():
            words = [*fit_of("language"), "--run", "again", "--trainer.fast_dev_run", "1", option, value]
            yield Attack(f"{option} {name}", words)
