"""The files of a named corpus, or its bundled sample; and the names of other corpora."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqlab.data.data_module import warn_of_sample
from seqlab.data.download import SOURCES, Unavailable, fetch
from seqlab.files import real_path


def name_of_files(paths: Iterable[Path]) -> str:
    """Name of a corpus: its files' name up to the first dot, or the folder of the first file if the names differ."""
    files = list(dict.fromkeys(paths))
    names = {file.name.partition(".")[0] or file.name for file in files}
    folder = real_path(files[0]).parent.name
    return folder if len(names) > 1 and folder else files[0].name.partition(".")[0] or files[0].name


def verified(names: Sequence[str], root: Path | None, title: str) -> list[Path] | None:
    """The verified files of a corpus; None if they are not available and the user named no folder.

    A warning on stderr then says that a sample is used.

    Args:
        names: Keys of ``SOURCES``; all files are needed.
        root: Folder of the corpora that the user named; None for none.
        title: Name of the corpus in the warning.

    Raises:
        Unavailable: A file is not available, and the user named a folder, by ``root`` or ``$SEQLAB_DATA``.
    """
    try:
        return [fetch(SOURCES[name], root) for name in names]
    except Unavailable as error:
        if root is not None or os.environ.get("SEQLAB_DATA"):
            raise
        warn_of_sample(title, str(error))
        return None


def verified_or_sample(names: Sequence[str], root: Path | None, sample: Path, title: str) -> tuple[list[Path], bool]:
    """The verified files of a corpus, or its bundled sample instead.

    Args:
        names: See ``verified``.
        root: See ``verified``.
        sample: The file of the sample.
        title: See ``verified``.

    Returns:
        The files in the order of ``names``, and True; or only the sample, and False.

    Raises:
        Unavailable: See ``verified``.
    """
    found = verified(names, root, title)
    return ([sample], False) if found is None else (found, True)
