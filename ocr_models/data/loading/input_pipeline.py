"""Endless batches from shards, by ``tf.data``. Training from shards therefore needs TensorFlow with any Keras backend.

    shards, interleaved ─► shuffle ─► parse, decode, augment ─► bucket by width, or cut windows ─► pad, mask ─► prefetch

The batches are those of ``batches`` and ``captions.caption_batches``, made by the same functions. Pictures are decoded
and scaled by the code that also reads pages: TensorFlow's kernels convert colors to other gray values and show what is
hidden by transparency. Words go through Python in chunks, since a call costs more than a word.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ocr_models.captioning.views import random_view
from ocr_models.charset import Charset
from ocr_models.data.augmentation import degrade_word
from ocr_models.data.captions.caption_batches import shifted
from ocr_models.data.captions.captioned_images import picture_id
from ocr_models.data.dataset import find_shards, find_vocabulary, read_payloads
from ocr_models.data.loading.batches import (
    DETECTION_DPI,
    Arrays,
    known_text,
    page_windows,
    seen_page,
    teacher_forced,
    window_batch,
    word_batch,
)
from ocr_models.data.loading.skips import Reason, SkipCounts
from ocr_models.data.loading.training_examples import degraded
from ocr_models.errors import DocumentError, PagebeamError, UsageError
from ocr_models.geometry import known_places
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.io.sequence_example import parse_example
from ocr_models.recognition.crops import INPUT_HEIGHT, bucket_of, logit_length, resize_crop
from ocr_models.records import PageTruth
from ocr_models.vocabulary import Vocabulary

_OPEN_SHARDS = 8
# The sizes of the buffers for shuffling: encoded records, and decoded windows.
_SHUFFLED_WORDS, _SHUFFLED_PAGES, _SHUFFLED_PICTURES, _SHUFFLED_WINDOWS = 8192, 48, 512, 96
_CHUNK = 64  # words per call of Python
_CHUNK_BYTES = 1 << 16  # of records, which are read in chunks for the same reason
_CALLS = 2  # at the same time: one decodes or resizes while another holds the interpreter
_BATCHES_AHEAD = 4
_MIN_SIDE_PX = 4  # of a word


def recognition_dataset(
    pattern: str,
    charset: Charset,
    batch_size: int,
    seed: int = 1,
    augment: bool = True,
    attention: bool = False,
    deterministic: bool = False,
    counts: SkipCounts | None = None,
) -> tf.data.Dataset:
    """Batches of words of one width bucket, as ``batches.recognition_batches`` yields them.

    Args:
        pattern: shards, as for ``dataset.find_shards``.
        charset: words with other characters, even after ``normalize_text``, are skipped.
        batch_size: words per batch.
        seed: of the order and the augmentation.
        augment: degrade words as a scanner does.
        attention: make batches for an attention recognizer, as ``batches.attention_batches`` does.
        deterministic: give the same batches in the same order for the same seed, which is slower.
        counts: counts the skipped words.
    """
    chunks = _records(pattern, _SHUFFLED_WORDS, seed, deterministic).batch(_CHUNK)
    read = _WordReader(charset, seed, augment, counts or SkipCounts())
    words = chunks.enumerate().map(partial(_call, read, _WORDS), num_parallel_calls=_CALLS).unbatch()
    groups = words.group_by_window(
        lambda bucket, *_: bucket, lambda _, group: group.batch(batch_size), window_size=batch_size
    )
    pad = partial(_word_arrays, charset, len(charset) + 1 if attention else None)
    return _finished(groups.map(partial(_call, pad, _FOR_ATTENTION if attention else _FOR_CTC)), deterministic)


def detection_dataset(
    pattern: str,
    batch_size: int,
    window_px: int,
    shrink_ratio: float = 0.2,
    seed: int = 1,
    augment: bool = True,
    deterministic: bool = False,
    counts: SkipCounts | None = None,
) -> tf.data.Dataset:
    """Batches of page windows with their targets, as ``batches.detection_batches`` yields them.

    Pages are scaled as by the page reader, times 0.7 to 1.5.

    Args:
        pattern: shards, as for ``dataset.find_shards``.
        batch_size: windows per batch.
        window_px: side of a window, a multiple of 32.
        shrink_ratio: of the score map.
        seed: of the order, the scales, the windows and the augmentation.
        augment: degrade pages as a scanner does.
        deterministic: give the same batches in the same order for the same seed, which is slower.
        counts: counts the skipped pages.
    """
    pages = _records(pattern, _SHUFFLED_PAGES, seed, deterministic).enumerate()
    read = _PageReader(window_px, shrink_ratio, seed, augment, counts or SkipCounts())
    spec = _windows_spec(window_px)
    windows = pages.map(partial(_call, read, spec), num_parallel_calls=_CALLS).unbatch()
    return _finished(windows.shuffle(_SHUFFLED_WINDOWS, seed).batch(batch_size), deterministic)


def caption_dataset(
    pattern: str,
    vocabulary: Vocabulary,
    sides: tuple[int, int],
    batch_size: int,
    seed: int = 1,
    image_ids: Collection[str] | None = None,
    deterministic: bool = False,
    counts: SkipCounts | None = None,
) -> tf.data.Dataset:
    """Batches of pictures with the input ids, target ids and weights of their captions.

    The inputs are ``image`` uint8 (B, S, S, 3), cropped, mirrored and recolored at random, and ``input_ids`` (B, T);
    the truth is that of ``caption_batches.shifted``.

    Args:
        pattern: shards, as for ``dataset.find_shards``.
        vocabulary: of the ids in the batches; it may differ from the data set's.
        sides: of the resized picture and of the crop, in pixels.
        batch_size: captions per batch.
        seed: of the order and the augmentation.
        image_ids: the pictures to take; None for all.
        deterministic: give the same batches in the same order for the same seed, which is slower.
        counts: counts the broken pictures.
    """
    records = _records(pattern, _SHUFFLED_PICTURES, seed, deterministic).enumerate()
    read = _CaptionReader(find_vocabulary(pattern), vocabulary, sides, image_ids, seed, counts or SkipCounts())
    spec = (tf.TensorSpec((None, sides[1], sides[1], 3), tf.uint8), tf.TensorSpec((None, None), tf.int32))
    captions = records.map(partial(_call, read, spec), num_parallel_calls=_CALLS).unbatch()
    batches = captions.padded_batch(batch_size, padding_values=(np.uint8(0), np.int32(_NO_TOKEN)))
    spec = _captions_spec(sides[1])
    return _finished(batches.map(partial(_call, _caption_arrays, spec)), deterministic)


def shard_batches(make_dataset: Callable[..., tf.data.Dataset], seed: int) -> Iterator[Any]:
    """Yields the batches of a dataset as arrays. Runs in a worker process and leaves the GPUs to the trainer.

    Raises:
        PagebeamError: a shard is damaged.
    """
    with contextlib.suppress(RuntimeError):  # TensorFlow is already initialized: this is the trainer's process
        tf.config.set_visible_devices([], "GPU")
    try:
        yield from make_dataset(seed=seed).as_numpy_iterator()
    except tf.errors.UnknownError as error:  # an exception of Python, of which TensorFlow keeps the text
        message = error.message.partition(f"{UsageError.__name__}: ")[2].partition("\nTraceback")[0].strip()
        if not message:
            raise
        raise PagebeamError(message) from error


_NO_TOKEN = -1
_IDS, _LENGTHS = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)
_CROPS = tf.TensorSpec((None, INPUT_HEIGHT, None, 1), tf.uint8)
# A chunk of words: bucket, width, pixels, text.
_WORDS = tuple(tf.TensorSpec((None,), dtype) for dtype in (tf.int64, tf.int64, tf.string, tf.string))
_FOR_CTC = (_CROPS, {"labels": _IDS, "label_length": _LENGTHS, "logit_length": _LENGTHS})
_FOR_ATTENTION = (
    {"image": _CROPS, "logit_length": _LENGTHS, "token_ids": _IDS},
    {"targets": _IDS, "weights": tf.TensorSpec((None, None), tf.float32)},
)


def _windows_spec(side: int) -> Any:
    cells = side // 4
    channels = {"score_map": 1, "geometry_map": 5, "training_mask": 1}
    maps = {name: tf.TensorSpec((None, cells, cells, count), tf.float32) for name, count in channels.items()}
    return tf.TensorSpec((None, side, side, 1), tf.uint8), maps


def _captions_spec(side: int) -> Any:
    inputs = {"image": tf.TensorSpec((None, side, side, 3), tf.uint8), "input_ids": _IDS}
    return inputs, {"target_ids": _IDS, "weights": tf.TensorSpec((None, None), tf.float32)}


def _records(pattern: str, shuffled: int, seed: int, deterministic: bool) -> tf.data.Dataset:
    """Endless records of interleaved shards, in another order in each pass."""
    shards = [str(path) for path in find_shards(pattern)]
    files = tf.data.Dataset.from_tensor_slices(shards)
    records = files.shuffle(len(shards), seed).interleave(
        _records_of,
        cycle_length=min(_OPEN_SHARDS, len(shards)),
        num_parallel_calls=min(_CALLS, len(shards)),
        deterministic=deterministic,
    )
    return records.shuffle(shuffled, seed).repeat()


def _records_of(shard: tf.Tensor) -> tf.data.Dataset:
    """The records of a shard.

    TensorFlow's own reader takes a file that ends within a record's header, or has an empty gzip member before its
    end, for a whole one with fewer records: findings/tensorflow_gzip_empty_member.sh.
    """
    spec = tf.TensorSpec((None,), tf.string)
    return tf.data.Dataset.from_generator(_payload_chunks, args=(shard,), output_signature=spec).unbatch()


def _payload_chunks(shard: bytes) -> Iterator[np.ndarray]:
    chunk: list[bytes] = []
    size = 0
    for payload in read_payloads(Path(os.fsdecode(shard))):
        chunk.append(payload)
        size += len(payload)
        if size >= _CHUNK_BYTES:
            yield _strings(chunk)
            chunk, size = [], 0
    yield _strings(chunk)


def _finished(batches: tf.data.Dataset, deterministic: bool) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = deterministic
    return batches.prefetch(_BATCHES_AHEAD).with_options(options)


def _call(function: Callable[..., Any], spec: Any, *inputs: tf.Tensor) -> Any:
    """Calls a Python function on arrays; the results have the structure and shapes of ``spec``."""
    specs = tf.nest.flatten(spec)
    results = tf.numpy_function(
        lambda *arrays: tf.nest.flatten(function(*arrays)), inputs, [each.dtype for each in specs], stateful=False
    )
    for result, each in zip(results, specs, strict=True):
        result.set_shape(each.shape)
    return tf.nest.pack_sequence_as(spec, results)


class _WordReader:
    """Turns a chunk of records into the usable words, resized as for reading."""

    def __init__(self, charset: Charset, seed: int, augment: bool, counts: SkipCounts) -> None:
        self._charset, self._seed, self._augment, self._counts = charset, seed, augment, counts

    def __call__(self, chunk: int, records: np.ndarray) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng((self._seed, chunk))
        crops, texts = [], []
        for record in records:
            word = self._read(record, rng)
            if isinstance(word, Reason):
                self._counts.add(word)
            else:
                crops.append(word[0])
                texts.append(word[1].encode())
        self._counts.add_seen(len(records))
        widths = np.array([crop.shape[1] for crop in crops], np.int64)
        buckets = np.array([bucket_of(width) for width in widths], np.int64)
        return buckets, widths, _strings([crop.tobytes() for crop in crops]), _strings(texts)

    def _read(self, record: bytes, rng: np.random.Generator) -> tuple[np.ndarray, str] | Reason:
        try:
            example = parse_example(record)
            image = decode_image(example.data).pixels
        except DocumentError:
            return Reason.BROKEN
        if not any(example.texts) or example.ignore.all():
            return Reason.NO_TEXT
        text = known_text(example.texts[0], self._charset)
        if text is None:
            return Reason.OUTSIDE_CHARSET
        if min(image.shape) < _MIN_SIDE_PX:
            return Reason.TOO_SMALL
        crop = resize_crop(degrade_word(image, rng) if self._augment else image)
        return (crop, text) if len(text) <= logit_length(crop.shape[1]) else Reason.TOO_LONG


def _word_arrays(
    charset: Charset,
    start_id: int | None,
    buckets: np.ndarray,
    widths: np.ndarray,
    pixels: np.ndarray,
    texts: np.ndarray,
) -> tuple[Any, Arrays]:
    """Pads the words of one bucket, and makes their labels."""
    crops = [np.frombuffer(crop, np.uint8).reshape(INPUT_HEIGHT, -1) for crop in pixels]
    words = [(crop, text.decode()) for crop, text in zip(crops, texts, strict=True)]
    images, truth = word_batch(words, int(buckets[0]), charset)
    return (images, truth) if start_id is None else teacher_forced(images, truth, start_id)


class _PageReader:
    """Turns a record into windows of its page with their targets."""

    def __init__(self, window_px: int, shrink_ratio: float, seed: int, augment: bool, counts: SkipCounts) -> None:
        self._window_px, self._shrink_ratio, self._seed = window_px, shrink_ratio, seed
        self._augment, self._counts = augment, counts

    def __call__(self, index: int, record: bytes) -> Any:
        rng = np.random.default_rng((self._seed, index))
        self._counts.add_seen(1)
        page = self._read(record, rng)
        if isinstance(page, Reason):
            self._counts.add(page)
            spec = _windows_spec(self._window_px)
            return tf.nest.map_structure(lambda x: np.zeros((0, *x.shape[1:]), x.dtype.as_numpy_dtype), spec)
        page = degraded(page, rng) if self._augment else page
        return window_batch(list(page_windows(page, self._window_px, rng)), self._shrink_ratio)

    def _read(self, record: bytes, rng: np.random.Generator) -> PageTruth | Reason:
        try:
            example = parse_example(record)
            if not known_places(example.quads).all():
                return Reason.UNPLACED  # its texts would be learned as background
            return seen_page(example, float(np.exp(rng.uniform(*np.log(DETECTION_DPI)))) / 100)
        except DocumentError:
            return Reason.BROKEN


class _CaptionReader:
    """Turns a record into its picture, randomly varied, and the ids of its caption; or into nothing."""

    def __init__(
        self,
        of_shards: Vocabulary,
        vocabulary: Vocabulary,
        sides: tuple[int, int],
        image_ids: Collection[str] | None,
        seed: int,
        counts: SkipCounts,
    ) -> None:
        self._of_shards, self._vocabulary, self._sides = of_shards, vocabulary, sides
        self._image_ids = None if image_ids is None else frozenset(image_ids)
        self._seed, self._counts = seed, counts

    def __call__(self, index: int, record: bytes) -> tuple[np.ndarray, np.ndarray]:
        nothing = np.zeros((0, self._sides[1], self._sides[1], 3), np.uint8), np.zeros((0, 0), np.int32)
        self._counts.add_seen(1)
        try:
            example = parse_example(record)
            if self._image_ids is not None and picture_id(example) not in self._image_ids:
                return nothing
            image = decode_image(example.data, ColorMode.RGB).pixels
        except DocumentError:
            self._counts.add(Reason.BROKEN)
            return nothing
        words = example.caption or self._of_shards.decode(example.caption_ids)
        ids = np.array([self._vocabulary.encode(words)], np.int32)
        return random_view(image, *self._sides, np.random.default_rng((self._seed, index)))[None], ids


def _caption_arrays(images: np.ndarray, ids: np.ndarray) -> tuple[Arrays, Arrays]:
    input_ids, truth = shifted([row[row != _NO_TOKEN].tolist() for row in ids])
    return {"image": images, "input_ids": input_ids}, truth


def _strings(values: list[bytes]) -> np.ndarray:
    return np.array([*values, b""], object)[:-1]  # an array of objects even if empty
