"""The formats of labelled sources by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable

from ocr_models.data.sources.caption_tables import CaptionsSource
from ocr_models.data.sources.coco_text import CocoTextSource
from ocr_models.data.sources.icdar import IcdarSource
from ocr_models.data.sources.jsonl import JsonlSource
from ocr_models.data.sources.layout_pages import LayoutSource
from ocr_models.data.sources.line_texts import LineTextsSource
from ocr_models.data.sources.mnist import MnistSource
from ocr_models.data.sources.msra_td500 import MsraTd500Source
from ocr_models.data.sources.pagebeam_rows import PagebeamSource
from ocr_models.data.sources.parquet import ParquetSource
from ocr_models.data.sources.pdf import PdfSource
from ocr_models.data.sources.review import ReviewSource
from ocr_models.data.sources.source import Source, SourceOptions
from ocr_models.data.sources.synthetic import SyntheticSource
from ocr_models.data.sources.word_lists import WordsSource
from ocr_models.errors import UsageError
from ocr_models.records import Task

_PAGES = (Task.DETECTION, Task.RECOGNITION)


def _task(format_name: str, options: SourceOptions, tasks: tuple[Task, ...]) -> Task:
    """The requested task, or else the first that the format has. Raises UsageError if it lacks the requested one."""
    task = options.task or tasks[0]
    if task not in tasks:
        raise UsageError(f"--task {task}: --format {format_name} gives {' or '.join(tasks)} only")
    return task


def _synthetic(root: str, options: SourceOptions) -> Source:
    """The source is a folder of fonts to draw with; the option names more such folders."""
    return SyntheticSource(
        options.count,
        _task("synthetic", options, _PAGES),
        (root, *options.fonts),
        options.lexicons,
        options.degrade,
        options.dpi,
        options.seed,
    )


FORMATS: dict[str, Callable[[str, SourceOptions], Source]] = {
    "pdf": lambda root, options: PdfSource(
        root, _task("pdf", options, _PAGES), options.dpi, options.degrade, options.seed
    ),
    "synthetic": _synthetic,
    "pagebeam": lambda root, options: PagebeamSource(root, _task("pagebeam", options, _PAGES)),
    "review": lambda root, options: ReviewSource(root, _task("review", options, (Task.RECOGNITION,))),
    "icdar": lambda root, options: IcdarSource(root, _task("icdar", options, _PAGES)),
    "msra-td500": lambda root, options: MsraTd500Source(root, _task("msra-td500", options, _PAGES[:1])),
    "coco-text": lambda root, options: CocoTextSource(root, _task("coco-text", options, _PAGES)),
    "alto": lambda root, options: LayoutSource(root, _task("alto", options, _PAGES), "alto"),
    "page": lambda root, options: LayoutSource(root, _task("page", options, _PAGES), "page"),
    "gt-txt": lambda root, options: LineTextsSource(root, _task("gt-txt", options, (Task.RECOGNITION,))),
    "words": lambda root, options: WordsSource(root, _task("words", options, (Task.RECOGNITION,))),
    "jsonl": lambda root, options: JsonlSource(root, _task("jsonl", options, _PAGES)),
    "parquet": lambda root, options: ParquetSource(root, _task("parquet", options, _PAGES)),
    "mnist": lambda root, options: MnistSource(root, _task("mnist", options, (Task.RECOGNITION,))),
    "captions": lambda root, options: CaptionsSource(root, _task("captions", options, (Task.CAPTION,))),
}
"""Opens a source of each format at a place; raises UsageError for options that the format doesn't support."""


def open_source(format_name: str, root: str, options: SourceOptions) -> Source:
    """Opens a source; reads nothing yet.

    Raises:
        UsageError: there is no such format, or it doesn't support the options.
    """
    if format_name not in FORMATS:
        raise UsageError(f"--format {format_name}: no such format; give one of {', '.join(sorted(FORMATS))}")
    return FORMATS[format_name](root, options)
