from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.cli.main import main
from pipelines.runtime import quick_start


@pytest.fixture(autouse=True)
def claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``claim_process`` does it, whatever other tests did before."""
    monkeypatch.setenv(quick_start._CLAIMED, "1")


def test_what_is_hidden_can_be_imported_afterwards():
    code = """
import sys
from pipelines.runtime.quick_start import quick_start
with quick_start():
    try:
        import matplotlib
    except ImportError:
        print("hidden")
import matplotlib
print("seen")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hidden", "seen"]


def test_grpc_keeps_forks_to_itself(monkeypatch):
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)

    quick_start.claim_process()

    assert os.environ["GRPC_VERBOSITY"] == "ERROR"


def test_what_is_there_stays_and_garbage_is_collected_again(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", quick_start)  # any module
    with pytest.raises(ZeroDivisionError), quick_start.quick_start():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()
    assert sys.modules["matplotlib"] is quick_start
    gc.unfreeze()


def test_other_threads_find_what_is_hidden(monkeypatch):
    monkeypatch.setattr(quick_start, "_unneeded", lambda: {"this"})
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with quick_start.quick_start(), ThreadPoolExecutor(1) as threads:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("this")
        assert threads.submit(importlib.import_module, "this").result().__name__ == "this"
    gc.unfreeze()


def test_collector_stays_off_where_it_was_off():
    gc.disable()
    try:
        with quick_start.quick_start():
            pass
        assert not gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()


def test_collector_stays_off_until_the_last_block_ends():
    with quick_start.uncollected():
        with quick_start.quick_start():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.unfreeze()


def test_module_is_imported_ahead():
    code = """
import sys, time
from pipelines.runtime.quick_start import import_ahead
import_ahead("ocr_models.geometry")
while "ocr_models.geometry" not in sys.modules:
    time.sleep(0.01)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(("arguments", "status"), [(["--version"], 0), (["run"], 2), (["run", "missing.png"], 2)])
def test_command_ends_with_its_status_and_says_all_it_has_to(arguments, status, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [*arguments, *(["--output", "out"] if len(arguments) > 1 else [])]
    done = subprocess.run([sys.executable, "-m", "pipelines.cli.main", *arguments], capture_output=True, text=True)
    assert done.returncode == status
    try:
        assert main(arguments) == status
    except SystemExit as end:
        assert end.code == status
    expected = capsys.readouterr()
    assert done.stdout.splitlines()[-1:] == expected.out.splitlines()[-1:]
    assert done.stderr.splitlines()[-1:] == expected.err.splitlines()[-1:]


def test_tensorflow_is_imported_without_a_word_and_all_else_that_is_written_is_kept():
    code = """
import os
from pipelines.runtime import quick_start
quick_start.claim_process()
import tensorflow
with quick_start._dropping_tensorflow_lines():
    os.write(2, b"I0000 00:00:1795898268.668408   1 a.cc:31] No cuda\\nan error\\nE0000 00:00:1.5 b.cc:1] bad\\n")
print("tensorflow.python.profiler.internal._pywrap_profiler_plugin" in __import__("sys").modules)
"""
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stderr == "an error\nE0000 00:00:1.5 b.cc:1] bad\n"
    assert done.stdout == "True\n"


def test_libraries_do_without_the_modules_that_are_left_out():
    code = """
import sys
from pipelines.runtime import quick_start
quick_start.leave_out_unused()
import apache_beam, openvino, pyarrow
print(pyarrow.array([1, 2]).to_pylist(), set(quick_start._UNUSED) & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 2] set()\n"
