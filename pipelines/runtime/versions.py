"""The versions that manifests and reports record."""

from __future__ import annotations

import platform
from importlib import metadata

import ocr_models

VERSIONED_PACKAGES = (
    "apache-beam",
    "keras",
    "numpy",
    "opencv-python-headless",
    "pikepdf",
    "pillow",
    "pyarrow",
    "pypdfium2",
    "tensorflow",
)


def versions() -> dict[str, str]:
    """Versions of pagebeam, Python and the packages that results depend on, by name."""
    packages = {package: metadata.version(package) for package in VERSIONED_PACKAGES}
    return {"pagebeam": ocr_models.__version__, "python": platform.python_version(), **packages}
