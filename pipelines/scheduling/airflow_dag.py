"""A DAG for Airflow 3.

It doesn't use ``BeamRunPythonPipelineOperator`` of Airflow's Beam provider (6.3.1): that runs a file and not a module,
passes options only and adds some of its own, fails and retries for every exit status but 0, and when its task is
stopped it leaves the command running, which would hold the output's lock.
"""

from __future__ import annotations

from pipelines.scheduling.scheduled_run import RETRIES, STOP_S, ScheduledRun

_BODY = '''

class RunPagebeam(BaseOperator):
    """Runs the command, logs what it prints, and says in Airflow's terms what its exit status means."""

    process: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> None:
        self.process = subprocess.Popen(
            COMMAND,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,  # signals to the task's processes are passed on by on_kill alone
        )
        assert self.process.stdout
        for line in self.process.stdout:
            self.log.info("%s", line.rstrip())
        status = self.process.wait()
        if status in SUCCESSES:
            self.log.warning("exit status %d: some pages failed (3), or are left for the next run (6)", status)
        elif status in FINAL_FAILURES:
            raise AirflowFailException(f"exit status {status}, which a retry can't change; see the log above")
        elif status:
            raise RuntimeError(f"exit status {status}; see the log above")

    def on_kill(self) -> None:
        """Stops the command, which keeps what it has read."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()


with DAG(
    dag_id=NAME,
    schedule=CronTriggerTimetable(CRON, timezone=TIME_ZONE),
    start_date=pendulum.datetime(2025, 1, 1, tz=TIME_ZONE),
    catchup=False,
    max_active_runs=1,
    tags=["pagebeam"],
):
    RunPagebeam(
        task_id="run",
        retries=RETRIES,
        retry_delay=timedelta(minutes=10),
        execution_timeout=timedelta(hours=MAX_HOURS),
    )
'''


def airflow_dag(run: ScheduledRun, fields: str, time_zone: str, max_hours: int) -> dict[str, str]:
    """The text of the file by its name.

    Args:
        run: the command.
        fields: the five fields of cron.
        time_zone: name of the time zone that they are in.
        max_hours: hours after which the task is stopped.
    """
    words = "".join(f"    {word!r},\n" for word in run.words)
    head = [
        f"# {run.name}.py: put it into Airflow's DAG folder.",
        "from __future__ import annotations",
        "",
        "import subprocess",
        "from datetime import timedelta",
        "",
        "import pendulum",
        "from airflow.sdk import DAG, BaseOperator, Context, CronTriggerTimetable",
        "from airflow.sdk.exceptions import AirflowFailException",
        "",
        f"NAME = {run.name!r}",
        f"COMMAND = [\n{words}]",
        f"CRON, TIME_ZONE = {fields!r}, {time_zone!r}",
        f"SUCCESSES = {run.successes!r}  # exit statuses that are successes beside 0",
        f"FINAL_FAILURES = {run.final_failures!r}  # exit statuses that a retry can't change",
        f"RETRIES, MAX_HOURS, STOP_S = {RETRIES}, {max_hours}, {STOP_S}",
    ]
    return {f"{run.name}.py": "\n".join(head) + "\n" + _BODY}
