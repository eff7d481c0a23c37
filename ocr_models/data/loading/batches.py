"""Training examples as arrays for the models. Worker processes run this, so it doesn't import Keras."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from ocr_models.charset import Charset, normalize_text
from ocr_models.data.loading.training_examples import DataConfig, degraded, page_examples, word_examples
from ocr_models.detection.scales import first_scale, largest_scale, scale_for_text
from ocr_models.detection.targets import make_targets
from ocr_models.errors import DocumentError, UsageError
from ocr_models.geometry import known_places, quad_sizes
from ocr_models.io.images import decode_image
from ocr_models.recognition.crops import WIDTH_BUCKETS, bucket_of, logit_length, pad_crops, resize_crop
from ocr_models.records import Example, PageTruth, WordTruth

Arrays = dict[str, np.ndarray]

# The detector sees a page at about 100 dpi; the range covers other print sizes and scales.
DETECTION_DPI = (70.0, 150.0)
WINDOWS_A_PAGE = 6
_LONGEST_WORD_PX = 512
_SHUFFLED_WINDOWS = 96
_SHUFFLED_WORDS, _SHUFFLED_WITH_LINES = 4096, 2048  # the latter fill as many bytes as 10,000 words
_WORD_COLUMNS = 160  # if there are lines, as many words of at most this width are in a batch as its size says


def recognition_batches(
    config: DataConfig, charset: Charset, batch_size: int, seed: int
) -> Iterator[tuple[np.ndarray, Arrays]]:
    """Endless batches of words and lines of one width bucket: crops (B, 32, W, 1) uint8, labels and lengths.

    B is the batch size; if ``config`` has lines, it is smaller for wide buckets, so that a step costs much the same.
    """
    rng = np.random.default_rng(seed)
    buckets: dict[int, list[tuple[np.ndarray, str]]] = collections.defaultdict(list)
    shuffled = _SHUFFLED_WITH_LINES if config.line_share else _SHUFFLED_WORDS
    columns = _WORD_COLUMNS if config.line_share else WIDTH_BUCKETS[-1]
    for word in _shuffled(word_examples(config, charset, seed), shuffled, rng):
        crop = resize_crop(word.image)
        if len(word.text) > logit_length(crop.shape[1]):
            continue  # less than four pixels per character: CTC can't align it
        bucket = bucket_of(crop.shape[1])
        buckets[bucket].append((crop, word.text))
        if len(buckets[bucket]) >= min(batch_size, max(8, batch_size * columns // bucket)):
            yield word_batch(buckets.pop(bucket), bucket, charset)


def teacher_forced(images: np.ndarray, truth: Arrays, start_id: int) -> tuple[Arrays, Arrays]:
    """Turns a batch for CTC into one for an attention recognizer (``ocr_models.recognition.attention_network``).

    Args:
        images: crops (B, 32, W, 1).
        truth: "labels" (B, L) padded with 0, "label_length" (B,), "logit_length" (B,).
        start_id: the first input of the decoder.

    Returns:
        The inputs "image", "logit_length" and "token_ids" (B, L + 1), which are the start id and then the labels; and
        the truth "targets" (B, L + 1), which are the labels and then the end, with "weights" (B, L + 1), 1 up to the
        end and 0 on the padding.
    """
    labels, lengths = truth["labels"], truth["label_length"]
    ends = np.zeros((len(labels), 1), labels.dtype)
    targets = np.concatenate([labels, ends], axis=1)  # padded with 0, which is the end's class
    weights = np.arange(targets.shape[1]) <= lengths[:, None]
    token_ids = np.concatenate([np.full_like(ends, start_id), labels], axis=1)
    inputs = {"image": images, "logit_length": truth["logit_length"], "token_ids": token_ids}
    return inputs, {"targets": targets, "weights": weights.astype(np.float32)}


def attention_batches(
    config: DataConfig, charset: Charset, batch_size: int, seed: int
) -> Iterator[tuple[Arrays, Arrays]]:
    """``recognition_batches`` for an attention recognizer, whose start id is the one after its classes."""
    for images, truth in recognition_batches(config, charset, batch_size, seed):
        yield teacher_forced(images, truth, start_id=len(charset) + 1)


def word_batch(words: list[tuple[np.ndarray, str]], width: int, charset: Charset) -> tuple[np.ndarray, Arrays]:
    """Makes padded arrays of crops (32, w) and their texts, as ``recognition_batches`` yields them."""
    images = pad_crops([crop for crop, _ in words], width)[..., None]
    lengths = np.array([len(text) for _, text in words], np.int32)
    # Labels are padded to a multiple of 8, or 32 for lines, since the training step is recompiled for each shape.
    multiple = 8 if width <= _LONGEST_WORD_PX else 32
    labels = np.zeros((len(words), -(-int(lengths.max()) // multiple) * multiple), np.int32)
    for i, (_, text) in enumerate(words):
        labels[i, : len(text)] = charset.encode(text)
    steps = np.array([logit_length(crop.shape[1]) for crop, _ in words], np.int32)
    return images, {"labels": labels, "label_length": lengths, "logit_length": steps}


def detection_batches(
    config: DataConfig, batch_size: int, window_px: int, shrink_ratio: float, seed: int
) -> Iterator[tuple[np.ndarray, Arrays]]:
    """Endless batches of page windows (B, S, S, 1) uint8 with the maps of ``make_targets``."""
    rng = np.random.default_rng(seed + 1)
    batch = []
    pages = page_examples(config, DETECTION_DPI, seed)
    windows = (window for page in pages for window in page_windows(degraded(page, rng), window_px, rng))
    for window in _shuffled(windows, _SHUFFLED_WINDOWS, rng):
        batch.append(window)
        if len(batch) == batch_size:
            yield window_batch(batch, shrink_ratio)
            batch = []


def window_batch(windows: list[PageTruth], shrink_ratio: float) -> tuple[np.ndarray, Arrays]:
    """Makes an array of windows of one size (H, W), multiples of 32, with their targets."""
    height, width = windows[0].image.shape
    targets = [make_targets(w.quads, w.ignore, height, width, shrink_ratio) for w in windows]
    score, geometry, mask = (np.stack(maps) for maps in zip(*targets, strict=True))
    images = np.stack([w.image for w in windows])[..., None]
    return images, {"score_map": score, "geometry_map": geometry, "training_mask": mask}


def page_windows(page: PageTruth, size: int, rng: np.random.Generator) -> Iterator[PageTruth]:
    """Yields one window anywhere, and the others around random words, so that few are empty."""
    centers = page.quads[~page.ignore].mean(axis=1) if (~page.ignore).any() else np.zeros((0, 2))
    for i in range(WINDOWS_A_PAGE):
        height, width = page.image.shape
        if i and len(centers):
            x, y = centers[rng.integers(len(centers))] - rng.uniform(0.1, 0.9, 2) * size
        else:
            x, y = rng.uniform(0, max(1, width - size)), rng.uniform(0, max(1, height - size))
        yield cut_window(
            page, int(np.clip(x, 0, max(0, width - size))), int(np.clip(y, 0, max(0, height - size))), size
        )


def cut_window(page: PageTruth, x: int, y: int, size: int) -> PageTruth:
    """Cuts out a square window with its words; it is white beyond the edges of the page.

    Words of which less than half is inside are ignored, since their extent can't be seen.
    """
    view = page.image[y : y + size, x : x + size]
    bottom, right = size - view.shape[0], size - view.shape[1]
    image = cv2.copyMakeBorder(view, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=255)
    quads = page.quads - np.array([x, y], np.float32)
    low, high = quads.min(axis=1), quads.max(axis=1)
    touches = (high > 0).all(axis=1) & (low < size).all(axis=1)
    quads, low, high = quads[touches], low[touches], high[touches]
    inside = np.clip(high, 0, size) - np.clip(low, 0, size)
    shown = inside.prod(axis=1) / np.maximum((high - low).prod(axis=1), 1e-6)
    texts = tuple(text for text, kept in zip(page.texts, touches, strict=True) if kept)
    return PageTruth(image, quads, texts, page.ignore[touches] | (shown < 0.5))


def known_text(text: str, charset: Charset) -> str | None:
    """The text, as it is or normalized, whichever the charset covers; None if it covers neither."""
    return next((known for known in (text, normalize_text(text)) if known in charset), None)


def seen_page(example: Example, factor: float = 1.0) -> PageTruth:
    """Scales a page as the page reader does for its detector, times ``factor``.

    Raises:
        DocumentError: the picture is broken.
    """
    image = decode_image(example.data).pixels
    heights = quad_sizes(example.quads[~example.ignore])[:, 1]
    text_px = float(np.median(heights)) if len(heights) else 0.0
    best = scale_for_text(first_scale(*image.shape), text_px)
    scale = factor * min(best, largest_scale(*image.shape))
    size = [max(1, round(side * scale)) for side in reversed(image.shape)]
    seen = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    factors = np.array([seen.shape[1] / image.shape[1], seen.shape[0] / image.shape[0]], np.float32)
    return PageTruth(seen, example.quads * factors, example.texts, example.ignore)


def validation_words(config: DataConfig, charset: Charset, count: int, seed: int) -> list[WordTruth]:
    """Words from pages that training doesn't see, the same for the same seed."""
    return _take(word_examples(config, charset, seed, validation=True), count)


