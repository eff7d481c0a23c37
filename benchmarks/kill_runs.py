"""Kills runs at random moments, and checks that the run after each sees to it that nothing is lost or twice.

A run is started over a folder that changed since the run before, and its command, one of its worker processes or one
of its decoders is killed with SIGKILL. Then the same command runs undisturbed. The rows that readers see must equal
those of an output that was never disturbed, row for row. The models are a stand-in that takes its time, so that what is
measured is everything else.

    python benchmarks/kill_runs.py --kills 50

With ``--parts 3``, the command is that of a job array: its parts run at the same time, where the system permits it each
as a host of its own (namespaces for its name, network and processes), and one of them is killed and started again on
another host.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

ROWS_PER_SHARD = 20
MODES = {
    "threads": ["--workers=2"],
    "processes": ["--workers=2", "--direct_running_mode=multi_processing"],
    "engine": [],  # of another runner, which the options name
}
_COMMAND = """
import os
from types import SimpleNamespace
from benchmarks.kill_runs import ROWS_PER_SHARD, load_slow_reader
from pipelines.cli import main, run_arguments
from pipelines.output import lock
from pipelines.reading import ocr_reader, pipeline, run_options
from pipelines.runtime import progress
for module in (run_options, run_arguments):
    module.find_bundle = lambda name, task: SimpleNamespace(id="slow@0", digest="0", onnx_path="")
run_arguments.import_ahead = lambda module: None
ocr_reader.load_reader = load_slow_reader
pipeline.define_pipeline.__defaults__ = (ROWS_PER_SHARD, False, True)
progress.QUIET_REFRESH_S = float(os.environ.get("QUIET_REFRESH_S", "30"))
if "HEARTBEAT_S" in os.environ:  # so that other hosts take it for dead soon
    lock.HEARTBEAT_S, lock.DEAD_AFTER_S = float(os.environ["HEARTBEAT_S"]), 10 * float(os.environ["HEARTBEAT_S"])
