"""Job arrays whose tasks each read a part of the documents: a batch script for Slurm, and commands for AWS Batch.

Sources: sbatch(1) and srun(1) of Slurm 23.11; "Array jobs", "Automated job retries" and the references of the commands
register-job-definition and submit-job of AWS Batch's documentation.
"""

from __future__ import annotations

import json
import shlex

from ocr_models.errors import UsageError
from pipelines.runtime.storage import is_remote
from pipelines.scheduling.scheduled_run import RETRIES, STOP_S, ScheduledRun


def slurm_script(run: ScheduledRun, parts: int, max_hours: int, cpus: int, memory: str) -> dict[str, str]:
    """The text of the batch script by its name.

    Args:
        run: the command.
        parts: number of parts, and of tasks.
        max_hours: hours after which a task is stopped; some minutes earlier, it is asked to stop.
        cpus: number of CPUs of a task.
        memory: memory of a task, such as 6Gi.
    """
    lines = [
        "#!/bin/sh",
        f"# {run.name}.sbatch: sbatch {run.name}.sbatch; the same again goes on where tasks failed",
        f"#SBATCH --job-name={run.name}",
        f"#SBATCH --array=1-{parts}",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={cpus}",
        f"#SBATCH --mem={memory.removesuffix('i')}",
        f"#SBATCH --time={max_hours}:00:00",
        f"#SBATCH --signal=TERM@{STOP_S}",
        "#SBATCH --requeue",
        f"export SRUN_CPUS_PER_TASK={cpus}  # since Slurm 22.05, srun doesn't take the number from sbatch",
        f'srun {shlex.join(run.words)} "--part=$SLURM_ARRAY_TASK_ID/{parts}"',
        "status=$?",
        f"case $status in {'|'.join(map(str, run.successes or (0,)))}) exit 0;; esac  # some pages failed, or are left",
        'exit "$status"',
    ]
    return {f"{run.name}.sbatch": "".join(f"{line}\n" for line in lines)}


def aws_batch_commands(
    run: ScheduledRun, parts: int, max_hours: int, image: str, cpus: int, memory: str, job_role: str | None = None
) -> dict[str, str]:
    """The text of a script that registers a job definition and submits the array, by its name.

    Args:
        run: the command; its inputs and output are on object stores.
        parts: number of parts, and of child jobs.
        max_hours: hours after which a child job is stopped.
        image: name of a container image with Pagebeam.
        cpus: number of CPUs of a child job.
        memory: memory of a child job, such as 6Gi.
        job_role: ARN of the IAM role by which a child job has access to the bucket; None for that of its machine.

    Raises:
        UsageError: a path is a local one, a word has a meaning to AWS Batch, or there are too few or too many parts.
    """
    if not 2 <= parts <= 10_000:
        raise UsageError(f"--parts {parts}: an array of AWS Batch has 2 to 10,000 child jobs")
    for path in (*run.inputs, run.output):
        if not is_remote(path):
            raise UsageError(f"{path}: a local path, which a child job doesn't see; give one on s3://")
    for word in run.words:
        if "Ref::" in word:
            raise UsageError(f"{word}: AWS Batch replaces Ref:: in words; rename it")
    script = run.in_shell(f' "--part=$((AWS_BATCH_JOB_ARRAY_INDEX + 1))/{parts}"')
    megabytes = int(memory.rstrip("GMi")) * (1024 if "G" in memory else 1)
    properties = {
        "image": image,
        "command": ["/bin/sh", "-c", script, "sh", *run.words],
        "resourceRequirements": [
            {"type": "VCPU", "value": str(cpus)},
            {"type": "MEMORY", "value": str(megabytes)},
        ],
    }
    if job_role:
        properties["jobRoleArn"] = job_role
    final = [{"onExitCode": str(status), "action": "EXIT"} for status in run.final_failures]
    retries = {"attempts": RETRIES + 1, "evaluateOnExit": [*final, {"onExitCode": "*", "action": "RETRY"}]}
    define = ["aws", "batch", "register-job-definition", "--job-definition-name", run.name, "--type", "container"]
    define += ["--container-properties", json.dumps(properties), "--retry-strategy", json.dumps(retries)]
    define += ["--timeout", f"attemptDurationSeconds={max_hours * 3600}"]
    submit = ["aws", "batch", "submit-job", "--job-name", run.name, "--job-definition", run.name]
    submit += ["--array-properties", f"size={parts}"]
    lines = [
        "#!/bin/sh",
        f"# {run.name}.sh: sh {run.name}.sh QUEUE; the same again goes on where child jobs failed",
        "set -eu",
        f': "${{1:?give the job queue: sh {run.name}.sh QUEUE}}"',
        "# shellcheck disable=SC2016  # the shell of the container expands what is in quotes",
        shlex.join(define),
        f'{shlex.join(submit)} --job-queue "$1"',
    ]
    return {f"{run.name}.sh": "".join(f"{line}\n" for line in lines)}
