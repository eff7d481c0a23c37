"""Pictures of errors, small enough to travel with the scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ocr_models.data.sources.pictures import encode_picture
from ocr_models.io.predictions import PredictedPage
from ocr_models.metrics.detection import match_detections
from ocr_models.metrics.text import counted_words, plain_text
from ocr_models.pages.word_crops import cut_words
from ocr_models.records import Task
from pipelines.evaluation.scores import Rules, has_lines, is_placed, predicted_quads
from pipelines.evaluation.truth import TruthPicture

_PAGE_PX = 1100  # the long side of a drawn page
_PHOTO_PX = 320  # of a captioned picture
_CROP_PX = 400  # of a word cut from a page
_WORD_PX = 1024  # of a word picture: most are smaller and stay as they are, because their attention may be drawn
_CROPS_PER_PAGE = 8
_JPEG_QUALITY = 60
MISSED, WRONG, INVENTED = (214, 39, 40), (255, 127, 14), (31, 119, 180)  # red, orange, blue


@dataclass(frozen=True)
class Shown:
    """An encoded picture, PNG or JPEG, and its caption."""

    data: bytes
    caption: str


@dataclass(frozen=True)
class Evidence:
    """Why a picture is among the worst.

    Attributes:
        badness: what pictures are ranked by; the worst have the highest.
        name: name of the picture.
        pictures: pictures to show.
        attention: PNG of a recognizer's attention for each character of a word.
    """

    badness: float
    name: str
    pictures: tuple[Shown, ...]
    attention: bytes | None = None

    @property
    def rank(self) -> tuple[float, str]:
        """The key to order evidence by, without ties."""
        return self.badness, self.name


@dataclass(frozen=True)
class Marks:
    """The wrong words of a page by kind of error.

    Attributes:
        missed: quads of true words that weren't found.
        wrong: words that were found but read wrong: the true text, the text that was read, and the quad.
        invented: quads of words that aren't there.
    """

    missed: list[np.ndarray]
    wrong: list[tuple[str, str, np.ndarray]]
    invented: list[np.ndarray]


def show_evidence(picture: TruthPicture, prediction: PredictedPage | None, rules: Rules) -> tuple[Shown, ...]:
    """Shows a picture with the errors in its prediction."""
    given = prediction or PredictedPage("", "", ())
    if rules.task == Task.RECOGNITION:
        return (_show_crop(picture, given),)
    if rules.task == Task.CAPTION:
        return (Shown(thumbnail(picture.pixels), ""),)
    return tuple(_show_page(picture, given, rules))


def thumbnail(pixels: np.ndarray) -> bytes:
    """A small JPEG of a photograph."""
    return _jpeg(_shrink(pixels, _PHOTO_PX))


def mark_words(picture: TruthPicture, prediction: PredictedPage, rules: Rules) -> Marks:
    """Finds the errors on a page, word by word, or line by line if the page is labelled by lines."""
    if rules.task == Task.OCR and not is_placed(picture.example):
        return Marks([], [], _surplus(picture, prediction, rules))
    if rules.task == Task.OCR and has_lines(picture.example):
        return _mark_lines(picture, prediction, rules)
    truth, quads = picture.example, predicted_quads(prediction)
    matches = match_detections(truth.quads, truth.ignore, quads)
    found_words, found = {word for word, _ in matches.pairs}, {detection for _, detection in matches.pairs}
    pairs = [(truth.texts[i], prediction.words[j].text, quads[j]) for i, j in matches.pairs]
    return Marks(
        [quad for i, quad in enumerate(truth.quads) if i not in found_words and not truth.ignore[i]],
        [pair for pair in pairs if rules.task == Task.OCR and pair[0] and not _same(pair[0], pair[1], rules)],
        [quad for j, quad in enumerate(quads) if j not in found and not matches.ignored[j] and _is_somewhere(quad)],
    )


def _mark_lines(picture: TruthPicture, prediction: PredictedPage, rules: Rules) -> Marks:
    """Compares each line with the words whose centers it contains; words in no line may be invented (``_surplus``)."""
    truth, centers = picture.example, predicted_quads(prediction).mean(axis=1)
    texts = [word.text for word in prediction.words]
    missed: list[np.ndarray] = []
    wrong: list[tuple[str, str, np.ndarray]] = []
    in_lines: set[int] = set()
    for quad, text, ignore in zip(truth.quads, truth.texts, truth.ignore, strict=True):
        inside = [j for j, center in enumerate(centers) if _is_inside(center, quad)]
        in_lines.update(inside)
        read = " ".join(texts[j] for j in inside)
        if ignore or not text or _same(text, read, rules):
            continue
        if inside:
            wrong.append((text, read, quad))
        else:
            missed.append(quad)
    return Marks(missed, wrong, _surplus(picture, prediction, rules, in_lines))


def _surplus(
    picture: TruthPicture, prediction: PredictedPage, rules: Rules, but: Container[int] = ()
) -> list[np.ndarray]:
    """Quads of words, except those with indices in ``but``, that the truth doesn't have, or not as often."""
    true = Counter(counted_words(" ".join(picture.example.texts), rules.casefold))
    read = Counter(word for given in prediction.words for word in counted_words(given.text, rules.casefold))
    surplus = read - true
    return [
        quad
        for j, (given, quad) in enumerate(zip(prediction.words, predicted_quads(prediction), strict=True))
        if j not in but
        and _is_somewhere(quad)
        and any(word in surplus for word in counted_words(given.text, rules.casefold))
    ]


