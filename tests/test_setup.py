"""What ``pip install .`` installs, and what it leaves behind."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ocr_models import __version__

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

    metadata = read_metadata(wheel)
    assert metadata["Version"] == __version__ and f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert {"aws", "gcp", "jax"} <= set(metadata.get_all("Provides-Extra"))
    assert "Programming Language :: Python :: 3.11" in metadata.get_all("Classifier")
    # Setuptools 77 and later warn of license classifiers beside a license's SPDX name.
    assert metadata["License"] == "Apache-2.0" and "License ::" not in " ".join(metadata.get_all("Classifier"))
    needed = [name for name in metadata.get_all("Requires-Dist") if "extra ==" not in name]
    pinned = re.findall(r"^(\S+)==", (ROOT / "containers/constraints.txt").read_text(), re.MULTILINE)
    assert {re.split(r"[^\w-]", name)[0].lower() for name in needed} <= {name.lower() for name in pinned}  # in images
    links = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    assert not [link for link in links if not link.startswith("https://")]  # others lead nowhere on a package index
    assert "docs/rows.md describes every column" in " ".join(metadata.get_payload().split())


def read_metadata(wheel):
    with zipfile.ZipFile(wheel) as file:
        [name] = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(file.read(name))
