from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr_models.data.captions.captioned_images import CaptionedImage
from ocr_models.data.captions.features import cached_features
from ocr_models.errors import UsageError
from ocr_models.records import Example
from tests.shards import write_shard


def pictures(folder, shades):
    """Gray pictures by name, each in its own shard."""
    images = []
    for name, gray in shades.items():
        data = cv2.imencode(".png", np.full((4, 6, 3), gray, np.uint8))[1].tobytes()
        images.append(CaptionedImage(name, write_shard(folder / name, [Example(name, data, "png", 4, 6)]), 0, ()))
    return images


def mean_gray(pixels):
    return np.array([[image.mean(), len(pixels)] for image in pixels], np.float32)


def test_each_picture_has_its_features_even_with_copies(tmp_path):
    shades = {"a": 10, "copy of a": 10, "b": 50, "c": 90}
    images = pictures(tmp_path, shades)
    cache = tmp_path / "some.features"
    assert cached_features(cache, 2, images, mean_gray).take(slice(None))[:, 0].tolist() == [10, 10, 50, 90]

    # Only the new one is computed; the others come from the file, also after a write that was cut off.
    cache.write_bytes(cache.read_bytes() + b"half a row")
    more = [*pictures(tmp_path, {"d": 200}), *images]
    features = cached_features(cache, 2, more, mean_gray)
    assert features.take(slice(None)).tolist() == [[200, 1], [10, 3], [10, 3], [50, 3], [90, 3]]
    assert features.take([4, 0])[:, 0].tolist() == [90, 200]


def test_broken_picture_is_named(tmp_path):
    shard = write_shard(tmp_path / "shard", [Example("torn", b"no picture", "png", 4, 6)])
    with pytest.raises(UsageError, match=r"shard: picture torn: .*; leave it out or replace it"):
        cached_features(tmp_path / "some.features", 2, [CaptionedImage("torn", shard, 0, ())], mean_gray)
