"""The units of ``pagebeam schedule`` hold the command that was given, and treat exit statuses as the runbook says."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import types
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocr_models.terminal import printable
from pipelines.cli.main import main
from pipelines.scheduling.crontab_line import crontab_command
from pipelines.scheduling.kubernetes_cronjob import kubernetes_cronjob
from pipelines.scheduling.scheduled_run import ScheduledRun
from pipelines.scheduling.start_times import cron_fields, on_calendar
from pipelines.scheduling.systemd_units import quote, systemd_units

AWKWARD = "/in/a \"b\" 'c' 100% $HOME $$ $(HOME) %h \\n \\% \\\\% x\\\\\\\\y {{ ds }} é;z \\"
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NASTY = st.text(st.sampled_from("a \"'%$\\;#()@*?né"), max_size=12)


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"")
    return folder


def schedule(capsys, *arguments: str) -> str:
    assert main(["schedule", *arguments]) == 0
    return capsys.readouterr().out


def run_of(*words: str, is_strict: bool = False) -> ScheduledRun:
    return ScheduledRun("pagebeam-out", words, ("/in",), "/out", is_strict)


def systemd_words(value: str) -> list[str]:
    """The words of ``ExecStart=``, read by the rules of systemd.service(5) and systemd.syntax(7)."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value, re.DOTALL)
    read = [re.sub(r"\\(U.{8}|x..|.)", _unescape, quoted or plain).replace("%%", "%") for quoted, plain in words]
    assert read[0][0] == ":"  # dollars stand for themselves
    return [read[0][1:], *read[1:]]


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1][1:], 16)) if len(found[1]) > 1 else found[1]


def cron_command(text: str) -> str:
    """What cron gives to sh: by the loop in ``do_command.c`` of cronie and Debian's cron."""
    kept, is_escaped = "", False
    for char in text:
        if is_escaped and char == "%":
            kept = kept[:-1]
        elif not is_escaped and char == "%":
            return kept  # the rest is the command's input
        is_escaped = not is_escaped and char == "\\"
        kept += char
    return kept


def kubernetes_words(text: str) -> list[str]:
    """The command and its arguments after Kubernetes has replaced variables, of which there are none."""
    [container] = pod_of(text)["containers"]
    words = [*container["command"], *container.get("args", [])]
    return [re.sub(r"\$(\$|(?=\())", lambda found: "$" if found[1] else "VARIABLE", word) for word in words]


def pod_of(text: str) -> dict:
    return yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@given(st.lists(WORDS | NASTY, max_size=4))
@example([AWKWARD, "", ";", "1e3", "no", "\n", "\xa0"])
def test_systemd_reads_the_words_that_were_given(words):
    units = systemd_units(run_of("/usr/bin/py $1", *words), "daily", "me", 24)

    [value] = re.findall(r"^ExecStart=(.*)$", units["pagebeam-out.service"], re.MULTILINE)
    assert systemd_words(value) == ["/usr/bin/py $1", *words]
    assert all(line == printable(line) for line in units["pagebeam-out.service"].split("\n"))


@settings(max_examples=50, deadline=None)
@given(st.lists(NASTY, min_size=1, max_size=4), st.booleans())
@example([AWKWARD, "", ";", "100%\\"], True)
def test_cron_and_sh_read_the_words_that_were_given(words, has_log):
    show = [sys.executable, "-S", "-c", "import sys, json; print(json.dumps(sys.argv[1:])); sys.exit(3)"]
    command = cron_command(crontab_command(run_of(*show, *words), "/dev/stdout" if has_log else None))

    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)

    assert json.loads(done.stdout) == words and done.stderr == ""


@given(st.lists(WORDS | NASTY, max_size=4), st.booleans())
@example([AWKWARD, "", "1e3", "no", "02:30", "\n", "\xa0"], False)
def test_kubernetes_reads_the_words_that_were_given(words, is_strict):
    run = ScheduledRun("pagebeam-out", ("python3", *words), ("gs://in",), "gs://out", is_strict)

    [text] = kubernetes_cronjob(run, "30 2 * * *", "UTC", 24, "image", [], 2, "6Gi").values()

    assert kubernetes_words(text)[0 if is_strict else 4 :] == ["python3", *words]
    assert all(line == printable(line) for line in text.split("\n"))


