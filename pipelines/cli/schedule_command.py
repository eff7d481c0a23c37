"""``pagebeam schedule``: prints or writes the units with which a scheduler starts ``pagebeam run``."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ocr_models.arguments import ArgumentParser, positive
from ocr_models.errors import ExitStatus, UsageError
from ocr_models.terminal import say
from pipelines.cli.run_arguments import check_run, input_list_of
from pipelines.cli.run_command import make_run_parser, models_of
from pipelines.cli.shared_arguments import check_beam_args
from pipelines.inputs.input_list import STDIN
from pipelines.runtime.beam_options import LOCAL_RUNNER
from pipelines.runtime.bundles import absolute_bundle
from pipelines.runtime.storage import absolute_uri
from pipelines.scheduling.airflow_dag import airflow_dag
from pipelines.scheduling.crontab_line import crontab_file
from pipelines.scheduling.job_arrays import aws_batch_commands, slurm_script
from pipelines.scheduling.kubernetes_cronjob import (
    claimed_volume,
    kubernetes_cronjob,
    kubernetes_indexed_job,
    memory_quantity,
)
from pipelines.scheduling.scheduled_run import ScheduledRun
from pipelines.scheduling.start_times import cron_fields, on_calendar, time_zone
from pipelines.scheduling.systemd_units import systemd_units

_KINDS = {
    "systemd": "a service and a timer",
    "cron": "lines for crontab -e",
    "airflow": "a DAG for Airflow 3",
    "kubernetes": "a CronJob for Kubernetes 1.31 or later",
}
_ARRAYS = {
    "kubernetes-array": "an Indexed Job for Kubernetes 1.33 or later",
    "slurm": "a batch script for Slurm",
    "aws-batch": "commands for AWS Batch",
}
_IN_IMAGES = ("kubernetes", "kubernetes-array", "aws-batch")
_NAME_LENGTH = 52  # the most that Kubernetes allows for a CronJob
_CALENDAR = "HH:MM, 'Mon,Thu HH:MM' or 'Mon-Fri HH:MM'"


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    words = list(argv)
    end = words.index("--") if "--" in words else len(words)
    arguments = _parser().parse_args(words[:end])
    run = _check(arguments, words[end + 1 :])
    files = _units(arguments, run)
    if arguments.output_dir is None:
        say(*"\n".join(files.values()).removesuffix("\n").split("\n"))  # each is all printable
    else:
        _write(files, arguments.output_dir)
    return ExitStatus.OK


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="pagebeam schedule",
        description="Prints units with which a scheduler starts pagebeam run. The command after -- is checked now.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, what in (_KINDS | _ARRAYS).items():
        when = "--parts N" if kind in _ARRAYS else "--at TIME"
        usage = f"pagebeam schedule {kind} {when} [options] -- run INPUT... --output DIR ..."
        parts = ", of which each task reads a part" if kind in _ARRAYS else ""
        of_kind = kinds.add_parser(kind, help=what + parts, usage=usage, description=f"Prints {what}{parts}.")
        _add_shared_arguments(of_kind, kind)
        _ADD[kind](of_kind)
    return parser


def _add_shared_arguments(parser: argparse.ArgumentParser, kind: str) -> None:
    is_systemd = kind == "systemd"
    other = "a value of OnCalendar=" if is_systemd else "the five fields of cron"
    if kind in _ARRAYS:
        parser.add_argument("--parts", required=True, type=positive, metavar="N", help="number of parts, and of tasks")
    else:
        parser.add_argument(
            "--at",
            required=True,
            type=on_calendar if is_systemd else cron_fields,
            metavar="TIME",
            help=f"{_CALENDAR}, or {other}",
        )
    parser.add_argument("--name", type=_name, help="name of the unit; default: pagebeam- and the output folder's name")
    elsewhere = kind in _IN_IMAGES
    parser.add_argument(
        "--python",
        default="python3" if elsewhere else None,
        metavar="PATH",
        help="the Python with Pagebeam, in the image; default: %(default)s"
        if elsewhere
        else "the Python with Pagebeam on another machine, whose inputs and models can't be checked here; default: "
        "this Python",
    )
    parser.add_argument("--strict", action="store_true", help="exit statuses 3 and 6 are failures, too")
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="write the files there instead of printing them")


def _add_max_hours(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-hours", type=positive, default=24, metavar="N", help="stop a run after N hours; default: %(default)s"
    )


def _add_time_zone(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--timezone",
        type=time_zone,
        default=default,
        metavar="NAME",
        help=f"such as Europe/Berlin; default: {default or 'that of the machine'}",
    )


def _add_systemd(parser: argparse.ArgumentParser) -> None:
    _add_max_hours(parser)
    _add_time_zone(parser, None)
    parser.add_argument("--user", type=_user, metavar="NAME", help="user that the service runs as; default: you")


def _add_cron(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log", metavar="FILE", help="append the output to a file; cron then mails a line about failures alone"
    )


def _add_airflow(parser: argparse.ArgumentParser) -> None:
    _add_max_hours(parser)
    _add_time_zone(parser, "UTC")


def _add_kubernetes(parser: argparse.ArgumentParser) -> None:
    _add_time_zone(parser, "UTC")
    _add_kubernetes_array(parser)


def _add_kubernetes_array(parser: argparse.ArgumentParser) -> None:
    _add_in_image(parser)
    parser.add_argument(
        "--volume",
        action="append",
        default=[],
        type=claimed_volume,
        metavar="CLAIM:/PATH[:ro]",
        help="PersistentVolumeClaim, and where the container sees it; may be given several times",
    )


def _add_aws_batch(parser: argparse.ArgumentParser) -> None:
    _add_in_image(parser)
    parser.add_argument(
        "--job-role",
        type=_job_role,
        metavar="ARN",
        help="IAM role of the child jobs, with access to the bucket; default: that of the queue's machines",
    )


def _add_in_image(parser: argparse.ArgumentParser) -> None:
    _add_slurm(parser)
    parser.add_argument("--image", required=True, help="container image with Pagebeam")


def _add_slurm(parser: argparse.ArgumentParser) -> None:
    _add_max_hours(parser)
    parser.add_argument(
        "--cpus", type=positive, default=2, metavar="N", help="CPUs, and workers of the run; default: %(default)s"
    )
    parser.add_argument(
        "--memory", type=memory_quantity, default="6Gi", help="memory, of which no more is given; default: %(default)s"
    )


_ADD = {
    "systemd": _add_systemd,
    "cron": _add_cron,
    "airflow": _add_airflow,
    "kubernetes": _add_kubernetes,
    "kubernetes-array": _add_kubernetes_array,
    "slurm": _add_slurm,
    "aws-batch": _add_aws_batch,
}


def _name(text: str) -> str:
    if len(text) > _NAME_LENGTH or not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name of up to {_NAME_LENGTH} lower-case letters, digits and hyphens"
        )
    return text


def _job_role(text: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the ARN of a role, such as arn:aws:iam::123456789012:role/ocr"
        )
    return text


def _user(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):  # systemd.exec(5); systemd itself looks the user up
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a user")
    return text


def _check(arguments: argparse.Namespace, words: list[str]) -> ScheduledRun:
    """The command after ``--``, checked as ``pagebeam run`` does it.

    Raises:
        UsageError: the command is wrong.
    """
    if not words or words[0] != "run":
        raise UsageError("give the command to schedule after --: pagebeam schedule KIND … -- run INPUT... --output DIR")
    parser = make_run_parser()
    told, beam_args = parser.parse_known_args(words[1:])
    listed = input_list_of(parser, told)
    if listed and listed.path == STDIN:
        raise UsageError("--from-file -: a scheduled run has no stdin; give the path of a list")
    if arguments.kind in _ARRAYS and told.part:
        raise UsageError(f"--part {told.part}: each task of the array gets its own; leave it out")
    if arguments.kind in _IN_IMAGES or arguments.python:
        check_beam_args(parser, told, beam_args)  # the paths are those of another machine
    else:
        check_run(parser, told, beam_args, models_of(told))
    python = arguments.python or sys.executable
    if arguments.kind not in _IN_IMAGES and not os.path.isabs(python):
        raise UsageError(f"--python {python}: not an absolute path; schedulers have a PATH of their own")
    command = [python, "-P", "-m", "pagebeam", "run", *_absolute(words[1:], told, parser)]
    if hasattr(arguments, "cpus") and told.runner == LOCAL_RUNNER and not told.workers:
        command.append(f"--workers={arguments.cpus}")  # else one per core of the node
    if arguments.kind in _ARRAYS and not told.wait:
        command.append("--wait")  # for the lock of a task that was lost, until it is taken for dead
    for word in command:
        if word.encode("utf-8", "replace").decode() != word:
            raise UsageError(f"{word}: the name isn't UTF-8, as units are; rename it")
    inputs = tuple(map(absolute_uri, [*told.inputs, *([listed.path] if listed else [])]))
    output = absolute_uri(told.output)
    return ScheduledRun(arguments.name or _default_name(output), tuple(command), inputs, output, arguments.strict)


def _absolute(words: list[str], told: argparse.Namespace, parser: ArgumentParser) -> list[str]:
    """The words of a run with absolute paths: of inputs, of which ``told`` has the order, of the output and models."""
    inputs, absolute, before = list(told.inputs), [], ""
    for index, word in enumerate(words):
        option, equals, value = word.partition("=")
        is_after_options = "--" in words[:index]
        if not is_after_options and parser.takes_value(before):
            absolute.append(_ABSOLUTE.get(before, str)(word))
        elif not is_after_options and equals and option in _ABSOLUTE:
            absolute.append(f"{option}={_ABSOLUTE[option](value)}")
        elif inputs and word == inputs[0]:
            absolute.append(absolute_uri(inputs.pop(0)))
        else:
            absolute.append(word)
        before = word
    return absolute


_ABSOLUTE = {
    "--output": absolute_uri,
    "--from-file": absolute_uri,
    "--detector": absolute_bundle,
    "--recognizer": absolute_bundle,
}


def _default_name(output: str) -> str:
    """``pagebeam-`` and the name of the output folder, as far as a unit's name can hold it."""
    letters = re.sub(r"[^a-z0-9]+", "-", output.rstrip("/").rpartition("/")[2].lower())
    return f"pagebeam-{letters}"[:_NAME_LENGTH].rstrip("-")


