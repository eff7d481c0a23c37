"""The service and the timer for systemd 244 or later.

Sources: systemd.service(5), systemd.syntax(7), systemd.unit(5), systemd.kill(5), systemd.timer(5).
"""

from __future__ import annotations

import re

from ocr_models.terminal import printable
from pipelines.inputs.discovery import is_glob
from pipelines.runtime.storage import is_remote
from pipelines.scheduling.scheduled_run import RETRIES, STOP_S, STOPPED, ScheduledRun

_PLAIN = re.compile(r"[\w@+=:,./-]+", re.ASCII)
_RESTART_MINUTES, _LIMIT_MINUTES = 5, 20


def systemd_units(run: ScheduledRun, on_calendar: str, user: str, max_hours: int) -> dict[str, str]:
    """The texts of both files, by name.

    Args:
        run: the command.
        on_calendar: value of ``OnCalendar=``.
        user: name of the user that the service runs as.
        max_hours: hours after which the service is stopped.
    """
    return {
        f"{run.name}.service": "".join(f"{line}\n" for line in _service_lines(run, user, max_hours)),
        f"{run.name}.timer": "".join(f"{line}\n" for line in _timer_lines(run, on_calendar)),
    }


def quote(word: str) -> str:
    """A word of ``ExecStart=``: in double quotes with escapes of C unless it is plain, and with percent signs doubled.

    Dollars stay as they are: the line's prefix ":" has systemd leave them alone.
    """
    if _PLAIN.fullmatch(word):
        return word
    escaped = "".join(map(_escape, word))
    return f'"{escaped}"'


def _escape(char: str) -> str:
    if char in '\\"':
        return f"\\{char}"
    if char == "%":
        return "%%"
    if char.isprintable():
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\U{ord(char):08x}"


def _service_lines(run: ScheduledRun, user: str, max_hours: int) -> list[str]:
    program, *arguments = run.words
    paths = dict.fromkeys(_folder_of(path) for path in (*run.inputs, run.output) if not is_remote(path))
    mounts = [quote(path) for path in paths if path.isprintable()]  # escapes of C aren't understood there
    online = ["Wants=network-online.target", "After=network-online.target"]
    return [
        f"# {run.name}.service",
        "# Put it into /etc/systemd/system beside the timer, whose head says how to switch both on.",
        "[Unit]",
        f"Description=Documents read into {printable(run.output).replace('%', '%%')} by Pagebeam",
        *(online if any(map(is_remote, (*run.inputs, run.output))) else []),
        *([f"RequiresMountsFor={' '.join(mounts)}"] if mounts else []),
        f"# Retries: {RETRIES}, {_RESTART_MINUTES} minutes apart. All starts count, so the timer must leave "
        f"{_LIMIT_MINUTES // 2} minutes between two.",
        f"StartLimitIntervalSec={_LIMIT_MINUTES}min",
        f"StartLimitBurst={RETRIES + 1}",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={user}",
        '# ":" has systemd leave dollar signs alone; a percent sign is written twice.',
        f"ExecStart={' '.join(map(quote, (f':{program}', *arguments)))}",
        "Nice=10",
        "NoNewPrivileges=true",
        *_status_lines(run),
        "Restart=on-failure",
        f"RestartSec={_RESTART_MINUTES}min",
        f"TimeoutStartSec={max_hours}h",
        "# SIGTERM goes to the command alone, which ends its decoder processes, keeps what is read, and exits with "
        f"{STOPPED}.",
        "KillSignal=SIGTERM",
        "KillMode=mixed",
        f"TimeoutStopSec={STOP_S}",
    ]


def _status_lines(run: ScheduledRun) -> list[str]:
    if run.is_strict:
        why = f"# {STOPPED}: stopped. All other statuses are failures."
    else:
        why = f"# 3: some pages failed; 6: the deadline was reached; {STOPPED}: stopped. Remove 3 or 6 to be alerted."
    return [
        why,
        f"SuccessExitStatus={' '.join(map(str, (*run.successes, STOPPED)))}",
        f"RestartPreventExitStatus={' '.join(map(str, run.final_failures))}",
    ]


def _timer_lines(run: ScheduledRun, on_calendar: str) -> list[str]:
    return [
        f"# {run.name}.timer",
        "# systemd-analyze verify /etc/systemd/system/" + run.name + ".timer",
        f"# systemctl daemon-reload; systemctl enable --now {run.name}.timer",
        "[Unit]",
        f"Description=Start of {run.name}.service",
        "",
        "[Timer]",
        f"OnCalendar={on_calendar}",
        "# A start that was missed because the machine was off is made up for.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]


def _folder_of(path: str) -> str:
    """The path, or of a glob, the folder that it begins with."""
    parts = path.split("/")
    plain = next((index for index, part in enumerate(parts) if is_glob(part)), len(parts))
    return "/".join(parts[:plain]) or "/"
