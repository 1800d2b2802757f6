"""A text, or a text file, -> ids for a model."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqlab.errors import UserError, reason_of
from seqlab.files import read_plain
from seqlab.text.codec import Codec
from seqlab.text.line_reader import ended_lines


def ids_of(codec: Codec, text: str) -> tuple[NDArray[Any], str]:
    """The ids of a text, and its name in messages.

    Args:
        codec: Codec of the ids.
        text: The text itself, or the name of a UTF-8 text file, plain or compressed.

    Returns:
        ``(tokens,)`` int64, and the file's name or "the text given"; the name of a single word quotes the word, since
        it may be a misspelt file.

    Raises:
        UserError: The file exists but cannot be read.
    """
    content, said = text_of(text)
    if not _is_file(text):
        return np.array(codec.encode(content), dtype=np.int64), said
    pieces = [*codec.encode_lines(ended_lines(content))]
    return np.concatenate([*pieces, np.zeros(0)]).astype(np.int64), said


def text_of(text: str) -> tuple[str, str]:
    """A text that is given itself or as the name of a file, and its name as in ``ids_of``.

    Raises:
        UserError: The file exists but cannot be read.
    """
    if not _is_file(text):
        return text, "the text given" if text.split()[1:] else f"the text '{text}', which is no file"
    try:
        return read_plain(text).decode("utf-8-sig"), Path(text).name
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {text}: {reason_of(error)}; name a UTF-8 file") from None


def _is_file(text: str) -> bool:
    with suppress(OSError, ValueError):  # too long for a file name
        return Path(text).is_file()
    return False
