"""Texts with odd bytes, vast lines and broken forms, for every reader of them."""

import bz2
import gzip
import io
import lzma
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from .sound import DATA, MODELS, SHORT, SMALL, Sound, series
from .verdict import Attack

ENDINGS = ("\n", "\r\n", "\r", "\u2028", "\x85", "\v", "\f")
GOOD: dict[str, str] = {
    ".txt": "the old lamp keeper sleeps .\nthe sea is calm .\n" * 40,
    ".tsv": "go now\tva\nthe sea\tla mer\ncalm\tcalme\n" * 20,
    ".csv": series(),
    ".conll": "Mara\tPROPN\nsleeps\tVERB\n\nthe\tDET\nsea\tNOUN\n\n" * 20,
    ".jsonl": '{"text": "go now", "label": "a"}\n{"text": "the sea", "label": "b"}\n' * 20,
    ".vec": "the 1 2 3 4 5 6 7 8\nsea 8 7 6 5 4 3 2 1\n" * 20,
}
"""A sound text for each ending of a name."""


def _long(sound: str) -> str:
    """A line as long as no line is, in the form of a sound one."""
    first = sound.splitlines()[0]
    return f"{first}{'x' * 2**22}\n{sound}"


def _texts(ending: str, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Hostile contents, each with its name."""
    good, dice = GOOD[ending], random.Random(f"{ending} {seed}")
    sound = good.encode()
    yield from (("empty", b""), ("a byte", b"x"), ("line ends", b"\n" * 5000), ("blanks", b" \t" * 5000))
    yield from (("random", dice.randbytes(20_000)), ("zeros", bytes(20_000)), ("mark", b"\xef\xbb\xbf" + sound))
    yield from ((name, good.encode(name)) for name in ("utf-16", "utf-32", "utf-7"))
    yield "marks within", good.replace("e", "\ufeffe").encode()
    yield "surrogates", sound.replace(b"e", b"\xed\xa0\x80")
    yield "overlong", sound.replace(b"e", b"\xc0\xaf")
    yield "cut letter", "é".encode()[:1].join([sound, b""])
    yield "mixed ends", "".join(line + dice.choice(ENDINGS) for line in good.splitlines()).encode()
    yield "carriage returns", sound.replace(b"\n", b"\r")
    yield "zeros within", sound.replace(b"e", b"\0")
    yield "controls", sound.replace(b"a", b"\x1b[2J\x07")
    yield "bidirectional", good.replace("e", "\u202e\u200b\u0301").encode()
    yield "marks upon marks", ("e" + "\u0301" * 50_000 + "\n" + good).encode()
    yield "emoji", good.replace("a", "👩‍👩‍👧‍👦").encode()
    yield "a vast line", _long(good).encode()
    yield "one vast word", b"x" * 2**22
    yield "vast spaces", b" " * 2**22 + sound
    yield "many columns", b"\t".join([b"x"] * 10**5) + b"\n" + sound
    yield "many commas", b",".join([b"1"] * 10**5) + b"\n" + sound
    yield "open quote", b'"' + sound
    yield "quotes", sound.replace(b"e", b'"')
    yield "deep", b"[" * 10**5 + b"\n" + sound
    yield "deep objects", b'{"a":' * 10**5 + b"\n" + sound
    yield "vast numbers", sound.replace(b"1", b"1" + b"0" * 5000)
    yield "no numbers", sound.replace(b"1", b"nan").replace(b"2", b"inf")
    yield "out of range", sound.replace(b"1", b"1e400").replace(b"2", b"-1e308")
    yield "other digits", good.replace("1", "١").replace("2", "²").encode()
    for number in range(6):
        changed = bytearray(sound)
        for _ in range(20):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        yield f"twenty bytes {number}", bytes(changed)
    for number in range(3):
        yield f"cut {number}", sound[: dice.randrange(len(sound))]
        lines = good.splitlines(keepends=True)
        dice.shuffle(lines)
        yield f"shuffled {number}", "".join(lines[: dice.randrange(2, len(lines))]).encode()
        parts = [part for line in lines for part in line.split("\t")]
        dice.shuffle(parts)
        yield f"mixed columns {number}", "\t".join(parts).encode()


def _compressed(content: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Broken files of each kind of compression: ending, name, bytes."""
    for ending, press in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        whole = press(content)
        yield ending, "cut", whole[: len(whole) // 2]
        yield ending, "flipped", whole[:-9] + bytes([whole[-9] ^ 255]) + whole[-8:]
        yield ending, "not compressed", content
        yield ending, "twice", whole + whole
        yield ending, "rubbish after", whole + b"rubbish"
        yield ending, "bomb", press(bytes(2**22)) * 2**7
        yield ending, "empty", b""


def _read_by(sound: Sound, ending: str, path: Path) -> Iterator[list[str]]:
    """Verbs that read a file of an ending."""

    def fit(task: str, *more: str) -> list[str]:
        where = DATA[task].index("--data.path") + 1
        given = (*DATA[task][:where], str(path), *DATA[task][where + 1 :])
        quick = (*SMALL, *SHORT, "--run", "again", "--trainer.fast_dev_run", "1")
        return ["fit", *given, *MODELS[task], *quick, *more]

    if ending == ".txt":
        yield from (fit("language", "--data.tokens", tokens) for tokens in ("char", "word", "bpe", "unigram"))
        yield fit("language", "--data.lines", "items", "--data.tokens", "wordpiece")
        yield fit("classification")
        yield ["evaluate", str(sound.good["language"]), "--data", "text", "--data.path", str(path)]
        yield ["predict", str(sound.good["tagging"]), "--input", str(path)]
        yield ["corpus", "--data", "text", "--data.path", str(path), "--data.tokens", "word"]
    if ending == ".tsv":
        yield from (fit("translation"), fit("classification"), fit("tagging"))
        yield ["translate", str(sound.good["translation"]), "--input", str(path), "--max_length", "3"]
    if ending == ".csv":
        yield from (fit("forecasting"), fit("classification"))
        yield ["predict", str(sound.good["forecasting"]), "--input", str(path)]
        yield ["evaluate", str(sound.good["forecasting"]), "--data", "series", "--data.path", str(path)]
    if ending == ".conll":
        yield from (fit("tagging"), fit("tagging", "--data.scheme", "iob2"))
    if ending == ".jsonl":
        yield fit("classification")
    if ending == ".vec":
        known = ["fit", *DATA["language"], *SMALL, *SHORT, "--run", "again", "--trainer.fast_dev_run", "1"]
        yield [*known, "--data.tokens", "word", "--model.embedding_size", "8", "--model.vectors", str(path)]


def texts(sound: Sound) -> Iterator[Attack]:
    """Hostile contents for every reader."""
    for ending in GOOD:
        path, known = sound.here / f"hostile{ending}", [*_texts(ending)]
        for words in _read_by(sound, ending, path):
            for name, content in known:
                shown = f"{ending} {words[0]} {words[2]}: {name}"
                yield Attack(shown, words, lambda path=path, content=content: path.write_bytes(content))


def compressed(sound: Sound) -> Iterator[Attack]:
    """Broken compressed files, and small ones that hold far more than text does."""
    for ending in GOOD:
        for packed, name, content in _compressed(GOOD[ending].encode()):
            path = sound.here / f"hostile{ending}{packed}"
            for words in _read_by(sound, ending, path):
                shown = f"{ending}{packed} {words[0]} {words[2]}: {name}"
                yield Attack(shown, words, lambda path=path, content=content: path.write_bytes(content))


def _pictures(seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Hostile contents of a picture, each with its name."""
    whole, dice = io.BytesIO(), random.Random(seed)
    Image.new("L", (8, 8), 200).save(whole, "PNG")
    sound = whole.getvalue()
    yield from (("empty", b""), ("text", b"no picture"), ("random", dice.randbytes(5000)), ("zeros", bytes(5000)))
    yield from ((f"cut at {size}", sound[:size]) for size in (8, 20, 40, len(sound) - 13))
    for _ in range(12):
        place = dice.randrange(len(sound))
        yield f"a flipped byte at {place}", sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :]
    for side in (0, 2**16, 2**31 - 1):
        head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        chunks = [head, b"IDAT" + zlib.compress(bytes(2**24), 9), b"IEND"]
        framed = (struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)
        yield f"{side} pixels wide", b"\x89PNG\r\n\x1a\n" + b"".join(framed)
    for form in ("GIF", "BMP", "JPEG", "TIFF", "PPM", "ICO"):
        other = io.BytesIO()
        Image.new("RGB", (8, 8)).save(other, form)
        yield form, other.getvalue()
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(PLANTED) (w) file\n"


def _idx(seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Hostile contents of an IDX file of images, each with its name."""
    dice = random.Random(seed)
    for sides in ((2, 8, 8), (0, 8, 8), (2**32 - 1, 8, 8), (2**31, 2**31, 2), (2, 2**31, 0)):
        content = struct.pack(">IIII", 0x803, *sides) + dice.randbytes(128)
        yield from ((f"idx {sides}", content), (f"idx {sides}, cut", content[:-1]))
    yield from (("idx of nothing", b""), ("idx of floats", b"\0\0\x0d\x03" + dice.randbytes(100)))


def pictures(sound: Sound) -> Iterator[Attack]:
    """Broken pictures, and small ones that stand for far more than they hold."""
    folder, quick = sound.here / "hostile", [*SMALL, *SHORT, "--run", "again", "--trainer.fast_dev_run", "1"]
    path, file = folder / "1" / "1.png", sound.here / "hostile-idx3-ubyte"
    for number in range(6):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 40 * number).save(folder / str(number % 2) / f"{number}.png")
    asked = [["fit", "--data", "images", "--data.path", str(folder), *MODELS["images"], *quick]]
    asked += [["predict", str(sound.good[task]), str(path)] for task in ("images", "strings")]
    for words in asked:
        for name, content in _pictures():
            shown = f"{words[0]} {Path(words[1]).stem}: {name}"
            yield Attack(shown, words, lambda content=content: path.write_bytes(content))
    for name, content in _idx():
        words = ["predict", str(sound.good["images"]), f"{file}:0"]
        yield Attack(f"predict: {name}", words, lambda content=content: file.write_bytes(content))