def test_systemd_units_say_what_systemd_needs(documents, tmp_path, capsys):
    output = tmp_path / "my 100% $out"

    text = schedule(
        capsys, "systemd", "--at", "Mon,Fri 2:30", "--user", "ocr", "--", "run", str(documents), "--output", str(output)
    )

    escaped = str(output).replace("%", "%%")
    run = f"{sys.executable} -P -m pagebeam run {documents} --output"
    for line in (
        f'ExecStart=:{run} "{escaped}"',
        f'RequiresMountsFor={documents} "{escaped}"',
        "User=ocr",
        "SuccessExitStatus=3 6 143",
        "RestartPreventExitStatus=2 4",
        "OnCalendar=Mon,Fri *-*-* 02:30:00",
        "Persistent=true",
        "# pagebeam-my-100-out.timer",
    ):
        assert f"\n{line}\n" in f"\n{text}"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("options", [["--at", "02:30"], ["--at", "Sat *-*-1..7 4:00", "--strict", "--timezone", "UTC"]])
def test_systemd_takes_the_units(documents, tmp_path, capsys, options):
    folder = tmp_path / "units"
    awkward = documents / "a 'b' 100% $c \\ \".png"
    awkward.write_bytes(b"")
    run = ["run", str(documents), str(awkward), "--output", str(tmp_path / "out $x")]
    schedule(capsys, "systemd", *options, "--output-dir", str(folder), "--", *run)
    files = sorted(map(str, folder.iterdir()))

    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True)

    assert len(files) == 2
    assert (done.returncode, done.stderr) == (0, "")  # of lines that it ignores, it tells on stderr alone


def test_cron_gets_one_line(documents, tmp_path, capsys):
    text = schedule(
        capsys, "cron", "--at", "0 2 1-7 * Mon", "--", "run", str(documents), "--output", f"{tmp_path}/100%"
    )

    *comments, line = text.splitlines()
    command = f"{sys.executable} -P -m pagebeam run {documents} --output {tmp_path}"
    assert line == rf"0 2 1-7 * Mon {command}/100\%"
    assert all(comment.startswith("# ") for comment in comments)


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize("status", range(7))
def test_cron_mails_a_line_about_failures_alone(tmp_path, status, is_strict):
    run = run_of("/bin/sh", "-c", f"echo read; exit {status}", is_strict=is_strict)
    log = str(tmp_path / "a%b c.log")

    done = subprocess.run(["/bin/sh", "-c", cron_command(crontab_command(run, log))], capture_output=True, text=True)

    is_success = status == 0 or (status in (3, 6) and not is_strict)
    assert done.stdout == ("" if is_success else f"exit status {status}, see {log}\n")
    assert Path(log).read_text() == "read\n"


def test_the_cronjob_says_what_kubernetes_needs(capsys):
    options = ["--image", "ocr:1", "--volume", "scans:/in:ro", "--volume", "rows:/out", "--timezone", "Europe/Berlin"]

    text = schedule(capsys, "kubernetes", "--at", "Sun 2:05", *options, "--", "run", "/in/*.pdf", "--output=/out/ocr")

    spec = yaml.safe_load(text)["spec"]
    job = spec["jobTemplate"]["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("5 2 * * 0", "Europe/Berlin", "Forbid")
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [2, 4]
    assert kubernetes_words(text)[-6:] == ["-m", "pagebeam", "run", "/in/*.pdf", "--output=/out/ocr", "--workers=2"]
    pod = pod_of(text)
    assert pod["restartPolicy"] == "Never" and pod["terminationGracePeriodSeconds"] == 300
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]] == ["scans", "rows"]
    assert [mount["readOnly"] for mount in pod["containers"][0]["volumeMounts"]] == [True, False]


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 4), (5, 5), (6, 0)])
def test_the_container_s_shell_succeeds_with_reservations(status, expected):
    assert subprocess.run(container_command(f"exit {status}"), capture_output=True).returncode == expected


