"""Pagebeam's package."""

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "ocr_models/__init__.py").read_text()).group(1)
README = HERE / "README.md"
TRAIN = ["keras>=3.15", "onnx>=1.18", "tensorboardX>=2.6", "tensorflow>=2.21"]  # and what computes on GPUs
EXPORT = ["fonttools>=4.50", "img2pdf>=0.6"]  # what makes searchable PDFs
DOCS = ["argparse-manpage>=4.6", "mkdocs>=1.6,<2"]  # what builds the docs site and the man page
HEIF = ["pillow-heif>=1.8"]  # what reads HEIC pictures
# Elsewhere than in the clone, which setuptools would leave a build/ folder in.
BUILD = tempfile.mkdtemp(prefix="pagebeam-build-")
atexit.register(shutil.rmtree, BUILD, ignore_errors=True)

# On a package index, links to files of the source lead nowhere: their text, which names the file, stays.
DESCRIPTION = re.sub(r"\[([^]]+)\]\((?!https?:)[^)]+\)", r"\1", README.read_text()) if README.exists() else ""

setup(
    name="pagebeam",
    version=VERSION,
    description="Bulk OCR on Apache Beam and Keras: documents in, one Parquet row a page out",
    long_description=DESCRIPTION,
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    author="The Pagebeam contributors",
    keywords=["OCR", "text detection", "text recognition", "Apache Beam", "Keras", "Parquet"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Topic :: Text Processing :: Linguistic",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    options={"build": {"build_base": BUILD}},
    packages=find_packages(include=["ocr_models*", "pagebeam*", "pipelines*"]),
    package_data={
        "": ["py.typed"],
        "ocr_models": ["weights/**/*"],
        "pagebeam": ["beam_providers.yaml"],
        "ocr_models.reports": ["templates/*.html"],
        "pipelines.report": ["static/*"],
    },
    install_requires=[
        "apache-beam>=2.77",
        "google-crc32c>=1.5",
        "jinja2>=3.1",
        "matplotlib>=3.9",
        "numpy>=2",
        "opencv-python-headless>=5",
        "openvino>=2026.4",
        "pikepdf>=9",
        "pillow>=11.3",
        "protobuf>=5",
        "pyarrow>=18",
        "pypdfium2>=5",
        "pyyaml>=6",
        "rapidfuzz>=3.10",
        "scipy>=1.14",
        "shapely>=2.0.4",
        "shtab>=1.7.2",
        "tqdm>=4.66",
    ],
    extras_require={
        "gcp": ["apache-beam[gcp]>=2.77"],
        "aws": ["apache-beam[aws]>=2.77"],
        "azure": ["apache-beam[azure]>=2.77"],
        "hadoop": ["apache-beam[hadoop]>=2.77"],
        "jax": ["jax>=0.4.38"],
        "yaml": ["apache-beam[yaml]>=2.77"],
        "export": EXPORT,
        "docs": DOCS,
        "heif": HEIF,
        "ocrmypdf": ["ocrmypdf>=17.13"],
        "docling": ["docling>=2.143"],
        "train": TRAIN,
        "dev": [
            *DOCS,
            *EXPORT,
            *HEIF,
            *TRAIN,
            "duckdb",
            "hypothesis",
            "jax>=0.4.38",
            "mypy",
            "pandas",
            "polars",
            "pytest",
            "pytest-xdist",
            "ruff",
        ],
    },
    entry_points={
        "console_scripts": ["pagebeam = pagebeam.__main__:main"],
        "docling": ["pagebeam = pagebeam.docling"],
    },
)
