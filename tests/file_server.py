"""Corpora on a server of this machine, for tests of what downloads them; ``server`` is a fixture."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from seqlab.data import download
from seqlab.data.download import SOURCES, Source


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.server.files[self.path]
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Sends ``files`` by their paths; ``asked`` are those that were asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def source(self, name: str, path: str, content: bytes) -> Source:
        """The row of the table, sent by this server; its digest is of the kind that it was."""
        digest = hashlib.new(SOURCES[name].kind, content).hexdigest()
        size = None if SOURCES[name].size is None else len(content)
        return replace(SOURCES[name], url=f"http://127.0.0.1:{self.server_port}{path}", digest=digest, size=size)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSES", (0.01,))
    for name in ("SEQLAB_DATA", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