def test_the_container_s_shell_passes_sigterm_on_and_waits():
    code = "trap 'sleep 0.5; echo kept; exit 143' TERM; echo reading; while :; do sleep 0.05; done"
    with subprocess.Popen(container_command(code), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "kept\n"
    assert process.returncode == 143


def container_command(code: str) -> list[str]:
    run = ScheduledRun("pagebeam-out", ("/bin/sh", "-c", code), ("gs://in",), "gs://out", False)
    [text] = kubernetes_cronjob(run, "30 2 * * *", "UTC", 24, "image", [], 2, "6Gi").values()
    return kubernetes_words(text)


@pytest.fixture
def dag(documents, capsys) -> str:
    arguments = ["--at", "02:30", "--python", "/usr/bin/python3", "--", "run", AWKWARD, "--output", "/out\n"]
    return schedule(capsys, "airflow", *arguments)


def test_the_dag_holds_the_words_that_were_given(dag):
    values = {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(dag).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert values["COMMAND"] == ["/usr/bin/python3", "-P", "-m", "pagebeam", "run", AWKWARD, "--output", "/out\n"]
    assert values["SUCCESSES"] == (3, 6) and values["FINAL_FAILURES"] == (2, 4)


class FinalFailure(Exception):
    """Stands for ``AirflowFailException``."""


@pytest.fixture
def operator(dag, monkeypatch):
    """The DAG's operator, made with stand-ins for what the DAG imports from Airflow."""

    class Operator:
        log = types.SimpleNamespace(info=lambda *_: None, warning=lambda *_: None)

        def __init__(self, **options):
            assert options["retries"] == 2 and options["execution_timeout"] == timedelta(hours=24)
            made.append(self)

    def dag_context(**options):
        assert options["max_active_runs"] == 1 and options["catchup"] is False
        return contextlib.nullcontext()

    made: list = []
    names = {
        "DAG": dag_context,
        "BaseOperator": Operator,
        "Context": dict,
        "CronTriggerTimetable": lambda *_, **__: None,
    }
    modules = {
        "pendulum": types.SimpleNamespace(datetime=lambda *_, **__: None),
        "airflow": types.SimpleNamespace(),
        "airflow.sdk": types.SimpleNamespace(**names),
        "airflow.sdk.exceptions": types.SimpleNamespace(AirflowFailException=FinalFailure),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    module = {"__name__": "dag"}
    exec(compile(dag, "dag.py", "exec"), module)
    return made[0], module


@pytest.mark.parametrize(
    ("status", "error"),
    [(0, None), (1, RuntimeError), (2, FinalFailure), (3, None), (4, FinalFailure), (5, RuntimeError), (6, None)],
)
def test_the_task_succeeds_fails_or_is_retried_by_the_exit_status(operator, status, error):
    task, module = operator
    module["COMMAND"][:] = ["/bin/sh", "-c", f"exit {status}"]

    with pytest.raises(error, match=f"exit status {status}") if error else contextlib.nullcontext():
        task.execute({})


def test_a_task_that_is_killed_stops_the_command(operator, tmp_path):
    task, module = operator
    code = f"trap 'echo kept > {tmp_path}/said; exit 143' TERM; echo; while :; do sleep 0.05; done"
    module["COMMAND"][:] = ["/bin/sh", "-c", code]
    previous = signal.signal(signal.SIGALRM, lambda *_: task.on_kill())  # as Airflow does on SIGTERM
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(RuntimeError, match="exit status 143"):
            task.execute({})
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert (tmp_path / "said").read_text() == "kept\n"


def test_airflow_imports_the_dag(dag, tmp_path):
    pytest.importorskip("airflow.sdk", reason="Airflow is not installed")
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "pagebeam.py").write_text(dag)
    bag = DagBag(str(tmp_path))
    assert not bag.import_errors and len(bag.dags) == 1


@pytest.mark.parametrize(
    ("text", "cron", "calendar"),
    [
        ("02:30", "30 2 * * *", "*-*-* 02:30:00"),
        ("Mon,thu 2:05", "5 2 * * 1,4", "Mon,Thu *-*-* 02:05:00"),
        ("Fri-Mon 23:00", "0 23 * * 0,1,5,6", "Sun,Mon,Fri,Sat *-*-* 23:00:00"),
        ("Mon..Wed 0:00", "0 0 * * 1,2,3", "Mon,Tue,Wed *-*-* 00:00:00"),
    ],
)
def test_times_are_written_as_cron_and_systemd_want_them(text, cron, calendar):
    assert cron_fields(text) == cron and on_calendar(text) == calendar


def test_other_times_are_kept():
    assert cron_fields("*/15  8-18 1,15 Jan-Jun Mon-Fri") == "*/15 8-18 1,15 Jan-Jun Mon-Fri"
    assert on_calendar("Sat *-*-1..7 18:00") == "Sat *-*-1..7 18:00" and on_calendar("hourly") == "hourly"


RUN = ["--", "run", "gs://in", "--output", "gs://out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cron", "--at", "24:00", *RUN], "'24:00' is not a time of the day"),
        (["cron", "--at", "Mun 2:00", *RUN], "'Mun' in 'Mun 2:00' is no day of the week"),
        (["cron", "--at", "30 2 * * 7", *RUN], "'7' in '30 2 * * 7' is not a field of cron from 0 to 6"),
        (["cron", "--at", "*/0 2 * * *", *RUN], "'*/0'"),
        (["cron", "--at", "30 2 * *", *RUN], "'30 2 * *' is not a time"),
        (["systemd", "--at", "30 2 * * *", *RUN], "or a value of OnCalendar="),
        (["airflow", "--at", "2:30", "--timezone", "Berlin", *RUN], "'Berlin' is not a time zone"),
        (["cron", "--at", "2:30", "--name", "a b", *RUN], "'a b' is not a name"),
        (["cron", "--at", "2:30"], "give the command to schedule after --"),
        (["cron", "--at", "2:30", "--", "train", "lexicon"], "give the command to schedule after --"),
        (["cron", "--at", "2:30", "--", "run", "in", "--outptu", "x"], "pagebeam run: the following"),
        (["cron", "--at", "2:30", "--", "run", "in", "--output", "x", "--dpi", "a"], "'a' is not a number"),
        (["cron", "--at", "2:30", "--", "run", "no-such", "--output", "x"], "no documents at no-such"),
        (["cron", "--at", "2:30", "--python", "py", *RUN], "--python py: not an absolute path"),
        (["cron", "--at", "2:30", "--python", "/py", "--log", "/a\nb", *RUN], "can't hold names with line breaks"),
        (["cron", "--at", "2:30", "--python", "/py", "--", "run", "/x" * 500, "--output", "/o"], "cron"),
        (["kubernetes", "--at", "2:30", *RUN], "required: --image"),
        (["kubernetes", "--at", "2:30", "--image", "i", "--memory", "6", *RUN], "'6' is not an amount of memory"),
        (["cron", "--at", "2:30", "--", "run", "--from-file", "-", "--output", "o"], "a scheduled run has no stdin"),
        (["kubernetes", "--at", "2:30", "--image", "i", "--", "run", "/a", "--output", "gs://o"], "/a: in none of"),
        (["kubernetes", "--at", "2:30", "--image", "i", "--volume", "a:/d:ro", *RUN[:3], "--output=/d/o"], "read only"),
    ],
)
def test_mistakes_are_noticed_now(capsys, arguments, message):
    try:
        status = main(["schedule", *arguments])
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    assert status == 2 and message in captured.err and captured.out == ""


