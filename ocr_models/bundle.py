"""A trained model as one folder: ``model.keras``, ``config.json``, and for recognizers ``charset.txt``, for captioners
``vocabulary.txt``. Detectors and CRNNs that were trained with TensorFlow have ``graph.pb``, too, from which they load
faster; CRNNs may have ``lexicon.bloom``, known words.

``config.json`` holds the task, the architecture, the training configuration, the scores and the sha256 of the other
files, so that a bundle is checked and named without loading the model or importing Keras.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocr_models.errors import UsageError

if TYPE_CHECKING:
    from ocr_models.lexicon import Lexicon

WEIGHTS = Path(__file__).parent / "weights"
DEFAULT_BUNDLES = {"detection": "east-fast", "recognition": "crnn-fast"}
_MODEL, _GRAPH, _CONFIG = "model.keras", "graph.pb", "config.json"
_CHARSET, _VOCABULARY, _LEXICON = "charset.txt", "vocabulary.txt", "lexicon.bloom"


@dataclass(frozen=True)
class Bundle:
    """A checked model folder.

    Attributes:
        path: the folder.
        id: the name and the start of the digest, "crnn-fast@0123456789ab".
        digest: sha256 over all of its files but ``config.json``.
        config: what ``config.json`` holds.
    """

    path: Path
    id: str
    digest: str
    config: dict[str, Any]

    @property
    def model_path(self) -> Path:
        return self.path / _MODEL

    @property
    def graph_path(self) -> Path | None:
        """The network as a TensorFlow graph (``ocr_models.inference.frozen_graph``), where the bundle has it."""
        path = self.path / _GRAPH
        return path if path.is_file() else None

    @property
    def charset_path(self) -> Path:
        return self.path / _CHARSET

    @property
    def lexicon_path(self) -> Path | None:
        """The known words (``ocr_models.lexicon``), where the bundle has them."""
        path = self.path / _LEXICON
        return path if path.is_file() else None

    @property
    def vocabulary_path(self) -> Path:
        return self.path / _VOCABULARY

    @property
    def temperature(self) -> float | None:
        """Of a recognizer that was calibrated (``ocr_models.metrics.apply_temperature``), else None."""
        return self.config.get("temperature")


def shipped_bundles() -> list[str]:
    """Names of the bundles that come with the package."""
    return sorted(p.parent.name for p in WEIGHTS.glob(f"*/{_CONFIG}"))


def is_shipped(path: Path) -> bool:
    """Whether a folder is that of a bundle that comes with the package."""
    return path.resolve().parent == WEIGHTS.resolve()


def find_bundle(name_or_path: str, task: str) -> Bundle:
    """Finds and checks a bundle by the name of a shipped one or by its folder.

    Args:
        name_or_path: "crnn-fast", or "path/to/bundle".
        task: a task of ``pagebeam train``, such as "detection": what the bundle must be trained for.

    Raises:
        UsageError: there is no such bundle, a file is missing or damaged, or it is trained for something else.
    """
    path = WEIGHTS / name_or_path if (WEIGHTS / name_or_path / _CONFIG).is_file() else Path(name_or_path)
    if not path.is_dir():
        raise UsageError(
            f"{name_or_path}: no such model bundle; give the folder of a trained one or a shipped name: "
            + ", ".join(shipped_bundles())
        )
    try:
        config = json.loads((path / _CONFIG).read_text(encoding="utf-8"))
        digest = _digest(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: broken model bundle: {error}; train it anew or copy it whole") from error
    if not isinstance(config, dict) or config.get("digest") != digest:
        raise UsageError(f"{path}: broken model bundle: its files don't match the digest in {_CONFIG}; copy it whole")
    if "arch" not in config:
        raise UsageError(f"{path}: broken model bundle: {_CONFIG} names no architecture; copy it whole")
    temperature = config.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise UsageError(f"{path}: broken model bundle: temperature {temperature} in {_CONFIG}; give a number above 0")
    if config.get("task") != task:
        raise UsageError(f"{path}: a bundle for {config.get('task')}, but one for {task} was expected")
    return Bundle(path, f"{config['arch']}@{digest[:12]}", digest, config)


def write_bundle(path: Path, model, config: dict[str, Any], charset=None, graph: bytes | None = None) -> Bundle:
    """Writes a bundle for ``model`` (a Keras model); ``config`` must hold "task" and "arch".

    ``charset`` has a ``save(path)``: a ``Charset``, or, for a captioner, a ``Vocabulary``. ``graph`` is the model's.
    The files of an older bundle in the folder are replaced one by one by renames, ``config.json`` last: a bundle
    caught between is refused by its digest, never half used. Its lexicon goes.
    """
    path.mkdir(parents=True, exist_ok=True)
    unfinished = path / "unfinished.keras"
    model.save(unfinished)
    os.replace(unfinished, path / _MODEL)
    for name in (_GRAPH, _LEXICON):
        (path / name).unlink(missing_ok=True)
    if graph is not None:
        (path / _GRAPH).write_bytes(graph)
    if charset is not None:
        charset.save(path / (_VOCABULARY if config["task"] == "caption" else _CHARSET))
    return _write_config(path, {**config, "digest": _digest(path)})


def set_temperature(bundle: Bundle, temperature: float) -> Bundle:
    """Stores a recognizer's temperature in its bundle, for all who load it from now on.

    The bundle's id stays as it is: what is read doesn't change, only how sure it is said to be.
    """
    return _write_config(bundle.path, {**bundle.config, "temperature": temperature})


def set_lexicon(bundle: Bundle, lexicon: Lexicon, names: list[str]) -> Bundle:
    """Puts a lexicon into a CRNN's bundle, in the place of an older one, with the names of the word lists in it.

    The bundle's id changes, as what is read does.
    """
    lexicon.save(bundle.path / _LEXICON)
    return _write_config(bundle.path, {**bundle.config, "lexicons": names, "digest": _digest(bundle.path)})


def _write_config(path: Path, config: dict[str, Any]) -> Bundle:
    unfinished = path / "unfinished.json"
    unfinished.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path / _CONFIG)
    return find_bundle(str(path), config["task"])


def _digest(path: Path) -> str:
    digest = hashlib.sha256((path / _MODEL).read_bytes())
    for name in (_GRAPH, _CHARSET, _VOCABULARY, _LEXICON):
        if (path / name).is_file():
            digest.update((path / name).read_bytes())
    return digest.hexdigest()
