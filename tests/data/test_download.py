import errno
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqlab.data import download
from seqlab.data.download import SOURCES, Source, Unavailable, data_root, fetch

BODY = bytes(range(256)) * 1000
HALF = len(BODY) // 2
WRONG = BODY[::-1]
DATA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        script = self.server.script
        (script.pop(0) if len(script) > 1 else script[0])(self)

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


Answer = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    """Answers by a script, the last row for ever; ``ranges`` are those that were asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Answer] = [whole]
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/corpus.txt"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


def whole(handler: Handler) -> None:
    handler.answer(200, BODY)


def wrong(handler: Handler) -> None:
    handler.answer(200, WRONG)


def cut(handler: Handler) -> None:
    handler.answer(200, BODY[:HALF], length=len(BODY))


def by_range(handler: Handler) -> None:
    begin = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    handler.answer(206, BODY[begin:], Content_Range=f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}")


def status(code: int) -> Answer:
    return lambda handler: handler.answer(code, b"sorry")


def silent(handler: Handler) -> None:
    handler.rfile.read(1)  # until the client hangs up


def dripping(handler: Handler) -> None:
    handler.answer(200, b"", length=len(BODY))
    for _ in range(2000):
        handler.wfile.write(b".")
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.01, 0.02))
    for name in ("SEQLAB_DATA", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def source(server: Server) -> Source:
    return Source("corpus", "corpus.txt", server.url, sha1(BODY), len(BODY), "public domain")


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".lock")}


def complaint(source: Source, root: Path) -> str:
    with pytest.raises(Unavailable) as caught:
        fetch(source, root)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "--data.root or SEQLAB_DATA" in sentence
    return sentence


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_real_files_are_those_of_the_table(name: str) -> None:
    source = SOURCES[name]
    if not (DATA / source.filename).is_file():
        pytest.skip(f"{DATA / source.filename} is not here")
    assert source.name == name
    assert fetch(source, DATA) == DATA / source.filename
    assert source.size in (None, (DATA / source.filename).stat().st_size)


def test_root_then_environment_then_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if sys.platform == "linux":
        assert data_root() == tmp_path / "cache" / "seqlab"
    monkeypatch.setenv("SEQLAB_DATA", "~/corpora")
    assert data_root() == Path.home() / "corpora"
    assert data_root(tmp_path) == tmp_path


def test_good_file_needs_no_network_and_no_lock(
    source: Source, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    (tmp_path / "corpus.txt").write_bytes(BODY)
    assert fetch(source) == tmp_path / "corpus.txt"
    assert server.ranges == []
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.txt"]


def test_download_into_a_new_folder(source: Source, server: Server, tmp_path: Path) -> None:
    assert fetch(source, tmp_path / "new" / "folder").read_bytes() == BODY
    assert fetch(source, tmp_path / "new" / "folder").read_bytes() == BODY
    assert server.ranges == [None]
    assert visible(tmp_path / "new" / "folder") == {"corpus.txt": BODY}


def test_wrong_file_is_replaced_by_a_good_one(source: Source, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_bytes(b"mine")
    fetch(source, tmp_path)
    assert visible(tmp_path) == {"corpus.txt": BODY}


@pytest.mark.parametrize(
    ("script", "words", "requests"),
    [
        ([status(404)], "HTTP 404", 1),
        ([status(403)], "HTTP 403", 1),
        ([status(503)], "HTTP 503", 3),
        ([status(204)], "HTTP 204", 1),
        ([wrong], f"the file that it sends has sha1 {sha1(WRONG)}", 1),
        ([lambda h: h.answer(200, BODY + b"!")], f"it sends more than the {len(BODY):,} bytes of corpus.txt", 1),
        ([lambda h: h.answer(200, b"short")], f"the body ended after 5 of {len(BODY):,} bytes", 3),
        ([lambda h: h.answer(302, b"", Location="file:///etc/passwd")], "file:///etc/passwd", 1),
        ([lambda h: h.answer(302, b"", Location="/corpus.txt")], "redirects", 31),
    ],
    ids=["404", "403", "503", "204", "wrong", "too much", "short", "scheme", "loop"],
)
def test_failed_download_says_why_and_the_way_out(
    source: Source, server: Server, tmp_path: Path, script: list[Answer], words: str, requests: int
) -> None:
    server.script = script
    sentence = complaint(source, tmp_path)
    assert sentence.startswith(f"cannot download corpus from {source.url}: ")
    assert words in sentence
    assert f"; put corpus.txt (sha1 {source.digest}) into {tmp_path}, or name a folder that has it" in sentence
    assert len(server.ranges) == requests
    assert "corpus.txt" not in visible(tmp_path)


def test_silent_server_is_given_up(
    source: Source, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "READ_SECONDS", 0.1)
    server.script = [silent]
    assert "no data for 0.1 s" in complaint(source, tmp_path)
    assert len(server.ranges) == 3


@pytest.mark.parametrize("body", [WRONG, BODY + b"!"])
def test_wrong_download_is_removed(source: Source, server: Server, tmp_path: Path, body: bytes) -> None:
    server.script = [lambda handler: handler.answer(200, body)]
    complaint(source, tmp_path)
    assert visible(tmp_path) == {}


def test_endless_body_is_refused_at_the_known_size(source: Source, server: Server, tmp_path: Path) -> None:
    sent = []

    def endless(handler: Handler) -> None:
        handler.answer(200, b"", length=2**40)
        while len(sent) < 1000:
            handler.wfile.write(BODY)
            sent.append(len(BODY))

    server.script = [endless]
    assert "it sends more than" in complaint(source, tmp_path)
    assert visible(tmp_path) == {}
    assert len(sent) < 1000


def test_refused_connection(source: Source, tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/corpus.txt"
        assert f"from {url}: no connection (connection refused);" in complaint(replace(source, url=url), tmp_path)


def test_dripping_server_is_given_up(
    source: Source, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(download, "PAUSES", ())
    server.script = [dripping]
    assert "too slow" in complaint(source, tmp_path)


def test_server_errors_are_retried(source: Source, server: Server, tmp_path: Path) -> None:
    server.script = [status(500), status(503), whole]
    assert fetch(source, tmp_path).read_bytes() == BODY
    assert len(server.ranges) == 3


def test_cut_body_is_resumed(source: Source, server: Server, tmp_path: Path) -> None:
    server.script = [cut, by_range]
    assert fetch(source, tmp_path).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert visible(tmp_path) == {"corpus.txt": BODY}


def test_body_cut_every_time_is_resumed_by_the_next_run(source: Source, server: Server, tmp_path: Path) -> None:
    server.script = [cut]
    assert "the body broke off" in complaint(source, tmp_path)
    assert visible(tmp_path) == {"corpus.txt.part": BODY[:HALF]}
    server.script = [by_range]
    assert fetch(source, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    ("part", "script", "ranges"),
    [
        (BODY[:100], [whole], ["bytes=100-"]),
        (BODY, [status(404)], []),
        (WRONG[:100], [by_range, whole], ["bytes=100-", None]),
        (WRONG, [whole], [None]),
        (BODY + b"!", [whole], [None]),
        (BODY[:100], [status(416), whole], ["bytes=100-", None]),
        (BODY[:100], [lambda h: h.answer(206, BODY, Content_Range="bytes 0-9/9"), whole], ["bytes=100-", None]),
        (BODY[:100], [lambda h: h.answer(206, BODY), whole], ["bytes=100-", None]),
    ],
    ids=["range ignored", "complete", "garbage", "garbage of the size", "too long", "416", "other range", "no range"],
)
def test_partial_file(
    source: Source, server: Server, tmp_path: Path, part: bytes, script: list[Answer], ranges: list[str | None]
) -> None:
    (tmp_path / "corpus.txt.part").write_bytes(part)
    server.script = script
    assert fetch(source, tmp_path).read_bytes() == BODY
    assert server.ranges == ranges
    assert visible(tmp_path) == {"corpus.txt": BODY}


def test_wrong_file_outlives_a_failed_download(source: Source, server: Server, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_bytes(b"mine")
    server.script = [wrong]
    sentence = complaint(source, tmp_path)
    assert (
        f"{tmp_path / 'corpus.txt'} has sha1 {sha1(b'mine')}, not {source.digest}, and seqlab cannot down" in sentence
    )
    assert visible(tmp_path) == {"corpus.txt": b"mine"}


def test_good_file_outlives_failures_beside_it(source: Source, server: Server, tmp_path: Path) -> None:
    fetch(source, tmp_path)
    server.script = [status(404)]
    complaint(replace(source, filename="other.txt"), tmp_path)
    assert fetch(source, tmp_path).read_bytes() == BODY


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk(source: Source, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt.part").symlink_to("/dev/full")
    sentence = complaint(source, tmp_path)
    assert f"cannot keep corpus as {tmp_path / 'corpus.txt'}: {os.strerror(errno.ENOSPC).lower()};" in sentence
    assert f"room for {len(BODY):,} bytes" in sentence
    assert not (tmp_path / "corpus.txt").exists()


def test_folder_that_is_a_file(source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert ": not a directory; it must be readable and writable" in complaint(source, tmp_path / "file")


def test_file_that_is_a_folder(source: Source, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").mkdir()
    assert ": is a directory; it must be readable and writable" in complaint(source, tmp_path)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process cannot write to; as root, by being nobody for a while."""
    with tempfile.TemporaryDirectory() as name:
        folder, is_root = Path(name), os.geteuid() == 0
        folder.chmod(0o755 if is_root else 0o555)
        yield folder
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_the_kind_of_a_digest_follows_from_its_length(
    source: Source, server: Server, tmp_path: Path, kind: str
) -> None:
    of_kind = replace(source, digest=hashlib.new(kind, BODY).hexdigest())
    assert fetch(of_kind, tmp_path / "good").read_bytes() == BODY
    server.script = [wrong]
    sentence = complaint(of_kind, tmp_path)
    assert f"the file that it sends has {kind} {hashlib.new(kind, WRONG).hexdigest()}" in sentence
    assert f"put corpus.txt ({kind} {of_kind.digest}) into" in sentence