@pytest.mark.parametrize(
    ("words", "absolute"),
    [
        ("--dpi 200 200 o/*.png --output=out", "--dpi 200 /200 /o/*.png --output=/out"),
        ("out --detector east-fast --output out", "/out --detector east-fast --output /out"),
        ("--output out --recognizer ./out -- -x out", "--output /out --recognizer /out -- /-x /out"),
        ("--from-file out --id-column out --output out", "--from-file /out --id-column out --output /out"),
        ("out --output gs://b/out --job_name out", "/out --output gs://b/out --job_name out"),
    ],
)
def test_paths_become_absolute_and_nothing_else_does(tmp_path, monkeypatch, capsys, words, absolute):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()

    text = schedule(capsys, "cron", "--at", "2:30", "--python", "/py", "--", "run", *words.split())

    run = [re.sub("^(--output=)?/", rf"\g<1>{tmp_path}/", word) for word in absolute.split()]
    assert shlex.split(text.splitlines()[-1])[5:] == ["/py", "-P", "-m", "pagebeam", "run", *run]


def test_files_are_written_and_others_are_not_overwritten(documents, tmp_path, capsys):
    folder = tmp_path / "units"
    arguments = ["--output-dir", str(folder), "--", "run", str(documents), "--output", str(tmp_path / "out")]

    for _ in range(2):
        assert schedule(capsys, "systemd", "--at", "2:30", *arguments).count("written: ") == 2
    assert main(["schedule", "systemd", "--at", "3:30", *arguments]) == 2

    assert "pagebeam-out.timer: exists and differs" in capsys.readouterr().err
    assert {file.name for file in folder.iterdir()} == {"pagebeam-out.service", "pagebeam-out.timer"}


def test_plain_words_stay_plain_in_systemd():
    assert quote("--dpi=200") == "--dpi=200" and quote("") == '""'
