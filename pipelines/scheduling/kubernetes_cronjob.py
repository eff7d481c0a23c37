"""A CronJob manifest for Kubernetes 1.31 or later.

Sources: the API reference of batch/v1 CronJob and Job, "Pod failure policy", and "Define a Command and Arguments for a
Container" of Kubernetes' documentation.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import Any

import yaml

from ocr_models.errors import UsageError
from ocr_models.terminal import printable
from pipelines.runtime.storage import is_remote
from pipelines.scheduling.scheduled_run import RETRIES, STOP_S, ScheduledRun

_CONTAINER = "pagebeam"
# To Kubernetes every status but 0 is a failure. As process 1, a shell gets SIGTERM only if it traps it; the trap ends
# the first wait early. It may come at once: the run is named by $!, which is set as soon as it is started.
_SUCCEED = """\
trap 'kill -TERM "$!"' TERM
"$@" &
run=$!
wait "$run"; status=$?
while kill -0 "$run" 2>/dev/null; do wait "$run"; status=$?; done
case $status in %s) echo "exit status $status: some pages failed (3), or are left for the next run (6)"; exit 0;; esac
exit "$status"
"""


@dataclass(frozen=True)
class ClaimedVolume:
    """A PersistentVolumeClaim, and the absolute path at which the container sees it."""

    claim: str
    path: str
    is_read_only: bool


def claimed_volume(text: str) -> ClaimedVolume:
    """Reads ``CLAIM:/PATH`` or ``CLAIM:/PATH:ro`` (``type=`` of ``argparse``)."""
    found = re.fullmatch(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(/[^:]*?)/?(:ro)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not CLAIM:/PATH or CLAIM:/PATH:ro")
    return ClaimedVolume(found[1], found[2] or "/", bool(found[3]))


def memory_quantity(text: str) -> str:
    """A quantity of memory, such as 6Gi (``type=`` of ``argparse``)."""
    if not re.fullmatch(r"[1-9]\d*(Mi|Gi|M|G)", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of memory; give 6Gi, or 6000Mi")
    return text


class _Quoted(str):
    """Text that is always in quotes: PyYAML leaves 1e3 plain, which Kubernetes takes for a number."""


class _Block(str):
    """Text of several lines."""


class _Dumper(yaml.SafeDumper):
    """Writes both, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(_Quoted, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
_Dumper.add_representer(_Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|"))


def kubernetes_cronjob(
    run: ScheduledRun,
    fields: str,
    time_zone: str,
    max_hours: int,
    image: str,
    volumes: list[ClaimedVolume],
    cpus: int,
    memory: str,
) -> dict[str, str]:
    """The text of the file by its name.

    Args:
        run: the command; its paths are those in the container.
        fields: the five fields of cron.
        time_zone: name of the time zone that they are in.
        max_hours: hours after which the job is stopped.
        image: name of a container image with Pagebeam.
        volumes: volumes that hold the command's local paths.
        cpus: number of CPUs that are asked for.
        memory: amount of memory that is asked for, and not exceeded.

    Raises:
        UsageError: a path is in no volume, or the output is in one that can't be written.
    """
    _check_volumes(run, volumes)
    container: dict[str, Any] = {
        "name": _CONTAINER,
        "image": _Quoted(image),
        **_command(run),
        "resources": {
            "requests": {"cpu": _Quoted(cpus), "memory": _Quoted(memory)},
            "limits": {"memory": _Quoted(memory)},
        },
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": STOP_S,
        "containers": [container],
    }
    if volumes:
        names = [f"volume-{number}" for number in range(1, len(volumes) + 1)]
        container["volumeMounts"] = [_mount(*pair) for pair in zip(names, volumes, strict=True)]
        pod["volumes"] = [_volume(*pair) for pair in zip(names, volumes, strict=True)]
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": _Quoted(run.name), "labels": {"app.kubernetes.io/name": "pagebeam"}},
        "spec": {
            "schedule": _Quoted(fields),
            "timeZone": _Quoted(time_zone),
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 7,
            "failedJobsHistoryLimit": 7,
            "jobTemplate": {"spec": _job(run, max_hours, pod)},
        },
    }
    lines = [
        f"# {run.name}.yaml: kubectl apply -f {run.name}.yaml",
        "# By hand: kubectl create job --from=cronjob/" + run.name + f" {run.name}-now",
        *_dump(manifest).splitlines(),
    ]
    return {f"{run.name}.yaml": "".join(f"{line}\n" for line in lines)}


def _command(run: ScheduledRun) -> dict[str, list[str]]:
    """The command. Kubernetes replaces $(NAME) by variables and $$ by $, so the dollars of words are doubled."""
    words: list[str] = [_Quoted(word.replace("$", "$$")) for word in run.words]
    if not run.successes:
        return {"command": words}
    script = _Block(_SUCCEED % "|".join(map(str, run.successes)))
    return {"command": ["/bin/sh", "-c", script, "sh"], "args": words}


def _job(run: ScheduledRun, max_hours: int, pod: dict[str, Any]) -> dict[str, Any]:
    final = {"containerName": _CONTAINER, "operator": "In", "values": list(run.final_failures)}
    # A pod that was evicted or whose node is drained is replaced, and doesn't count as a retry.
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    return {
        "backoffLimit": RETRIES,
        "activeDeadlineSeconds": max_hours * 3600,
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": final},
                {"action": "Ignore", "onPodConditions": disrupted},
            ]
        },
        "template": {"spec": pod},
    }


def _mount(name: str, volume: ClaimedVolume) -> dict[str, Any]:
    return {"name": name, "mountPath": _Quoted(volume.path), "readOnly": volume.is_read_only}


def _volume(name: str, volume: ClaimedVolume) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": _Quoted(volume.claim)}}


def _check_volumes(run: ScheduledRun, volumes: list[ClaimedVolume]) -> None:
    for path in (*run.inputs, run.output):
        if is_remote(path):
            continue
        holding = [volume for volume in volumes if f"{path}/".startswith(f"{volume.path.rstrip('/')}/")]
        if not holding:
            raise UsageError(f"{path}: in none of the container's volumes; give --volume CLAIM:/PATH that holds it")
        if path == run.output and max(holding, key=lambda volume: len(volume.path)).is_read_only:
            raise UsageError(f"{path}: in a volume that is read only; give --volume CLAIM:/PATH without :ro for it")


def _dump(manifest: dict[str, Any]) -> str:
    """The manifest as YAML of printable characters; those that aren't are escaped, and letters only if they must be."""

    def dump(allow_unicode: bool) -> str:
        return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=10**6)

    text = dump(allow_unicode=True)
    is_printable = all(line == printable(line) for line in text.split("\n"))
    return text if is_printable else dump(allow_unicode=False)