class TestUnknownSize:
    """A published digest does not say how long its file is."""

    @pytest.fixture
    def source(self, source: Source) -> Source:
        return replace(source, size=None)

    def test_a_file_is_downloaded_and_known_again(self, source: Source, server: Server, tmp_path: Path) -> None:
        for _ in range(2):
            assert fetch(source, tmp_path).read_bytes() == BODY
        assert server.ranges == [None]

    def test_a_cut_body_is_resumed(self, source: Source, server: Server, tmp_path: Path) -> None:
        server.script = [cut, by_range]
        assert fetch(source, tmp_path).read_bytes() == BODY
        assert server.ranges == [None, f"bytes={HALF}-"]

    def test_a_wrong_file_is_removed(self, source: Source, server: Server, tmp_path: Path) -> None:
        server.script = [wrong]
        assert f"the file that it sends has sha1 {sha1(WRONG)}" in complaint(source, tmp_path)
        assert visible(tmp_path) == {}

    def test_an_endless_body_is_refused(
        self, source: Source, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "MOST_BYTES", 1000)
        server.script = [wrong]
        assert "it sends more than the 1,000 bytes of corpus.txt" in complaint(source, tmp_path)
        assert visible(tmp_path) == {}

    def test_a_folder_that_cannot_be_written(self, source: Source, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert "it must be readable and writable, with room for it, or name another" in complaint(
            source, tmp_path / "file"
        )


def test_read_only_folder_with_the_good_file(source: Source, read_only: Path) -> None:
    read_only.chmod(0o755)
    (read_only / "corpus.txt").write_bytes(BODY)
    read_only.chmod(0o555)
    become_nobody()
    assert fetch(source, read_only).read_bytes() == BODY


@pytest.mark.parametrize("folder", [".", "new/folder"])
def test_read_only_folder_without_it(source: Source, read_only: Path, folder: str) -> None:
    become_nobody()
    assert ": permission denied; it must be readable and writable" in complaint(source, read_only / folder)


def test_processes_at_once_download_once(source: Source, server: Server, tmp_path: Path) -> None:
    def late(handler: Handler) -> None:
        time.sleep(0.4)
        whole(handler)

    server.script = [late]
    program = f"""
import pathlib, sys, time, types
package = sys.modules["seqlab.data"] = types.ModuleType("seqlab.data")  # without the seconds that torch takes to import
package.__path__ = [{str(Path(download.__file__).parent)!r}]
from seqlab.data.download import Source, fetch
folder, name = pathlib.Path({str(tmp_path)!r}), sys.argv[1]
(folder / name).touch()
while not (folder / "go").exists():
    time.sleep(0.005)
print(fetch({source!r}, folder / "root"))
"""
    command = [sys.executable, "-c", program]
    processes = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("one", "two")]
    while not all((tmp_path / name).exists() for name in ("one", "two")):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == [
        str(tmp_path / "root/corpus.txt")
    ] * 2
    assert server.ranges == [None]
    assert visible(tmp_path / "root") == {"corpus.txt": BODY}


def test_progress_bar_only_on_a_terminal(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(source, tmp_path / "pipe")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fetch(source, tmp_path / "terminal")
    out, err = capsys.readouterr()
    assert out == ""
    assert "corpus.txt: 100%" in err
