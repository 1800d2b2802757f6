"""Full disks under everything that is written: files that may not grow, small file systems, and a full output."""

import json
import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from seqlab.errors import UserError
from seqlab.runs.checkpoint import read_checkpoint

from .sound import DATA, QUIET, Sound, fit_of
from .verdict import Attack

LIMITS = (0, 1, 100, 4096, 10_000, 30_000, 60_000, 100_000)
"""Bytes that a file may have."""

SIZES = (0, 8, 40, 80, 120, 200, 300, 600)
"""Thousands of bytes that a small file system has left."""

BEFORE = "what stood here before\n"


def _writers(sound: Sound, folder: Path) -> Iterator[tuple[list[str], Path]]:
    """Verbs that write, with the file or folder that they write to."""
    good = {task: str(path) for task, path in sound.good.items()}
    for task, ckpt in good.items():
        yield ["export", ckpt, "--output", str(folder / "exported")], folder / "exported"
        yield ["evaluate", ckpt, "--items", str(folder / "items.tsv")], folder / "items.tsv"
        into = ["--trainer.default_root_dir", str(folder)]
        yield [*fit_of(task), "--run", "full", "--ckpt_every", "2", "--watch", "full", *into], folder / "lightning_logs"
    onnx = folder / "exported.onnx"
    yield ["export", good["language"], "--format", "onnx", "--output", str(onnx)], onnx
    for words, name in (
        (["predict", good["tagging"], *["Mara sleeps ."] * 200], "tags.txt"),
        (["translate", good["translation"], *["go now ."] * 50, "--max_length", "20"], "french.txt"),
        (["predict", good["forecasting"], "--input", "series.csv", "--steps", "50"], "next.csv"),
    ):
        yield [*words, "--output", str(folder / name)], folder / name
    for words, name in (
        (["translate", good["translation"], "go now .", "--attention"], "attention.png"),
        (["evaluate", good["tagging"], "--errors"], "errors.txt"),
        (["evaluate", good["forecasting"], "--figure"], "figure.png"),
        (["predict", good["forecasting"], "--input", "series.csv", "--figure"], "next.png"),
        (["inspect", good["language"], "--output"], "figures"),
        (["corpus", *DATA["language"], "--output"], "zipf"),
        (["memory", "--model", "rnn", "--lengths", "3", "--max_steps", "2", "--output"], "memory"),
    ):
        yield [*words, str(folder / name)], folder / name


def _lost(written: Path) -> str:
    """What of a file or of a run's folder is neither as it was nor whole."""
    left = [path for path in written.parent.rglob("*") if path.name.endswith(".unfinished")]
    if left:
        return f"{left[0]} was left"
    for path in written.rglob("*.ckpt"):
        try:
            read_checkpoint(path)
        except UserError as error:
            return str(error)
    for path in written.rglob("result.json"):
        try:
            json.loads(path.read_text())
        except ValueError as error:
            return f"{path}: {error}"
    return ""


def limited(sound: Sound) -> Iterator[Attack]:
    """Files that may have so many bytes and no more, which stands for a full disk wherever one cannot be made."""
    folder = sound.here / "full"
    for words, written in _writers(sound, folder):
        for limit in LIMITS:

            def befalls(limit: int = limit) -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

            name = f"{' '.join(words)[:60]}: {written.name} of {limit} bytes"
            yield Attack(name, words, lambda: _emptied(folder), befalls, lambda written=written: _lost(written))
            if written.suffix:
                before = f"{name}, which stood before"
                prepare = lambda written=written: (_emptied(folder), written.write_text(BEFORE))  # noqa: E731
                yield Attack(before, words, prepare, befalls, lambda written=written: _lost(written) or _kept(written))


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _kept(path: Path) -> str:
    """That a file which stood before is neither that nor whole, as far as its beginning and its end show."""
    if not path.is_file():
        return f"{path} is gone"
    content = path.read_bytes()
    whole = content == BEFORE.encode() or (len(content) > 0 and BEFORE.encode() not in content)
    return "" if whole else f"{path} is neither as it was nor whole"


