"""Writes small shards for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from ocr_models.io.sequence_example import serialize_example
from ocr_models.io.tfrecord import write_records
from ocr_models.records import Example
from ocr_models.vocabulary import Vocabulary, tokenize
from tests.captioning.pictures import COLORS, picture


def write_shard(path: Path, examples: Iterable[Example]) -> Path:
    """Writes one shard and creates its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_records(file, map(serialize_example, examples))
    return path


def word_example(image: np.ndarray, text: str, image_id: str = "", ignore: bool = False) -> Example:
    """A crop, uint8 (H, W), as a recognition example."""
    height, width = image.shape
    edge = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    return Example(image_id, _png(image), "png", height, width, edge, (text,), np.array([ignore]))


def page_example(image: np.ndarray, quads: np.ndarray, texts: Iterable[str], image_id: str = "") -> Example:
    """A page, uint8 (H, W), as a detection example."""
    quads = np.asarray(quads, np.float32).reshape(-1, 4, 2)
    return Example(image_id, _png(image), "png", *image.shape, quads, tuple(texts), np.zeros(len(quads), bool))


def striped_word(text: str, height: int = 32) -> np.ndarray:
    """A crop with a stripe for each character, whose gray is the character's code: uint8 (height, 12 per character)."""
    columns = [np.full((height, 12), 255, np.uint8) for _ in text]
    for column, char in zip(columns, text, strict=True):
        column[height // 4 : -height // 4, 2:-2] = ord(char)
    return np.concatenate(columns, axis=1)


def write_captions(folder: Path, copies: int = 1, split: str = "train", vocabulary: Vocabulary | None = None) -> Path:
    """Writes a shard of colored boxes with two captions each, and ``vocabulary.txt``; returns the folder."""
    named = [(f"{color}-{copy}", color) for copy in range(copies) for color in COLORS]
    texts = ["A {} box, on white paper .", "There is a {} box on white paper"]
    captions = [(name, color, tokenize(text.format(color))) for name, color in named for text in texts]
    vocabulary = vocabulary or Vocabulary.build((caption for _, _, caption in captions), 1)
    write_shard(
        folder / f"{split}-00000-of-00001.tfrecord",
        (
            Example(
                name,
                _png(picture(color)[..., ::-1]),
                "png",
                60,
                80,
                caption=caption,
                caption_ids=tuple(vocabulary.encode(caption)),
            )
            for name, color, caption in captions
        ),
    )
    vocabulary.save(folder / "vocabulary.txt")
    return folder


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()
