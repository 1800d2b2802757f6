from pathlib import Path

import numpy as np
import pytest

from seqlab.data.picture_text import as_uri, picture_of, shown, write_picture
from seqlab.errors import UserError

PICTURE = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def test_a_picture_is_what_it_was_as_text_and_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    write_picture(PICTURE, path)
    for text in (as_uri(PICTURE), str(path)):
        assert np.array_equal(picture_of(text), PICTURE)
    assert "\n" not in as_uri(PICTURE)
    assert shown(str(path)) == str(path)
    assert len(shown(as_uri(PICTURE))) < 60
    with pytest.raises(UserError, match="cannot write .*a.png/b.png"):
        write_picture(PICTURE, path / "b.png")


@pytest.mark.parametrize("text", ["data:image/png;base64,!!", "data:image/png;base64,AAAA", "nowhere.png"])
def test_what_is_no_picture_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="cannot read the picture"):
        picture_of(text)
