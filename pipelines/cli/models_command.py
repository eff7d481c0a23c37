"""``pagebeam models``: lists the models that ship with the package."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ocr_models.arguments import ArgumentParser
from ocr_models.bundle import DEFAULT_BUNDLES, WEIGHTS, Bundle, find_bundle, shipped_bundles
from ocr_models.charset import Charset
from ocr_models.errors import ExitStatus
from ocr_models.terminal import say

_MEGABYTE = 1e6
# The scores in a bundle's config.json, by task: their keys and how they are called.
_SCORES = {
    "detection": {"score": "F-score", "precision": "precision", "recall": "recall"},
    "recognition": {"score": "words read exactly", "cer": "CER"},
}


def main(argv: Sequence[str]) -> ExitStatus:
    """Runs the command and returns its exit status."""
    ArgumentParser(
        prog="pagebeam models",
        description="Lists the models that ship with the package: name, task, size, start of the SHA-256 of the "
        "bundle, what it reads, and its scores on validation data of its own training, which can't be compared between "
        "models. docs/model_card.md says more about them.",
    ).parse_args(argv)
    for name in shipped_bundles():
        say(*_describe(name))
    return ExitStatus.OK


def _describe(name: str) -> list[str]:
    bundle = find_bundle(str(WEIGHTS / name))  # by its path: a name may be a folder of the working directory
    task = bundle.config["task"]
    size = sum(file.stat().st_size for file in bundle.path.iterdir() if file.is_file()) / _MEGABYTE
    default = " (default)" if DEFAULT_BUNDLES[task] == name else ""
    scores = [f"{label} {bundle.config['metrics'][key]:.3f}" for key, label in _SCORES[task].items()]
    return [
        f"{name}{default}: {task}, {size:.1f} MB, digest {bundle.digest[:12]}",
        f"  {_what_it_reads(bundle)}",
        f"  validation: {', '.join(scores)}",
    ]


def _what_it_reads(bundle: Bundle) -> str:
    if bundle.config["task"] == "detection":
        return "finds words on pages"
    characters = Charset.load(bundle.charset_path).characters
    names = [unicodedata.name(character) for character in characters]
    latin, greek = (sum(name.startswith(script) for name in names) for script in ("LATIN ", "GREEK "))
    letters = f"{latin} Latin and {greek} Greek letters" if greek else f"{latin} Latin letters"
    lexicons = len(bundle.config.get("lexicons", ()))
    known = f"; a lexicon of {lexicons} word lists decides between doubtful letters" if lexicons else ""
    return f"reads {len(characters)} characters: {letters}, digits and signs{known}"
