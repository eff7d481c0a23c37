"""What ``pip install .`` installs, and what it leaves behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("ocr_models", "pagebeam", "pipelines")


def test_the_wheel_holds_everything_and_the_clone_no_build_folder(tmp_path):
    clone = tmp_path / "clone"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, clone)

    command = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(clone)]
    subprocess.run([sys.executable, *command], check=True)

    assert not (clone / "build").exists()
    [wheel] = tmp_path.glob("*.whl")
    installed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = {file.relative_to(clone).as_posix() for package in PACKAGES for file in (clone / package).rglob("*.*")}
    assert installed == source
