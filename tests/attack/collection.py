"""All attacks, by their kind."""

from collections.abc import Callable, Iterator

from . import checkpoints, configurations, disks, library, locks, numbers, pipes, readers, special
from .sound import Sound
from .verdict import Attack

KINDS: dict[str, Callable[[Sound], Iterator[Attack]]] = {
    "a changed value in a checkpoint, used": checkpoints.used,
    "a changed value in a checkpoint, gone on from": checkpoints.gone_on_from,
    "a changed option of the configuration in one": checkpoints.reconfigured,
    "a flipped bit or a cut in a checkpoint": checkpoints.damaged,
    "a damaged or planted compiled library": library.cached,
    "a hostile configuration": configurations.configurations,
    "a hostile value on the command line": configurations.typed,
    "a pipe, device, folder or socket to read": special.read,
    "a pipe, device, folder or socket to write": special.written,
    "odd bytes, vast lines and broken forms": readers.texts,
    "a broken compressed file": readers.compressed,
    "a broken picture": readers.pictures,
    "a lock that is held, left or spoilt": locks.locks,
    "a file that may not grow": disks.limited,
    "a file system that is full": disks.mounted,
    "an output on a full disk": disks.outputs,
    "a download to a full disk": disks.downloads,
    "an output that nobody reads": pipes.pipes,
    "a number or name that must be refused": numbers.refused,
    "a number out of range": numbers.out_of_range,
    "an option that means nothing": numbers.ignored,
}
