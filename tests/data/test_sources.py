import gzip
import hashlib
import re
from pathlib import Path

import pytest
from conftest import CORPORA

from seqlab.data.sources import SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_a_row_says_all_that_is_needed_to_get_a_file(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert re.fullmatch("[0-9a-f]+", source.digest)
    assert source.kind in ("md5", "sha1")
    assert re.match("https?://", source.url)
    assert not Path(source.filename).is_absolute()
    assert source.member is None or source.url.endswith((".tar.gz", ".zip"))
    assert source.member is not None or not source.url.endswith(".tar.gz")
    assert "(" in source.licence


def test_no_two_files_lie_in_one_place() -> None:
    assert len({source.filename for source in SOURCES.values()}) == len(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_the_file_is_the_one_of_the_table(name: str) -> None:
    path = CORPORA / SOURCES[name].filename
    if not path.is_file():
        pytest.skip("this machine does not have the corpus")
    content = gzip.decompress(path.read_bytes()) if SOURCES[name].zipped else path.read_bytes()
    assert SOURCES[name].size in (None, len(content))
    assert hashlib.new(SOURCES[name].kind, content).hexdigest() == SOURCES[name].digest
