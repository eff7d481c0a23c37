"""Makes examples from a picture's bytes and its labels, in the same steps for all formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocr_models.data.sources.pictures import CheckedPicture, encode_picture, picture_of, read_picture
from ocr_models.data.sources.quads import FittedQuad, fit_quad
from ocr_models.data.sources.source import Files, LabelledPicture, RejectedPicture, SourceItem
from ocr_models.errors import DocumentError, Stage
from ocr_models.geometry import box_quads, quad_boxes, transform_quads
from ocr_models.io.files import open_regular
from ocr_models.pages.word_crops import cut_words, level_page, page_skew
from ocr_models.records import Example, PageTruth, Task, WordTruth
from ocr_models.vocabulary import tokenize

_ESCAPED = re.compile(r'\\(["\\])|""')


@dataclass(frozen=True)
class TextLabel:
    """A text and its place as a format states them.

    Attributes:
        text: "" if it is not known.
        corners: x and y of four corners, clockwise from the text's top-left; or xmin, ymin, xmax, ymax of a box, which
            doesn't tell in which direction the text runs; or empty if the place is not known. In pixels of the picture
            as stored, before EXIF's orientation is applied.
        ignore: whether the place counts neither as text nor as background.
    """

    text: str
    corners: tuple[float, ...]
    ignore: bool = False


def read_or_reject(
    item: SourceItem,
    path: str | None,
    label: Callable[[bytes], LabelledPicture],
    span: tuple[int, int] | None = None,
) -> Iterator[LabelledPicture | RejectedPicture]:
    """Reads and labels the one picture of an item; yields a RejectedPicture if that raises DocumentError.

    Args:
        item: its labels may be a DocumentError, which says why it has no labels or no picture.
        path: the local path of the picture; None if there is none.
        label: labels the picture, given its bytes.
        span: the picture is only this part of the file: the positions of its first byte and after its last.
    """
    data = None
    try:
        data = _read(path, span) if path else None
        if isinstance(item.labels, DocumentError):
            raise item.labels
        if data is None:
            raise DocumentError(Stage.OPEN, "there are labels of it, but no picture")
        yield label(data)
    except DocumentError as error:
        yield RejectedPicture(item.name, error.stage, str(error), data)


def read_labels(files: Files, path: str) -> bytes | DocumentError:
    """Reads the label file of one picture. An error is returned, so that it costs this picture only."""
    try:
        return files.read(path)
    except OSError as error:
        return DocumentError(Stage.LABEL, f"its labels can't be read ({error})")


def text_lines(data: bytes) -> list[str]:
    """The lines of a UTF-8 text, with or without a byte order mark; empty lines are kept, for the line numbers.

    Raises:
        DocumentError: with stage "label", if it isn't UTF-8.
    """
    try:
        # Not splitlines, which also splits at characters that may occur in a text.
        return [line.removesuffix("\r") for line in data.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise DocumentError(Stage.LABEL, f"the labels aren't UTF-8 ({error}); convert them") from error


def unquote(text: str) -> str:
    """A text without the quotes around it, if it has some; in them, ``\\"`` and ``""`` mean a quote."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _ESCAPED.sub(lambda match: match[1] or '"', text[1:-1])
    return text


def label_page(
    name: str, data: bytes, labels: Sequence[TextLabel], task: Task, image_id: str | None = None
) -> LabelledPicture:
    """Labels a page: one example for detection, or for recognition one for each word that can be cut out.

    Args:
        name: of the picture in its source.
        data: the encoded picture.
        labels: in reading order, if the source has one.
        task: ``DETECTION`` or ``RECOGNITION``.
        image_id: of the page's example; default: ``name``. A word's has "#" and its index in ``labels`` added.

    Raises:
        DocumentError: the picture is broken, or ``task`` is recognition and the place of no word is known.
    """
    return label_picture(name, read_picture(data), labels, task, image_id)


def label_picture(
    name: str, picture: CheckedPicture, labels: Sequence[TextLabel], task: Task, image_id: str | None = None
) -> LabelledPicture:
    """``label_page`` for a page that is already read."""
    image_id = image_id or name
    fitted = [fit_label(label, picture) for label in labels]
    repairs = _said(labels, [", ".join(f.repairs) for f in fitted])
    rejected = _said(labels, [f.rejection for f in fitted])
    if task == Task.RECOGNITION:
        examples, rejected = _word_examples(picture, labels, fitted, image_id), rejected + _not_cut(labels)
    else:
        examples = (_page_example(picture, labels, fitted, image_id),)
    return LabelledPicture(name, picture.digest, picture.perceptual_hash, examples, repairs, rejected)


def label_pixels(name: str, truth: PageTruth, task: Task) -> LabelledPicture:
    """``label_page`` for a page without a file, such as a rendered one; it is encoded as PNG."""
    labels = [
        TextLabel(text, tuple(quad.ravel().tolist()), bool(ignore))
        for quad, text, ignore in zip(truth.quads, truth.texts, truth.ignore, strict=True)
    ]
    return label_picture(name, picture_of(truth.image), labels, task)


def label_crop(name: str, data: bytes, text: str, image_id: str | None = None) -> LabelledPicture:
    """Labels a picture that shows one text and nothing else: one example for recognition.

    Raises:
        DocumentError: the picture is broken or the text is empty.
    """
    return _label_word(name, read_picture(data), text, image_id or name)


