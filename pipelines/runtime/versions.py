"""The versions that manifests and reports record."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata

import ocr_models

VERSIONED_PACKAGES = (
    "apache-beam",
    "keras",
    "numpy",
    "opencv-python-headless",
    "openvino",
    "pikepdf",
    "pillow",
    "pillow-heif",
    "pyarrow",
    "pypdfium2",
    "tensorflow",
)


def versions() -> dict[str, str]:
    """Versions of pagebeam, Python and the packages that results depend on, by name."""
    found = {"pagebeam": ocr_models.__version__, "python": platform.python_version()}
    for package in VERSIONED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):  # those of extras
            found[package] = metadata.version(package)
    return found


def system_versions() -> dict[str, str]:
    """``versions``, with the operating system and the PDFium that pypdfium2 brings, for reports of bugs."""
    from pypdfium2.version import PDFIUM_INFO

    found = versions()
    first = {name: found.pop(name) for name in ("pagebeam", "python")}
    return {**first, "system": platform.platform(), **found, "pdfium": str(PDFIUM_INFO)}