def _show_page(picture: TruthPicture, prediction: PredictedPage, rules: Rules) -> Iterable[Shown]:
    """The page with its words marked, then crops of words that were read wrong."""
    marks = mark_words(picture, prediction, rules)
    view = cv2.cvtColor(_shrink(picture.pixels, _PAGE_PX), cv2.COLOR_GRAY2RGB)
    scale = view.shape[0] / picture.pixels.shape[0]
    for quads, color in (
        (marks.missed, MISSED),
        ([quad for _, _, quad in marks.wrong], WRONG),
        (marks.invented, INVENTED),
    ):
        corners = [np.round(np.asarray(quad) * scale).astype(np.int32) for quad in quads]
        cv2.polylines(view, corners, isClosed=True, color=color, thickness=2, lineType=cv2.LINE_AA)
    counts = f"{len(marks.missed)} missed, {len(marks.wrong)} read wrong, {len(marks.invented)} invented"
    yield Shown(_jpeg(view), f"{picture.name}\n{counts}")
    worst = marks.wrong[:_CROPS_PER_PAGE]
    crops = cut_words(picture.pixels, np.array([quad for _, _, quad in worst], np.float32).reshape(-1, 4, 2))
    for crop, (true, read, _) in zip(crops, worst, strict=True):
        yield Shown(encode_picture(_shrink(crop, _CROP_PX)), f"truth: {true}\nread: {read}")


def _show_crop(picture: TruthPicture, prediction: PredictedPage) -> Shown:
    confidence = prediction.words[0].confidence if len(prediction.words) == 1 else None
    lines = [f"truth: {picture.example.texts[0]}", f"read: {prediction.text.strip()}"]
    lines += [] if confidence is None else [f"confidence {confidence:.3f}"]
    return Shown(encode_picture(_shrink(picture.pixels, _WORD_PX)), "\n".join(lines))


def _same(true: str, read: str, rules: Rules) -> bool:
    return plain_text(true, rules.casefold) == plain_text(read, rules.casefold)


def _is_somewhere(quad: np.ndarray) -> bool:
    return bool(np.isfinite(quad).all())


def _is_inside(point: np.ndarray, quad: np.ndarray) -> bool:
    x, y = map(float, point)
    return bool(np.isfinite([x, y]).all()) and cv2.pointPolygonTest(quad.astype(np.float32), (x, y), False) >= 0


def _shrink(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """The picture, shrunk if a side is longer than ``side_px``."""
    scale = min(1.0, side_px / max(pixels.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0]))
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else pixels


def _jpeg(pixels: np.ndarray) -> bytes:
    encoded = pixels[..., ::-1] if pixels.ndim == 3 else pixels  # OpenCV writes BGR
    return cv2.imencode(".jpg", encoded, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
