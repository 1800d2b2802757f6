"""The compiled library in its cache: damaged, planted, and in folders that are not its owner's alone."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from .sound import USED, Sound
from .verdict import Attack

PLANTED = '#include <stdio.h>\n__attribute__((constructor)) void begin(void) {{ fclose(fopen("{}", "w")); }}\n'
Spoil = Callable[[Path], object]
"""Makes something hostile of a sound library."""


def cached(sound: Sound) -> Iterator[Attack]:
    """Decoding by the compiled library, whatever lies where it is kept; none where there is no compiler."""
    kept = sound.here.parents[1] / "cache"
    library = next((kept / "seqlab" / "native").glob("*.so"), None)
    if library is None:
        return
    cache, words = sound.here / "cache", sound.words(USED["tagging"], sound.good["tagging"])
    for name, spoil in (*_damage(library.read_bytes()), *_planted(sound.here), *_folders(cache)):

        def prepare(spoil: Spoil = spoil) -> None:
            if cache.exists():
                cache.chmod(0o755)
            shutil.rmtree(cache, ignore_errors=True)
            cache.unlink(missing_ok=True)
            shutil.copytree(kept, cache)
            spoil(cache / "seqlab" / "native" / library.name)

        yield Attack(name, words, prepare, lambda: os.environ.__setitem__("XDG_CACHE_HOME", str(cache)))


def _damage(content: bytes, seed: int = 0) -> Iterator[tuple[str, Spoil]]:
    dice = random.Random(seed)
    for length in (0, 1, 64, 4096, *(dice.randrange(len(content)) for _ in range(8))):
        yield f"{length} bytes", lambda file, length=length: file.write_bytes(content[:length])
    for _ in range(12):
        place = dice.randrange(len(content))
        changed = content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]
        yield f"a bit of byte {place}", lambda file, changed=changed: file.write_bytes(changed)
    yield "text", lambda file: file.write_text("no library")
    yield "longer", lambda file: file.write_bytes(content + b"x")
    yield "a link to itself", lambda file: (file.unlink(), file.symlink_to(file))
    yield "a link to nothing", lambda file: (file.unlink(), file.symlink_to(file.parent / "missing"))
    yield "a folder", lambda file: (file.unlink(), file.mkdir())
    yield "a pipe", lambda file: (file.unlink(), os.mkfifo(file))
    yield "what a dead builder left", lambda file: (file.parent / "building-dead" / "inside").mkdir(parents=True)
    yield "a file named as a builder", lambda file: (file.parent / "building-dead").touch()


def _planted(here: Path) -> Iterator[tuple[str, Spoil]]:
    """Sound libraries of somebody else, whose constructors would show that they were loaded."""
    source, evil = here / "evil.c", here / "evil.so"
    source.write_text(PLANTED.format(here / "PLANTED"))
    subprocess.run([shutil.which("cc") or "c++", "-shared", "-fPIC", source, "-o", evil], check=True)

    def named(file: Path, digest: str | None = None) -> Path:
        return file.with_name(".".join(filter(None, (file.name.split(".")[0], digest, "so"))))

    yield "another in its place", lambda file: shutil.copy(evil, file)
    yield "another by a link", lambda file: (file.unlink(), file.symlink_to(evil))
    yield "a hard link to another", lambda file: (file.unlink(), file.hardlink_to(evil))
    yield "another that all may write", lambda file: (shutil.copy(evil, file), file.chmod(0o666))
    yield "another of the same sources", lambda file: shutil.move(shutil.copy(evil, file), named(file, "0" * 64))
    yield "another by its old name", lambda file: (shutil.copy(evil, named(file)), file.unlink())
    yield "in a folder open to all", lambda file: (shutil.copy(evil, file), file.parent.chmod(0o777))
    if os.geteuid() == 0:
        yield "of somebody else", lambda file: (shutil.copy(evil, file), os.chown(file, 9999, 9999))
        yield "in a folder of somebody else", lambda file: (shutil.copy(evil, file), os.chown(file.parent, 9999, 9999))


def _folders(cache: Path) -> Iterator[tuple[str, Spoil]]:
    """Folders that cannot be used or trusted."""
    native = cache / "seqlab" / "native"
    yield "a file for a folder", lambda file: (shutil.rmtree(native), native.touch())
    yield "a link for a folder", lambda file: (native.rename(cache / "moved"), native.symlink_to(cache / "moved"))
    yield "a link to nothing for a folder", lambda file: (shutil.rmtree(native), native.symlink_to(cache / "missing"))
    yield "a folder above that all may write", lambda file: cache.chmod(0o777)
    yield "a file for the cache", lambda file: (shutil.rmtree(cache), cache.touch())
