"""Counts and shows the errors on the pages of development sets by their causes.

    python benchmarks/errors.py PAGES... --output DIR [--detector NAME|BUNDLE] [--recognizer NAME|BUNDLE]

PAGES are folders of page images. For every NAME.png there is a NAME.json beside it or one level up: {"words": [{"text":
..., "box": [xmin, ymin, xmax, ymax] or null}, ...]}, and, for pages in a folder "scan", "scan_affine", a matrix (2, 3)
from the boxes to the pixels of the page. If there is a gt/gt_NAME.txt, it has the lines that words without a box are
on. Case is ignored in a set without lower-case letters in its truth. The table of causes by sets is printed as
Markdown; DIR/errors.html has examples of every cause, with the box of the true word in green and what was found in red.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from error_analysis import Cause, FoundWord, TrueWord, WordError, explain_errors

from ocr_models.bundle import DEFAULT_BUNDLES, find_bundle
from ocr_models.charset import Charset, normalize_text
from ocr_models.data.sources.icdar import parse_icdar
from ocr_models.geometry import box_quads, invert_affine, quad_boxes, transform_quads
from ocr_models.io.images import decode_image
from ocr_models.metrics.text import counted_words
from ocr_models.pages import page_reader
from ocr_models.pages.layout import order_words
from ocr_models.pages.readings import own_confidence
from ocr_models.records import MIN_CONFIDENCE, OcrPage, Transcript
from ocr_models.reports.html_report import EncodedPicture, Gallery, Section, Table, render_report

_EXAMPLES = 24  # per cause and set
_SHOWN_HEIGHT_PX = 48  # the height of a word's box in an example
_AROUND = 1.2  # what an example shows on each side of a box, in heights of the box
_GREEN, _RED = (0, 160, 0), (214, 39, 40)


@dataclass(frozen=True)
class MatchedPage:
    """A page with its truth and the words found on it, all in pixels of the leveled page."""

    name: str
    image: np.ndarray
    true: Sequence[TrueWord]
    found: Sequence[FoundWord]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--detector", default=DEFAULT_BUNDLES["detection"])
    parser.add_argument("--recognizer", default=DEFAULT_BUNDLES["recognition"])
    arguments = parser.parse_args()
    charset = Charset.load(find_bundle(arguments.recognizer, "recognition").charset_path)
    reader = page_reader.PageReader.load(arguments.detector, arguments.recognizer)
    columns: dict[str, Counter] = {}
    galleries: dict[Cause, list[EncodedPicture]] = {cause: [] for cause in Cause}
    for folder in arguments.pages:
        columns[_set_name(folder)] = _explain_set(list(_read_pages(reader, folder)), charset, galleries)
    table = _table(columns)
    print(markdown(table))
    sections = [Section(cause, [Gallery(pictures)]) for cause, pictures in galleries.items() if pictures]
    arguments.output.mkdir(parents=True, exist_ok=True)
    report = render_report("Why words weren't read exactly", [Section("Causes", [table]), *sections])
    (arguments.output / "errors.html").write_text(report, encoding="utf-8")


def _set_name(folder: Path) -> str:
    """ "dev/scan"; "papers" of "papers/images"."""
    return folder.parent.name if folder.name == "images" else f"{folder.parent.name}/{folder.name}"


def _read_pages(reader: page_reader.PageReader, folder: Path) -> Iterator[MatchedPage]:
    caught: list[tuple] = []
    assemble = page_reader.assemble

    def catch(parts: Sequence[tuple], min_confidence: float) -> OcrPage:  # the last step of a page
        caught.append(parts[0])
        return assemble(parts, min_confidence)

    page_reader.assemble = catch
    for path in sorted(folder.iterdir()):
        caught.clear()
        reader.read_pages([decode_image(path.read_bytes()).pixels])
        yield match_page(path, *caught[0])
    page_reader.assemble = assemble


def match_page(path: Path, page: Any, transcripts: Sequence[Transcript]) -> MatchedPage:
    """Combines the truth of a page image with what ``PageReader`` found on it."""
    to_leveled = invert_affine(page.to_given)
    lines = _true_lines(path)
    quads = transform_quads(to_leveled, np.array([quad for _, quad in lines], np.float32).reshape(-1, 4, 2))
    true = (
        [TrueWord(word, line=i) for i, (text, _) in enumerate(lines) for word in text.split()]
        if lines
        else _true_words(path, to_leveled)
    )
    boxes = quad_boxes(page.quads)
    found = []
    for j in [j for line in order_words(boxes).lines for j in line]:
        own = own_confidence(transcripts[j])
        kept = bool(transcripts[j].text) and own >= MIN_CONFIDENCE
        found.append(FoundWord(transcripts[j].text, boxes[j], own, kept, _line_of(boxes[j], quad_boxes(quads))))
    return MatchedPage(path.stem, page.image, true, found)


def _true_words(path: Path, to_leveled: np.ndarray) -> list[TrueWord]:
    truth = json.loads(_beside(path, f"{path.stem}.json").read_text())
    words = truth["words"]
    if any(word["box"] is None for word in words):
        return [TrueWord(word["text"]) for word in words]
    quads = box_quads(np.array([word["box"] for word in words]))
    if path.parent.name == "scan":
        quads = transform_quads(np.array(truth["scan_affine"]), quads)
    boxes = quad_boxes(transform_quads(to_leveled, quads))
    return [TrueWord(word["text"], box) for word, box in zip(words, boxes, strict=True)]


def _true_lines(path: Path) -> list[tuple[str, np.ndarray]]:
    labels = path.parents[1] / "gt" / f"gt_{path.stem}.txt"
    return (
        [(label.text, np.reshape(label.corners, (4, 2))) for label in parse_icdar(labels.read_bytes())]
        if labels.exists()
        else []
    )


def _beside(path: Path, name: str) -> Path:
    beside = path.with_name(name)
    return beside if beside.exists() else path.parents[1] / name


def _line_of(box: np.ndarray, lines: np.ndarray) -> int | None:
    """The index of the line that contains the center of a box."""
    middle = (box[:2] + box[2:]) / 2
    inside = (lines[:, :2] <= middle).all(axis=1) & (middle <= lines[:, 2:]).all(axis=1)
    return int(np.argmax(inside)) if inside.any() else None


def _explain_set(
    pages: Sequence[MatchedPage], charset: Charset, galleries: dict[Cause, list[EncodedPicture]]
) -> Counter:
    """Counts the errors of a set by cause, and its true words as "words"; adds examples to the galleries."""
    casefold = not any(char.islower() for page in pages for word in page.true for char in word.text)
    counts: Counter = Counter()
    examples: dict[Cause, list[tuple[MatchedPage, WordError]]] = {cause: [] for cause in Cause}
    for page in pages:
        errors = explain_errors(page.true, page.found, casefold, lambda text: normalize_text(text) in charset)
        counts.update(error.cause for error in errors)
        counts["words"] += sum(len(counted_words(word.text)) for word in page.true)
        for error in errors:
            examples[error.cause].append((page, error))
    for cause, of_cause in examples.items():
        galleries[cause] += [
            _show(*example) for example in random.Random(1).sample(of_cause, min(_EXAMPLES, len(of_cause)))
        ]
    return counts


def _show(page: MatchedPage, error: WordError) -> EncodedPicture:
    """Shows the part of the page around an error."""
    confidence = "" if error.confidence is None else f" {error.confidence:.2f}"
    caption = f"{error.true or '–'} → {error.read or '–'}{confidence}\n{page.name}"
    boxes = [page.found[j].box for j in error.found]
    if error.box is None:
        return EncodedPicture(_jpeg(np.full((8, 8, 3), 255, np.uint8)), caption)
    hull = np.array([error.box, *boxes])
    hull = np.concatenate([hull[:, :2].min(axis=0), hull[:, 2:].max(axis=0)])
    height = max(4.0, error.box[3] - error.box[1])
    rows, columns = page.image.shape
    x0, y0, x1, y1 = np.clip(hull + _AROUND * height * np.array([-1, -0.5, 1, 0.5]), 0, [columns, rows] * 2).astype(int)
    scale = _SHOWN_HEIGHT_PX / height
    part = cv2.cvtColor(page.image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)], cv2.COLOR_GRAY2RGB)
    part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for color, drawn in ((_GREEN, [] if error.cause.is_surplus else [error.box]), (_RED, boxes)):
        for box in drawn:
            a, b, c, d = ((box - [x0, y0, x0, y0]) * scale).astype(int).tolist()
            cv2.rectangle(part, (a, b), (c, d), color, 1)
    return EncodedPicture(_jpeg(part), caption)


def _jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()  # OpenCV writes BGR


def _table(columns: dict[str, Counter]) -> Table:
    rows: list[list[str | int]] = [["true words", *(counts["words"] for counts in columns.values())]]
    surplus = [cause for cause in Cause if cause.is_surplus]
    for title, causes in (("not read exactly", [c for c in Cause if c not in surplus]), ("surplus", surplus)):
        rows.append([f"{title}, all", *(_share(sum(counts[c] for c in causes), counts) for counts in columns.values())])
        rows += [[cause, *(_share(counts[cause], counts) for counts in columns.values())] for cause in causes]
    return Table(["", *columns], rows)


def _share(count: int, counts: Counter) -> str:
    return f"{count} ({100 * count / max(1, counts['words']):.2f} %)" if count else "0"


def markdown(table: Table) -> str:
    head = ["| " + " | ".join(table.headers) + " |", "|" + "---|" * len(table.headers)]
    return "\n".join(head + ["| " + " | ".join(map(str, row)) + " |" for row in table.rows])


if __name__ == "__main__":
    main()
