import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqlab.data.image_files import read_folder, read_idx, read_picture
from seqlab.errors import UserError


def idx(path: Path, array: np.ndarray, magic: int) -> Path:
    content = struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(5, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize("ending", ["idx3-ubyte", "idx3-ubyte.gz"])
def test_idx_files_are_read_and_each_image_again_by_its_name(tmp_path: Path, images: np.ndarray, ending: str) -> None:
    labels = idx(tmp_path / "labels-idx1-ubyte", np.array([3, 1, 4, 1, 5], np.uint8), 0x801)
    found = read_idx(idx(tmp_path / f"images-{ending}", images, 0x803), labels)
    assert np.array_equal(found.pixels, images)
    assert found.labels == ["3", "1", "4", "1", "5"]
    assert np.array_equal(read_picture(found.names[2]), images[2])
    with pytest.raises(UserError, match="there are images 0 to 4"):
        read_picture(f"{tmp_path / f'images-{ending}'}:5")


@pytest.mark.parametrize("damage", ["cut", "longer", "kind", "empty", "dimensions"])
def test_what_is_no_whole_idx_file_is_refused(tmp_path: Path, images: np.ndarray, damage: str) -> None:
    path = idx(tmp_path / "images-idx3-ubyte", images, 0x803)
    content = path.read_bytes()
    changed = {
        "cut": content[:-1],
        "longer": content + b"\0",
        "kind": b"\0\0\x0d\x03" + content[4:],
        "empty": b"",
        "dimensions": content[:4] + b"\xff" * 12 + content[16:],
    }
    path.write_bytes(changed[damage])
    labels = idx(tmp_path / "labels-idx1-ubyte", np.zeros(5, np.uint8), 0x801)
    with pytest.raises(UserError, match="is no IDX file of images, or not a whole one; get it again"):
        read_idx(path, labels)


def test_images_and_labels_must_be_as_many(tmp_path: Path, images: np.ndarray) -> None:
    labels = idx(tmp_path / "labels-idx1-ubyte", np.zeros(4, np.uint8), 0x801)
    with pytest.raises(UserError, match="5 images and .* 4 labels"):
        read_idx(idx(tmp_path / "images-idx3-ubyte", images, 0x803), labels)


def picture(path: Path, grey: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)


def test_a_folder_of_each_class_is_read_in_the_order_of_names(tmp_path: Path, images: np.ndarray) -> None:
    for label, row in (("b", 0), ("a", 1), ("a", 2)):
        picture(tmp_path / label / f"{row}.png", images[row])
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    found = read_folder(tmp_path)
    assert found.labels == ["a", "a", "b"]
    assert np.array_equal(found.pixels, images[[1, 2, 0]])


def test_pictures_of_other_sizes_are_scaled_or_refused(tmp_path: Path, images: np.ndarray) -> None:
    picture(tmp_path / "a" / "1.png", images[0])
    picture(tmp_path / "b" / "1.png", images[0].T.copy())
    with pytest.raises(UserError, match=r"is of 3 x 4 pixels and .* of 4 x 3; give --data.image_size N"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, (6, 6)).pixels.shape == (2, 6, 6)


def test_what_is_no_picture_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="has no folders with pictures"):
        read_folder(tmp_path)
    (tmp_path / "a" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(UserError, match=r"cannot read the picture .*1\.png"):
        read_folder(tmp_path)
    with pytest.raises(UserError, match="nothere"):
        read_folder(tmp_path / "nothere")
    with pytest.raises(UserError, match="cannot read the picture /dev/zero"):
        read_picture("/dev/zero")


def test_a_file_that_has_changed_is_read_again(tmp_path: Path, images: np.ndarray) -> None:
    path = idx(tmp_path / "images-idx3-ubyte", images, 0x803)
    assert np.array_equal(read_picture(f"{path}:1"), images[1])
    idx(path, images[::-1].copy(), 0x803)
    os.utime(path, ns=(1, 1))
    assert np.array_equal(read_picture(f"{path}:1"), images[-2])
