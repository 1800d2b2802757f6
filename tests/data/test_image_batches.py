import numpy as np

from seqlab.data.image_batches import ImagePart


def test_a_batch_has_the_images_of_its_rows() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    part = ImagePart(pixels, np.array([1, 0, -1, 1]))
    batch = part.batch(np.array([3, 2]), np.array([True, False]))
    assert batch.pixels.tolist() == pixels[[3, 2]].tolist()
    assert batch.labels.tolist() == [1, -1]
    assert batch.valid.tolist() == [True, False]
    assert batch.items.tolist() == [3, 2]
    assert part.batch(np.array([0])).valid.tolist() == [True]