main.command()
"""


def load_slow_reader(*_: object) -> object:
    """A reader that takes 30 ms per page, whose words tell what is on it; it notes each page that it reads."""
    from ocr_models.records import BlockKind, OcrPage, TextBlock, TextLine, Word
    from pipelines.reading.ocr_rows import OcrReader

    class SlowPageReader:
        detector_id = recognizer_id = engine = "slow@0"

        def read_pages(self, images: list[np.ndarray]) -> list[OcrPage]:
            with open(os.environ["READ_PAGES"], "a") as file:
                texts = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
                file.write("".join(f"{text}\n" for text in texts))
            time.sleep(0.03 * len(images))
            quad = np.float32([[0, 0], [9, 0], [9, 9], [0, 9]])
            return [
                OcrPage(
                    text + "\n",
                    (Word(text, 0.5, quad, 0),),
                    (TextLine(text, quad, 0.5),),
                    0,
                    0.5,
                    blocks=(TextBlock(BlockKind.TEXT, quad),),
                )
                for text in texts
            ]

    return OcrReader(SlowPageReader())


def write_documents(folder: Path, rng: np.random.Generator, count: int) -> None:
    """Writes, or overwrites, TIFF documents of one to five pages; names repeat from call to call."""
    folder.mkdir(exist_ok=True)
    for _ in range(count):
        pages = [Image.fromarray(rng.integers(0, 256, (40, 60), np.uint8)) for _ in range(rng.integers(1, 6))]
        path = folder / f"{rng.integers(0, 3 * count):04d}.tif"
        pages[0].save(path, save_all=True, append_images=pages[1:])


def view(output: Path) -> list[tuple]:
    """What readers of Parquet see, without times and runs."""
    rows = pq.read_table(output / "pages").to_pylist()
    return sorted(
        (row["source_uri"], row["page_index"], row["page_id"], row["status"], row["text"], str(row["also_at"]))
        for row in rows
    )


def start(
    inputs: Path, output: Path, read_pages: Path, mode: str, *options: str, host: str | None = None
) -> subprocess.Popen[bytes]:
    """Starts the command, whose reader is slow, with more options if they are given, on a host of its own or here."""
    root = Path(__file__).parents[1]
    words = ["run", str(inputs), "--output", str(output), *MODES[mode], *options]
    heartbeat = {"HEARTBEAT_S": "0.5"} if host else {}
    return subprocess.Popen(
        [*(_as_host(host) if host else []), sys.executable, "-c", _COMMAND, *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "READ_PAGES": str(read_pages), **heartbeat},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _as_host(name: str) -> list[str]:
    """What a command is preceded by to run as another host; nothing where the system doesn't permit that."""
    begin = f'hostname {name} && ip link set lo up && exec "$@"'
    namespaces = ["--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = ["unshare", *namespaces, "sh", "-c", begin, "sh"]
    return command if subprocess.run([*command, "true"], capture_output=True).returncode == 0 else []


def processes_of(read_pages: Path, word: bytes) -> list[int]:
    """The processes of a run, which its environment tells, in whose command line a word is."""
    found, variable = [], f"READ_PAGES={read_pages}\0".encode()
    for folder in Path("/proc").iterdir():
        try:
            is_its_own = folder.name.isdigit() and variable in (folder / "environ").read_bytes()
            if is_its_own and word in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill_one(process: subprocess.Popen[bytes], target: str, read_pages: Path, rng: random.Random) -> None:
    """Kills the command, one of its worker processes or one of its decoders."""
    words = {"worker": b"sdk_worker_main", "decoder": b"decoding.child"}
    pids = [process.pid] if target == "command" else processes_of(read_pages, words[target])
    if pids:
        os.kill(rng.choice(pids), signal.SIGKILL)


def kill_and_go_on(folder: Path, number: int, mode: str, target: str, seconds: float) -> tuple[int, int, int, bool]:
    """Kills once; returns the exit statuses before and after, the pages read twice, and whether all is right."""
    rng = random.Random(number)
    inputs, output, read_pages = folder / "in", folder / "out", folder / "read"
    write_documents(inputs, np.random.default_rng(number), 120)
    read_pages.write_text("")
    process = start(inputs, output, read_pages, mode)
    time.sleep(seconds)
    kill_one(process, target, read_pages, rng)
    process.communicate(timeout=120)
    if target == "command":  # what is left of it must not disturb the next
        time.sleep(rng.choice([0, 0.5]))
    again = start(inputs, output, read_pages, mode)
    told = again.communicate(timeout=120)[0].decode()
    left = len(processes_of(read_pages, b""))
    undisturbed = folder / f"undisturbed-{number}"
    start(inputs, undisturbed, folder / "ignored", "threads").communicate(timeout=120)
    twice = sum(count - 1 for count in Counter(read_pages.read_text().split()).values())
    current = {row for row in view(output) if Path(row[0]).exists()}
    is_right = len(view(output)) == len(set(view(output))) and current == set(view(undisturbed))
    leftovers = [path.name for path in output.glob("_*")]
    if not is_right or leftovers or again.returncode:
        print(told, leftovers, len(view(output)), len(view(undisturbed)), flush=True)
    if left:
        print(f"{left} processes were left", flush=True)
    return process.returncode, again.returncode, twice, is_right and not leftovers


def kill_a_part(folder: Path, number: int, parts: int, seconds: float) -> tuple[int, int, int, bool]:
    """Like ``kill_and_go_on``, for a part of a job array, whose other parts go on."""
    rng = random.Random(number)
    inputs, output, read_pages = folder / "in", folder / "out", folder / "read"
    write_documents(inputs, np.random.default_rng(number), 120)
    read_pages.write_text("")

    def start_part(part: int, host: str) -> subprocess.Popen[bytes]:
        return start(inputs, output, read_pages, "threads", f"--part={part}/{parts}", "--wait", host=host)

    processes = [start_part(part, f"host-{part}") for part in range(1, parts + 1)]
    time.sleep(seconds)
    victim = rng.randrange(parts)
    processes[victim].kill()
    again = start_part(victim + 1, "another-host")
    told = again.communicate(timeout=120)[0].decode()
    others = [process.communicate(timeout=120)[0].decode() for process in processes]
    undisturbed = folder / f"undisturbed-{number}"
    start(inputs, undisturbed, folder / "ignored", "threads").communicate(timeout=120)
    twice = sum(count - 1 for count in Counter(read_pages.read_text().split()).values())
    current = {row for row in view(output) if Path(row[0]).exists()}
    ends = {process.returncode for index, process in enumerate(processes) if index != victim} | {again.returncode}
    leftovers = [path.name for path in output.glob("_*")]
    is_right = len(view(output)) == len(set(view(output))) and current == set(view(undisturbed))
    if not is_right or leftovers or ends != {0}:
        print(told, *others, leftovers, len(view(output)), len(view(undisturbed)), flush=True)
    return processes[victim].returncode, max(ends), twice, is_right and not leftovers and ends == {0}


def main() -> None:
    """Prints a line for each kill, and a summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", type=int, help="kill parts of a job array of so many")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    modes = ("threads", "processes")
    cases = [(mode, target) for mode in modes for target in ("command", "worker", "decoder")]
    cases.remove(("threads", "worker"))  # threads of the command
    right = most = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.kills):
            mode, target = cases[number % len(cases)]
            seconds = rng.uniform(0.5, 7 if mode == "threads" else 9)
            if arguments.parts:
                mode, target = "parts", "command"
                seconds = rng.uniform(3, 16)  # several start more slowly
                result = kill_a_part(Path(folder), number, arguments.parts, seconds)
            else:
                result = kill_and_go_on(Path(folder), number, mode, target, seconds)
            before, after, twice, is_right = result
            right, most = right + is_right, max(most, twice)
            end = "right" if is_right else "WRONG"
            print(
                f"{number:3} {mode:9} {target:8} {seconds:5.2f} s: {before:4} {after:4} twice {twice:3} {end}",
                flush=True,
            )
    print(f"{right} of {arguments.kills} right; at most {most} pages were read twice (a shard has {ROWS_PER_SHARD})")
    sys.exit(right != arguments.kills)


if __name__ == "__main__":
    main()
