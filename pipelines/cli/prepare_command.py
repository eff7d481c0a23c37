"""``pagebeam prepare``: makes a data set, or a sheet on which people correct what was read."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ocr_models.arguments import ArgumentParser, positive, share
from ocr_models.errors import ExitStatus, UsageError
from ocr_models.records import LABEL_TASKS, Task
from ocr_models.terminal import LogFormat, hand_on, log_format, say
from pipelines.cli.shared_arguments import (
    add_log_arguments,
    add_rendering_arguments,
    add_runner_arguments,
    begin_on_labels,
    make_parser,
    pop_log_options,
    pop_source_options,
)
from pipelines.datasets.splits import parse_splits

if TYPE_CHECKING:
    from pipelines.datasets.prepare import Prepared, PrepareOptions

_MEGABYTE = 1e6
_BRIEF = ("splits", "quarantined", "duplicates", "near_duplicates")


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = _parser()
    arguments, beam_args = parser.parse_known_args(argv)
    is_quiet = pop_log_options(vars(arguments))
    begin_on_labels(parser, arguments, beam_args)
    if arguments.below is not None:
        return _write_review(arguments, beam_args, is_quiet)
    from pipelines.datasets.prepare import prepare  # loads Beam, which help and usage errors don't need

    options = _options(arguments, beam_args)
    start = time.monotonic()
    prepared = prepare(options)
    description, elapsed_s = prepared.description, time.monotonic() - start
    if not is_quiet and log_format() == LogFormat.JSON:
        brief = {name: description[name] for name in _BRIEF}
        hand_on(json.dumps({"unchanged": prepared.unchanged, "elapsed_s": round(elapsed_s, 3), **brief}))
    elif not is_quiet:
        _report(prepared, options.output, elapsed_s)
    quarantined = description["quarantined"]
    has_failed = not prepared.unchanged and (quarantined["pictures"] or quarantined["labels"])
    return ExitStatus.SOME_FAILED if has_failed else ExitStatus.OK


def _parser() -> ArgumentParser:
    from ocr_models.data.sources.formats import FORMATS

    parser = make_parser(
        "prepare",
        "Makes a data set of TFRecord shards from labelled pictures, PDFs or the rows of a run.",
        "0 everything is in the data set, or it was there already; 3 it is complete, but some pictures or labels are "
        "in its quarantine",
        "--runner=DataflowRunner, or --direct_running_mode=multi_processing for processes",
    )
    parser.add_argument("source", metavar="SOURCE", help="folder, or file of labels, local or on gs://, s3://, hdfs://")
    parser.add_argument("--format", required=True, choices=sorted(FORMATS), help="how pictures are labelled")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--overwrite", action="store_true", help="replace another data set in DIR")
    _add_shard_arguments(parser)
    _add_source_arguments(parser)
    add_runner_arguments(parser)
    add_log_arguments(parser)
    return parser


def _add_shard_arguments(parser: argparse.ArgumentParser) -> None:
    shards = parser.add_argument_group("shards")
    shards.add_argument(
        "--splits", default="0.9,0.05,0.05", metavar="T,V,T", help="train, validation, test; default: %(default)s"
    )
    shards.add_argument(
        "--shards", type=positive, metavar="N", help="shards of train, others in proportion; default: of about 100 MB"
    )
    shards.add_argument("--gzip", action="store_true", dest="compressed", help="compress the shards")
    shards.add_argument(
        "--min-count",
        type=positive,
        default=4,
        metavar="N",
        help="how often a token must occur to be in vocabulary.txt; default: %(default)s",
    )


def _add_source_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("sources")
    source.add_argument(
        "--task", type=Task, choices=LABEL_TASKS, help="task that the examples are for; default: the format's"
    )
    add_rendering_arguments(source)
    source.add_argument(
        "--below",
        type=_confidence,
        metavar="P",
        help="instead of shards, write the words of a run with less confidence (0 to 1) to a sheet for correction",
    )


def _confidence(text: str) -> float:
    if share(text) == 0:
        raise argparse.ArgumentTypeError("no word has less confidence than 0")
    return float(text)


def _options(arguments: argparse.Namespace, beam_args: list[str]) -> PrepareOptions:
    from pipelines.datasets.prepare import PrepareOptions

    values = dict(vars(arguments))
    told = replace(pop_source_options(values), task=values.pop("task"))
    splits = parse_splits(values.pop("splits"))
    del values["below"]
    return PrepareOptions(**values, splits=splits, source_options=told, beam_args=beam_args)


def _write_review(arguments: argparse.Namespace, beam_args: list[str], is_quiet: bool) -> ExitStatus:
    if arguments.format != "pagebeam":
        raise UsageError(f"--below goes with --format pagebeam, not with {arguments.format}")
    if beam_args:
        raise UsageError(f"unknown option {', '.join(beam_args)}; see pagebeam prepare --help")
    from pipelines.datasets.write_review import write_review

    summary = write_review(arguments.source, arguments.output, arguments.below)
    if not is_quiet and log_format() == LogFormat.JSON:
        hand_on(json.dumps(asdict(summary), ensure_ascii=False))
    elif not is_quiet:
        say(f"review      {_plural(summary.words, 'word')} of {_plural(summary.pages, 'page')}")
        if summary.left_out:
            say(f"left out    {_plural(summary.left_out, 'word')} with more confidence; review again after training")
        for failure in summary.failures:
            say(f"left out    {failure}")
        say(f"look        {arguments.output}/review.html")
    return ExitStatus.SOME_FAILED if summary.failures else ExitStatus.OK


def _report(prepared: Prepared, output: str, elapsed_s: float) -> None:
    """Prints what is in a data set."""
    if prepared.unchanged:
        say(f"unchanged: nothing to do; {output} has this data set, complete")
        return
    description = prepared.description
    for split, counts in description["splits"].items():
        shards = len(counts["shards"])
        say(f"{split:<11} {counts['examples']} examples of {counts['pictures']} pictures in {_plural(shards, 'shard')}")
    _print_empty_splits(description)
    _print_problems(description, output)
    pictures, size = (
        sum(counts[what] for counts in description["splits"].values()) for what in ("pictures", "record_bytes")
    )
    say(f"speed       {pictures / elapsed_s:.1f} images/s, {size / _MEGABYTE / elapsed_s:.1f} MB/s")
    say(f"look        {output.rstrip('/')}/contact_sheet.png")


def _print_empty_splits(description: dict[str, Any]) -> None:
    wanted = zip(("train", "validation", "test"), description["options"]["splits"], strict=True)
    for split, part in wanted:
        if part and split not in description["splits"]:
            say(f"{split:<11} nothing: too few pictures for a share of {part:g}")


def _print_problems(description: dict[str, Any], output: str) -> None:
    quarantined, duplicates, near = (description[key] for key in ("quarantined", "duplicates", "near_duplicates"))
    say(
        f"quarantined {_plural(quarantined['pictures'], 'picture')} and {_plural(quarantined['labels'], 'label')}; "
        f"repaired {_plural(quarantined['repairs'], 'label')}"
    )
    say(
        f"duplicates  {_plural(duplicates['pictures'], 'picture')} left out, {duplicates['with_other_labels']} of them "
        f"with other labels; {_plural(near['pairs'], 'pair')} look alike, {near['across_splits']} across splits"
    )
    if any([quarantined["pictures"], quarantined["labels"], quarantined["repairs"], duplicates["pictures"]]):
        say(f"reasons     {output.rstrip('/')}/quarantine/quarantine.jsonl")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
