"""``pagebeam inspect``: checks TFRecord shards, and describes and draws their examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2

from ocr_models.arguments import ArgumentParser, count
from ocr_models.errors import ExitStatus, PagebeamError
from ocr_models.records import Example
from ocr_models.reports.visualization import draw_examples
from ocr_models.terminal import say
from pipelines.datasets.inspect import Inspection, inspect_shards
from pipelines.datasets.prepared_picture import SIZE_STEP_PX
from pipelines.runtime.storage import absolute_uri, write_bytes

_SHOWN_TEXTS, _SHOWN_CHARACTERS = 12, 40


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    inspection = inspect_shards(arguments.shards, arguments.count)
    _print_statistics(inspection)
    for example in inspection.samples:
        say(_describe(example))
    if arguments.draw and inspection.samples:
        sheet = cv2.imencode(".png", draw_examples(inspection.samples)[..., ::-1])[1].tobytes()
        write_bytes(absolute_uri(arguments.draw), sheet)
        say(f"drawn: {arguments.draw}")
    for fault in inspection.faults:
        say(f"DAMAGED {fault}")
    if inspection.faults:
        raise PagebeamError(
            f"{len(inspection.faults)} faults; prepare the data set again: pagebeam prepare --overwrite"
        )
    return ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="pagebeam inspect",
        description="Reads shards back: verifies checksums and, if dataset.json lies beside them, hashes and counts; "
        "prints statistics and some examples.",
        epilog="Exit status: 0 everything is intact; 1 something is damaged or missing; 2 usage error.",
    )
    parser.add_argument("shards", nargs="+", metavar="SHARDS", help="files, globs or folders of data sets")
    parser.add_argument("--draw", metavar="FILE.png", help="draw examples with their labels")
    parser.add_argument("--count", type=count, default=6, metavar="N", help="number of examples; default: %(default)s")
    return parser


def _print_statistics(inspection: Inspection) -> None:
    counts = inspection.counts
    say(f"{inspection.shards} shards, {inspection.bytes:,} bytes, {counts.examples} examples")
    say(f"texts       {counts.texts}, ignored regions {counts.ignored}")
    steps = f" (steps of {SIZE_STEP_PX})"
    say(f"width px    {_quartiles(counts.widths)}{steps}", f"height px   {_quartiles(counts.heights)}{steps}")
    say(f"text length {_quartiles(counts.text_lengths)}")
    if counts.characters:
        common = "".join(character for character, _ in counts.characters.most_common(_SHOWN_CHARACTERS))
        say(f"characters  {len(counts.characters)}, the most frequent first: {common}")
    if counts.tokens:
        common = " ".join(token for token, _ in counts.tokens.most_common(_SHOWN_TEXTS))
        say(f"tokens      {len(counts.tokens)}, the most frequent first: {common}")


def _quartiles(histogram: Counter[int]) -> str:
    """The minimum, the quartiles and the maximum of the values in a histogram, as text."""
    if not histogram:
        return "none"
    values = sorted(histogram)
    total, seen = histogram.total(), 0
    found: list[int] = []
    positions = [round(share * (total - 1)) for share in (0, 0.25, 0.5, 0.75, 1)]
    for value in values:
        seen += histogram[value]
        while len(found) < len(positions) and positions[len(found)] < seen:
            found.append(value)
    return "min {}, quartiles {} {} {}, max {}".format(*found)


def _describe(example: Example) -> str:
    """One line that describes an example."""
    size = f"{example.width_px}×{example.height_px} {example.image_format}"
    labels = " ".join(example.caption) or " ".join(example.texts[:_SHOWN_TEXTS])
    more = f" … {len(example.texts)} texts" if len(example.texts) > _SHOWN_TEXTS else ""
    return f"  {example.image_id}: {size}: {labels}{more}"