def label_crop_pixels(name: str, truth: WordTruth) -> LabelledPicture:
    """``label_crop`` for a picture without a file; it is encoded as PNG."""
    return _label_word(name, picture_of(truth.image), truth.text, name)


def label_captions(name: str, data: bytes, captions: Sequence[str], image_id: str | None = None) -> LabelledPicture:
    """Labels a picture with captions: one example for each.

    Raises:
        DocumentError: the picture is broken, or none of its captions has a word.
    """
    tokens = [tokenize(caption) for caption in captions]
    if not any(tokens):
        raise DocumentError(Stage.LABEL, "none of its captions has a word; expected at least one")
    picture = read_picture(data)
    examples = tuple(_example(picture, image_id or name, caption=caption) for caption in tokens if caption)
    rejected = tuple(f"caption {i} ({captions[i]!r}): no words" for i, caption in enumerate(tokens) if not caption)
    return LabelledPicture(name, picture.digest, picture.perceptual_hash, examples, rejected_labels=rejected)


def _crop_example(image_id: str, data: bytes, image_format: str, width_px: int, height_px: int, text: str) -> Example:
    edge = box_quads(np.array([[0, 0, width_px, height_px]]))
    return Example(image_id, data, image_format, height_px, width_px, edge, (text,), np.zeros(1, bool))


def _label_word(name: str, picture: CheckedPicture, text: str, image_id: str) -> LabelledPicture:
    if not text:
        raise DocumentError(Stage.LABEL, "the text is empty; expected the text in the picture")
    size = picture.width_px, picture.height_px
    example = _crop_example(image_id, picture.data, picture.image_format, *size, text)
    return LabelledPicture(name, picture.digest, picture.perceptual_hash, (example,))


def fit_label(label: TextLabel, picture: CheckedPicture) -> FittedQuad:
    """The place of a text in the upright picture, by the rules of the module ``quads``; zeros if it is not known."""
    if not label.corners:
        return FittedQuad(np.zeros((4, 2), np.float32))
    if len(label.corners) == 4:
        given = transform_quads(picture.to_upright, box_quads(np.array([label.corners])))
        quad = box_quads(quad_boxes(given))[0]
    else:
        quad = transform_quads(picture.to_upright, np.array(label.corners).reshape(1, 4, 2))[0]
    return fit_quad(quad, picture.width_px, picture.height_px)


def _read(path: str, span: tuple[int, int] | None) -> bytes:
    start, stop = span or (0, None)
    try:
        with open_regular(path) as file:
            file.seek(start)
            return file.read() if stop is None else file.read(stop - start)
    except OSError as error:
        raise DocumentError(Stage.OPEN, f"the picture can't be read ({error.strerror})") from error


def _said(labels: Sequence[TextLabel], remarks: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(f"text {i} ({labels[i].text!r}): {remark}" for i, remark in enumerate(remarks) if remark)


def _not_cut(labels: Sequence[TextLabel]) -> tuple[str, ...]:
    """The labels that give no word for want of a place or a text."""
    places = [None if label.corners else "its place in the page is not known" for label in labels]
    texts = [None if label.text or label.ignore else "its text is not known" for label in labels]
    return _said(labels, [place or text for place, text in zip(places, texts, strict=True)])


def _page_example(
    picture: CheckedPicture, labels: Sequence[TextLabel], fitted: Sequence[FittedQuad], image_id: str
) -> Example:
    """A page for detection. The part of a rejected label that is inside the page is ignored."""
    kept = [(label, f) for label, f in zip(labels, fitted, strict=True) if f.quad is not None]
    ignore = [label.ignore or f.rejection is not None for label, f in kept]
    return _example(
        picture,
        image_id,
        quads=np.array([f.quad for _, f in kept], np.float32).reshape(-1, 4, 2),
        texts=tuple("" if ignored else label.text for (label, _), ignored in zip(kept, ignore, strict=True)),
        ignore=np.array(ignore, bool),
    )


def _word_examples(
    picture: CheckedPicture, labels: Sequence[TextLabel], fitted: Sequence[FittedQuad], image_id: str
) -> tuple[Example, ...]:
    """The words with a known text and place, cut out as the page reader does it."""
    wanted = {
        i: f.quad
        for i, (label, f) in enumerate(zip(labels, fitted, strict=True))
        if label.text and label.corners and not label.ignore and f.quad is not None and f.rejection is None
    }
    if labels and not any(label.corners for label in labels):
        raise DocumentError(Stage.LABEL, "the places of its words are not known, so none can be cut out")
    if not wanted:
        return ()
    quads = np.stack([*wanted.values()])
    page, level = level_page(picture.gray(), page_skew(quads))
    return tuple(
        _crop_example(f"{image_id}#{i}", encode_picture(crop), "png", crop.shape[1], crop.shape[0], labels[i].text)
        for i, crop in zip(wanted, cut_words(page, transform_quads(level, quads)), strict=True)
    )


def _example(picture: CheckedPicture, image_id: str, **labels: Any) -> Example:
    return Example(image_id, picture.data, picture.image_format, picture.height_px, picture.width_px, **labels)