def validation_pages(config: DataConfig, count: int, seed: int) -> list[PageTruth]:
    """Whole degraded pages at 100 dpi that training doesn't see, the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [degraded(page, rng) for page in _take(page_examples(config, (100, 100), seed, validation=True), count)]


def labelled_words(examples: Iterable[Example], charset: Charset, count: int) -> list[WordTruth]:
    """The first words of recognition examples with a text, which may have characters outside the charset.

    Raises:
        UsageError: a picture is broken, or there is no such word.
    """
    readable = (example for example in examples if any(example.texts) and not example.ignore.all())
    words = [
        WordTruth(_pixels(example), known_text(example.texts[0], charset) or example.texts[0])
        for example in itertools.islice(readable, count)
    ]
    if not words:
        raise UsageError("the validation shards have no word with a text; give others with --validation")
    return words


def labelled_pages(examples: Iterable[Example], count: int) -> list[PageTruth]:
    """The first pages of detection examples whose places are all known, scaled as for the page reader's detector.

    Raises:
        UsageError: a picture is broken, or there is no page.
    """
    pages = []
    placed = (example for example in examples if known_places(example.quads).all())
    for example in itertools.islice(placed, count):
        try:
            pages.append(seen_page(example))
        except DocumentError as error:
            raise _broken(example, error) from error
    if not pages:
        raise UsageError("the validation shards have no page with known places; give others with --validation")
    return pages


def _pixels(example: Example) -> np.ndarray:
    try:
        return decode_image(example.data).pixels
    except DocumentError as error:
        raise _broken(example, error) from error


def _broken(example: Example, error: DocumentError) -> UsageError:
    return UsageError(f"validation picture {example.image_id}: {error}; leave it out or replace it")


def _take(items: Iterator, count: int) -> list:
    return [item for _, item in zip(range(count), items, strict=False)]


def _shuffled(items: Iterator, size: int, rng: np.random.Generator) -> Iterator:
    """Yields the items in an order shuffled by a buffer of ``size``."""
    buffer: list = []
    for item in items:
        buffer.append(item)
        if len(buffer) >= size:
            i = int(rng.integers(len(buffer)))
            buffer[i], buffer[-1] = buffer[-1], buffer[i]
            yield buffer.pop()
