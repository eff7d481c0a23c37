"""Batches from shards, by ``tf.data``: the only place outside Keras that needs TensorFlow.

    shards, interleaved ─► shuffle ─► parse, decode, augment ─► bucket by width, or cut windows ─► pad, mask ─► prefetch

What comes out is what ``batches`` and ``captioning.batches`` make, by the same functions, endlessly. Pictures are
decoded and scaled by the code that does it when pages are read: TensorFlow's kernels give colors another gray and show
what lies under transparency. Words go through Python in chunks, as a call costs more than a word.
"""

from __future__ import annotations

import contextlib
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
from ocr_models.data.dataset import find_shards, find_vocabulary
from ocr_models.data.loading.batches import (
    DETECTION_DPI,
    known_text,
    page_windows,
    seen_page,
    teacher_forced,
    window_batch,
    word_batch,
)
from ocr_models.data.loading.skips import Reason, SkipCounts
from ocr_models.data.loading.training_examples import degraded
from ocr_models.errors import DocumentError, PagebeamError
from ocr_models.geometry import known_places
from ocr_models.io.images import ColorMode, decode_image
from ocr_models.io.sequence_example import parse_example
from ocr_models.io.tfrecord import is_gzip
from ocr_models.recognition.crops import INPUT_HEIGHT, bucket_of, logit_length, resize_crop
from ocr_models.records import PageTruth
from ocr_models.vocabulary import Vocabulary

