"""``pagebeam doctor``: checks whether the files of an output folder fit together."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser
from ocr_models.errors import ExitStatus
from ocr_models.terminal import say
from pipelines.cli.output_arguments import add_output_argument
from pipelines.output.consistency import check_consistency, repair
from pipelines.output.current_view import check_output
from pipelines.output.lock import locked
from pipelines.output.run_manifest import new_run_id
from pipelines.runtime.storage import absolute_uri


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    parser = ArgumentParser(
        prog="pagebeam doctor",
        description="Checks an output folder: that each file of rows can be read and has the columns of its table, "
        "that no page has two rows, that rows, documents and manifests count the same, and that nothing is left of "
        "writers that were killed. Prints a line for each thing that is wrong, and what to do.",
        epilog="Exit status: 0 all is right; 2 usage error; 3 something is wrong; 5 a run writes to DIR (--repair).",
    )
    add_output_argument(parser)
    parser.add_argument(
        "--repair",
        action="store_true",
        help="first carry out a commit that was cut off, remove a dead lock and what killed writers left, move damaged "
        "files to DIR/damaged, and forget documents whose rows are lost, so that the next run reads them again",
    )
    arguments = parser.parse_args(argv)
    output = absolute_uri(arguments.output)
    if arguments.repair:
        check_output(output)
        holder = f"doctor-{new_run_id()}"
        with locked(output, holder):
            for mended in repair(output, holder):
                say(f"{arguments.output}: {mended}")
    findings = check_consistency(output)
    for finding in findings:
        say(str(finding))
    if not findings:
        say(f"{arguments.output}: all is right")
    return ExitStatus.SOME_FAILED if findings else ExitStatus.OK
