"""The files of job arrays, run as the schedulers run them: each task gets its part, and the words that were given."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.scheduling.job_arrays import aws_batch_commands, slurm_script
from pipelines.scheduling.kubernetes_cronjob import kubernetes_indexed_job
from pipelines.scheduling.scheduled_run import ScheduledRun

AWKWARD = "s3://in/a \"b\" 'c' $HOME $$ $(HOME) ;é \\"
RUN = ["--", "run", "s3://b/in", "--output", "s3://b/out"]


def command_of(tmp_path: Path, status: int = 0) -> ScheduledRun:
    """A run whose program writes its arguments to the file ``told``, and exits with a status."""
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" > {tmp_path}/told\nexit {status}\n')
    program.chmod(0o755)
    return ScheduledRun("pagebeam-out", (str(program), AWKWARD), ("s3://in",), "s3://out", is_strict=False)


def told(tmp_path: Path) -> list[str]:
    return (tmp_path / "told").read_text().split("\0")[:-1]


def run_slurm(run: ScheduledRun, folder: Path, index: int) -> int:
    [script] = slurm_script(run, 4, 24, 2, "6Gi").values()
    (folder / "srun").write_text('#!/bin/sh\nexec "$@"\n')
    (folder / "srun").chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": str(index + 1)}
    return subprocess.run(["sh", "-c", script], env=env).returncode


def run_aws_batch(run: ScheduledRun, folder: Path, index: int) -> int:
    [script] = aws_batch_commands(run, 4, 24, "image", 2, "6Gi").values()
    (folder / "aws").write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >> {folder}/aws-told\n')
    (folder / "aws").chmod(0o755)
    subprocess.run(["sh", "-c", script, "sh", "a queue"], env={"PATH": f"{folder}:{os.environ['PATH']}"}, check=True)
    words = (folder / "aws-told").read_text().split("\0")
    assert words[-3:-1] == ["--job-queue", "a queue"] and "size=4" in words
    properties = json.loads(words[words.index("--container-properties") + 1])
    assert properties["resourceRequirements"][1] == {"type": "MEMORY", "value": "6144"}
    env = {"PATH": os.environ["PATH"], "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
    return subprocess.run(properties["command"], env=env).returncode


def run_kubernetes(run: ScheduledRun, folder: Path, index: int) -> int:
    [text] = kubernetes_indexed_job(run, 4, 24, "image", [], 2, "6Gi").values()
    job = yaml.safe_load(text)["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 4, 4)
    [container] = job["template"]["spec"]["containers"]
    words = [re.sub(r"\$\$|\$\(HOME\)", lambda found: "$" if found[0] == "$$" else "a home", word)
             for word in (*container["command"], *container["args"])]  # fmt: skip
    env = {"PATH": os.environ["PATH"], "JOB_COMPLETION_INDEX": str(index)}
    return subprocess.run(words, env=env).returncode


RUNS = pytest.mark.parametrize("run_task", [run_slurm, run_aws_batch, run_kubernetes])


@RUNS
def test_each_task_gets_its_part_and_the_words_that_were_given(tmp_path, run_task):
    for index in (0, 3):
        assert run_task(command_of(tmp_path), tmp_path, index) == 0
        assert told(tmp_path) == [AWKWARD, f"--part={index + 1}/4"]


@RUNS
@pytest.mark.parametrize(("status", "told_status"), [(1, 1), (2, 2), (3, 0), (6, 0), (4, 4)])
def test_reservations_are_successes(tmp_path, run_task, status, told_status):
    assert run_task(command_of(tmp_path, status), tmp_path, 0) == told_status


def test_the_command_is_that_of_a_part(capsys):
    assert main(["schedule", "slurm", "--parts=9", "--python=/p/python3", "--cpus=3", *RUN]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "#SBATCH --array=1-9" in lines and "#SBATCH --cpus-per-task=3" in lines
    assert any(line.startswith("export SRUN_CPUS_PER_TASK=3 ") for line in lines)
    [srun] = [shlex.split(line) for line in lines if line.startswith("srun ")]
    assert srun[1:6] == ["/p/python3", "-P", "-m", "pagebeam", "run"]
    assert srun[-3:] == ["--workers=3", "--wait", "--part=$SLURM_ARRAY_TASK_ID/9"]


def test_child_jobs_of_aws_batch_get_their_role(capsys):
    role = "arn:aws:iam::123456789012:role/teams/ocr"

    assert main(["schedule", "aws-batch", "--parts=9", "--image=i", f"--job-role={role}", *RUN]) == 0

    words = shlex.split(capsys.readouterr().out, comments=True)
    assert json.loads(words[words.index("--container-properties") + 1])["jobRoleArn"] == role
    with pytest.raises(SystemExit):
        main(["schedule", "aws-batch", "--parts=9", "--image=i", "--job-role=ocr", *RUN])
    assert "'ocr' is not the ARN of a role" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["slurm", "--parts=9", "--python=/p", *RUN, "--part=1/9"], "--part 1/9: each task of the array gets its own"),
        (["aws-batch", "--parts=1", "--image=i", *RUN], "--parts 1: an array of AWS Batch has 2 to 10,000"),
        (["aws-batch", "--parts=9", "--image=i", "--", "run", "/in", "--output", "s3://o"], "/in: a local path"),
        (["aws-batch", "--parts=9", "--image=i", *RUN, "--recognizer=s3://Ref::a"], "AWS Batch replaces Ref::"),
        (["kubernetes-array", "--parts=9", "--image=i", "--", "run", "/in", "--output", "s3://o"], "/in: in none of"),
    ],
)
def test_what_the_scheduler_would_not_run_is_refused(words, message, capsys):
    assert main(["schedule", *words]) == 2
    assert message in capsys.readouterr().err