_OPEN_SHARDS = 8
# Records that wait in memory, packed as they are, to be drawn from at random; and windows, unpacked.
_SHUFFLED_WORDS, _SHUFFLED_PAGES, _SHUFFLED_PICTURES, _SHUFFLED_WINDOWS = 8192, 48, 512, 96
_CHUNK = 64  # words for a call of Python
_CALLS = 2  # at a time: one decodes or resizes while another has the interpreter
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
    """Batches of words of one width bucket, as ``batches.recognition_batches`` gives them.

    Args:
        pattern: shards, as ``dataset.find_shards`` takes them.
        charset: words with other characters, also after ``normalize_text``, are skipped.
        batch_size: words a batch.
        seed: of the order and of what augmentation does.
        augment: degrade words as a scanner would.
        attention: make batches for an attention recognizer, as ``batches.attention_batches`` does.
        deterministic: the same seed gives the same batches in the same order, at some cost.
        counts: where skipped words are counted.
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
    """Batches of page windows with their targets, as ``batches.detection_batches`` gives them.

    Pages are seen at the scale that the page reader would choose, times 0.7 to 1.5.

    Args:
        pattern: shards, as ``dataset.find_shards`` takes them.
        batch_size: windows a batch.
        window_px: side of a window, a multiple of 32.
        shrink_ratio: of the score map.
        seed: of the order, the scales, the windows and of what augmentation does.
        augment: degrade pages as a scanner would.
        deterministic: the same seed gives the same batches in the same order, at some cost.
        counts: where broken pages are counted.
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
    the truth is that of ``captioning.batches.shifted``.

    Args:
        pattern: shards, as ``dataset.find_shards`` takes them.
        vocabulary: what the ids count in; it need not be the data set's.
        sides: of the resized picture and of the crop.
        batch_size: captions a batch.
        seed: of the order and of what augmentation does.
        image_ids: the pictures to take; None for all.
        deterministic: the same seed gives the same batches in the same order, at some cost.
        counts: where broken pictures are counted.
    """
    records = _records(pattern, _SHUFFLED_PICTURES, seed, deterministic).enumerate()
    read = _CaptionReader(find_vocabulary(pattern), vocabulary, sides, image_ids, seed, counts or SkipCounts())
    spec = (tf.TensorSpec((None, sides[1], sides[1], 3), tf.uint8), tf.TensorSpec((None, None), tf.int32))
    captions = records.map(partial(_call, read, spec), num_parallel_calls=_CALLS).unbatch()
    batches = captions.padded_batch(batch_size, padding_values=(np.uint8(0), np.int32(_NO_TOKEN)))
    spec = _captions_spec(sides[1])
    return _finished(batches.map(partial(_call, _caption_arrays, spec)), deterministic)


def shard_batches(make_dataset: Callable[..., tf.data.Dataset], seed: int) -> Iterator[Any]:
    """The batches of a dataset as arrays; runs in a worker process, which leaves the GPUs to the trainer.

    Raises:
        PagebeamError: a shard is damaged.
    """
    with contextlib.suppress(RuntimeError):  # TensorFlow is in use already: this is the trainer's own process
        tf.config.set_visible_devices([], "GPU")
    try:
        yield from make_dataset(seed=seed).as_numpy_iterator()
    except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
        raise PagebeamError(
            f"a shard is damaged ({error.message}); pagebeam inspect tells which: copy it again or prepare it anew"
        ) from error


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


def _compression_type(shard: Path) -> str:
    with shard.open("rb") as file:
        return "GZIP" if is_gzip(file) else ""


def _records(pattern: str, shuffled: int, seed: int, deterministic: bool) -> tf.data.Dataset:
    """Records of interleaved shards in another order each time, endlessly."""
    shards = find_shards(pattern)
    kinds = [_compression_type(path) for path in shards]
    files = tf.data.Dataset.from_tensor_slices(([str(path) for path in shards], kinds))
    records = files.shuffle(len(shards), seed).interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(_OPEN_SHARDS, len(shards)),
        num_parallel_calls=min(_CALLS, len(shards)),
        deterministic=deterministic,
    )
    return records.shuffle(shuffled, seed).repeat()


def _finished(batches: tf.data.Dataset, deterministic: bool) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = deterministic
    return batches.prefetch(_BATCHES_AHEAD).with_options(options)


def _call(function: Callable[..., Any], spec: Any, *inputs: tf.Tensor) -> Any:
    """Results of a Python function of arrays, in the structure and with the shapes of ``spec``."""
    specs = tf.nest.flatten(spec)
    results = tf.numpy_function(
        lambda *arrays: tf.nest.flatten(function(*arrays)), inputs, [each.dtype for each in specs], stateful=False
    )
    for result, each in zip(results, specs, strict=True):
        result.set_shape(each.shape)
    return tf.nest.pack_sequence_as(spec, results)


class _WordReader:
    """Makes a chunk of records the words that can be learned, resized as for reading."""

    def __init__(self, charset: Charset, seed: int, augment: bool, counts: SkipCounts):
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


def _word_arrays(charset: Charset, start_id: int | None, buckets, widths, pixels, texts):
    """Words of one bucket, padded, with their labels."""
    crops = [np.frombuffer(crop, np.uint8).reshape(INPUT_HEIGHT, -1) for crop in pixels]
    words = [(crop, text.decode()) for crop, text in zip(crops, texts, strict=True)]
    images, truth = word_batch(words, int(buckets[0]), charset)
    return (images, truth) if start_id is None else teacher_forced(images, truth, start_id)


class _PageReader:
    """Makes a record windows of its page with their targets."""

    def __init__(self, window_px: int, shrink_ratio: float, seed: int, augment: bool, counts: SkipCounts):
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
    """Makes a record its picture, varied, and the ids of its caption; or nothing."""

    def __init__(
        self,
        of_shards: Vocabulary,
        vocabulary: Vocabulary,
        sides: tuple[int, int],
        image_ids: Collection[str] | None,
        seed: int,
        counts: SkipCounts,
    ):
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


def _caption_arrays(images: np.ndarray, ids: np.ndarray):
    input_ids, truth = shifted([row[row != _NO_TOKEN].tolist() for row in ids])
    return {"image": images, "input_ids": input_ids}, truth


def _strings(values: list[bytes]) -> np.ndarray:
    return np.array([*values, b""], object)[:-1]  # of objects even where there are none