def _units(arguments: argparse.Namespace, run: ScheduledRun) -> dict[str, str]:
    """The texts of the unit's files by name."""
    if arguments.kind == "systemd":
        when = f"{arguments.at} {arguments.timezone or ''}".rstrip()
        user = arguments.user or pwd.getpwuid(os.getuid()).pw_name
        return systemd_units(run, when, user, arguments.max_hours)
    if arguments.kind == "cron":
        log = arguments.log and os.path.abspath(arguments.log)
        if log and not arguments.python and not os.path.isdir(os.path.dirname(log)):
            raise UsageError(f"--log {log}: its folder doesn't exist, so that the run would not start; create it")
        return crontab_file(run, arguments.at, log)
    if arguments.kind == "airflow":
        return airflow_dag(run, arguments.at, arguments.timezone, arguments.max_hours)
    if arguments.kind == "slurm":
        return slurm_script(run, arguments.parts, arguments.max_hours, arguments.cpus, arguments.memory)
    if arguments.kind == "aws-batch":
        of_task = (arguments.image, arguments.cpus, arguments.memory, arguments.job_role)
        return aws_batch_commands(run, arguments.parts, arguments.max_hours, *of_task)
    if arguments.kind == "kubernetes-array":
        in_pods = (arguments.image, arguments.volume, arguments.cpus, arguments.memory)
        return kubernetes_indexed_job(run, arguments.parts, arguments.max_hours, *in_pods)
    return kubernetes_cronjob(
        run,
        arguments.at,
        arguments.timezone,
        arguments.max_hours,
        arguments.image,
        arguments.volume,
        arguments.cpus,
        arguments.memory,
    )


def _write(files: dict[str, str], folder: Path) -> None:
    """Writes the files, unless other ones of their names are there.

    Raises:
        UsageError: there are, or the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            if path.exists() and path.read_bytes() != text.encode():
                raise UsageError(f"{path}: exists and differs; remove it, or give another --name or --output-dir")
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            say(f"written: {folder / name}")
    except OSError as error:
        raise UsageError(f"--output-dir {folder}: can't be written ({error})") from error
