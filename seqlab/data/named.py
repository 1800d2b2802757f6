"""The files of a named corpus, or the sample that is bundled in its place; and what other files are called."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqlab.data.data_module import warn_of_sample
from seqlab.data.download import SOURCES, Unavailable, fetch
from seqlab.files import real_path


def name_of_files(paths: Iterable[Path]) -> str:
    """What a corpus is called: as its files are up to the first dot, or by the folder of the first if they differ."""
    files = list(dict.fromkeys(paths))
    names = {file.name.partition(".")[0] or file.name for file in files}
    folder = real_path(files[0]).parent.name
    return folder if len(names) > 1 and folder else files[0].name.partition(".")[0] or files[0].name


def verified(names: Sequence[str], root: Path | None, title: str) -> list[Path] | None:
    """The verified files of a corpus; none where they cannot be had and nobody named a folder.

    That a sample stands in is said loudly on stderr.

    Args:
        names: Keys of ``SOURCES``; a corpus is there as a whole or not at all.
        root: Folder of the corpora that the user named; None where none was.
        title: What the corpus is called in the warning.

    Raises:
        Unavailable: A file cannot be had, and the user named a folder, by ``root`` or ``$SEQLAB_DATA``.
    """
    try:
        return [fetch(SOURCES[name], root) for name in names]
    except Unavailable as error:
        if root is not None or os.environ.get("SEQLAB_DATA"):
            raise
        warn_of_sample(title, str(error))
        return None


def verified_or_sample(names: Sequence[str], root: Path | None, sample: Path, title: str) -> tuple[list[Path], bool]:
    """The verified files of a corpus, or its bundled sample in their place.

    Args:
        names: As in ``verified``.
        root: As in ``verified``.
        sample: The file that is used instead.
        title: As in ``verified``.

    Returns:
        The files in the order of ``names``, and True; or the sample alone, and False.

    Raises:
        Unavailable: As in ``verified``.
    """
    found = verified(names, root, title)
    return ([sample], False) if found is None else (found, True)