def mounted(sound: Sound) -> Iterator[Attack]:
    """A file system that is full, where one may be made; none elsewhere."""
    folder = sound.here / "mounted"
    if not _mount(folder, 1000):
        return
    _unmount(folder)
    for words, written in _writers(sound, folder):
        for size in SIZES:

            def prepare(size: int = size) -> None:
                _unmount(folder)
                assert _mount(folder, size)

            def lost(written: Path = written) -> str:
                found = _lost(written)
                _unmount(folder)
                return found

            yield Attack(f"{' '.join(words)[:60]}: {size} kB left", words, prepare, lost=lost)


def _mount(folder: Path, size: int) -> bool:
    """Whether a file system with so many thousands of bytes left could be made."""
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size + 40}k", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        return False
    (folder / "filler").write_bytes(bytes(36 * 1024))
    return True


def _unmount(folder: Path) -> None:
    while folder.is_mount() and not subprocess.run(["umount", "-l", str(folder)], capture_output=True).returncode:
        pass


def outputs(sound: Sound) -> Iterator[Attack]:
    """Verbs whose standard output, or error, or both, are on a full disk."""
    good = {task: str(path) for task, path in sound.good.items()}
    asked = [["evaluate", ckpt] for ckpt in good.values()]
    asked += [["export", ckpt, "--output", "made"] for ckpt in good.values()]
    asked += [["generate", good["language"]], ["translate", good["translation"], "go"], ["corpus", *DATA["language"]]]
    asked += [["predict", good[task], "a"] for task in ("classification", "tagging")]
    asked += [["predict", good["forecasting"], "--input", "series.csv"], ["inspect", good["language"]]]
    asked += [["memory", "--model", "rnn", "--lengths", "3", "--max_steps", "2"]]
    asked += [[*fit_of(task), "--run", "again"] for task in DATA]
    asked += [[verb, word] for verb in ("fit", "evaluate", "compare", "corpus") for word in ("--help", "--help_all")]
    asked += [["fit", "--print_config"], ["fit", "--model", "grru"], ["generate", "missing"]]
    for words in asked:
        for which, name in (((1,), "output"), ((2,), "error"), ((1, 2), "output and error")):

            def befalls(which: tuple[int, ...] = which) -> None:
                full = os.open("/dev/full", os.O_WRONLY)
                for number in which:
                    os.dup2(full, number)

            yield Attack(f"{' '.join(words)[:80]}: {name}", words, befalls=befalls)


class _Sends(BaseHTTPRequestHandler):
    """Sends the bytes that were asked for."""

    content = b"the old lamp keeper\n" * 9000

    def do_GET(self) -> None:
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(self.content) - begin))
        self.end_headers()
        self.wfile.write(self.content[begin:])

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def downloads(sound: Sound) -> Iterator[Attack]:
    """Downloads to a disk that takes so many bytes of them, from a server in the same process."""
    import hashlib

    from seqlab.data.sources import SOURCES

    folder = sound.here / "corpora"
    words = ["fit", "--data", "time_machine", "--data.root", str(folder), *QUIET, "--run", "again"]
    words += ["--trainer.max_steps", "2", "--model.hidden_size", "8"]
    for limit in (0, 1, 1000, 70_000, 170_000):

        def befalls(limit: int = limit) -> None:
            server = ThreadingHTTPServer(("127.0.0.1", 0), _Sends)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            sha1, size = hashlib.sha1(_Sends.content).hexdigest(), len(_Sends.content)
            url = f"http://127.0.0.1:{server.server_port}/text"
            SOURCES["time_machine"] = replace(SOURCES["time_machine"], url=url, digest=sha1, size=size)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        for held in (0, 1000):
            part = folder / f"timemachine.txt{'.part' if held else ''}"

            def prepare(part: Path = part, held: int = held) -> None:
                _emptied(folder)
                if held:
                    part.write_bytes(_Sends.content[:held])

            yield Attack(f"{limit} bytes, {held} there", words, prepare, befalls, lambda: _half(folder))


def _half(folder: Path) -> str:
    """That a file was taken for whole which is not."""
    text = folder / "timemachine.txt"
    return "half a corpus stands in its place" if text.exists() and text.read_bytes() != _Sends.content else ""
