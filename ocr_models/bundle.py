"""A bundle: a trained model as one folder.

Every bundle has ``model.keras`` and ``config.json``; a recognizer also has ``charset.txt``, a captioner
``vocabulary.txt``. Detectors and CRNNs also have ``model.onnx``, which is read on CPUs. A CRNN may have
``lexicon.bloom``, a set of known words.

``config.json`` holds the task, the architecture, the training configuration, the scores and the SHA-256 of the other
files, so that a bundle can be checked and named without loading the model or importing Keras. The digest shows that a
copy is whole, and rows name the model by it. It doesn't show who made the bundle: whoever changes a file can write its
new digest, too. That a bundle can't do more than compute is up to those who load it (``ocr_models.inference``).

A bundle is replaced as a whole. The new files are written to the subfolder ``unfinished-bundle``, which is then renamed
to ``complete-bundle``: from that moment on, the new bundle counts. Its files are then copied over the old ones, and the
subfolder is removed. If the process is killed in between, the next one that reads or writes the bundle does the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocr_models import durable_files
from ocr_models.errors import UsageError

if TYPE_CHECKING:
    import keras

    from ocr_models.charset import Charset
    from ocr_models.lexicon import Lexicon
    from ocr_models.vocabulary import Vocabulary

WEIGHTS = Path(__file__).parent / "weights"
DEFAULT_BUNDLES = {"detection": "east-fast", "recognition": "crnn-fast"}
_MODEL, _ONNX, _CONFIG = "model.keras", "model.onnx", "config.json"
_CHARSET, _VOCABULARY, _LEXICON = "charset.txt", "vocabulary.txt", "lexicon.bloom"
_GRAPH = "graph.pb"  # of bundles that were trained before there were ONNX files
_PARTS = (_MODEL, _GRAPH, _ONNX, _CHARSET, _VOCABULARY, _LEXICON)
_UNFINISHED, _COMPLETE = "unfinished-bundle", "complete-bundle"  # subfolders that exist while a bundle is written


@dataclass(frozen=True)
class Bundle:
    """A checked model folder.

    Attributes:
        path: the folder.
        id: the name and the start of the digest, "crnn-fast@0123456789ab".
        digest: the SHA-256 of all of its files except ``config.json``.
        config: the content of ``config.json``.
    """

    path: Path
    id: str
    digest: str
    config: dict[str, Any]

    @property
    def model_path(self) -> Path:
        return self.path / _MODEL

    @property
    def onnx_path(self) -> Path | None:
        """The network as an ONNX file (``ocr_models.inference.onnx_export``); None if the bundle has none."""
        path = self.path / _ONNX
        return path if path.is_file() else None

    @property
    def charset_path(self) -> Path:
        return self.path / _CHARSET

    @property
    def lexicon_path(self) -> Path | None:
        """The known words (``ocr_models.lexicon``); None if the bundle has none."""
        path = self.path / _LEXICON
        return path if path.is_file() else None

    @property
    def reads_lines(self) -> bool:
        """Whether a recognizer was trained on lines, too, and not on words alone."""
        data = self.config.get("training", {}).get("options", {}).get("data") or {}
        return bool(data.get("line_share"))

    @property
    def vocabulary_path(self) -> Path:
        return self.path / _VOCABULARY

    @property
    def temperature(self) -> float | None:
        """The temperature of a calibrated recognizer (``metrics.calibration.apply_temperature``), else None."""
        return self.config.get("temperature")


def shipped_bundles() -> list[str]:
    """Names of the bundles that come with the package."""
    return sorted(p.parent.name for p in WEIGHTS.glob(f"*/{_CONFIG}"))


def is_shipped(path: Path) -> bool:
    """Whether a folder lies where the bundles that come with the package do."""
    return path.resolve().parent == WEIGHTS.resolve()


def check_not_shipped(path: Path) -> None:
    """Raises UsageError if a folder that is to be written is that of a shipped bundle."""
    if is_shipped(path):
        raise UsageError(
            f"{path}: a bundle that comes with the package, which is never changed; copy its folder and give the copy"
        )


def find_bundle(name_or_path: str, task: str | None = None) -> Bundle:
    """Finds and checks a bundle by its folder or by the name of a shipped one.

    If the replacement of the bundle was interrupted by a kill, this completes it.

    Args:
        name_or_path: "path/to/bundle", or "crnn-fast". Anything with a separator is a path. A bare name is the folder
            of that name in the working directory if there is one, else the shipped bundle.
        task: the task of ``pagebeam train`` that the bundle must be trained for, such as "detection"; None for any.

    Raises:
        UsageError: there is no such bundle, a file is missing or damaged, or it is trained for another task.
    """
    path = _path_of(name_or_path)
    if not path.is_dir():
        raise UsageError(
            f"{name_or_path}: no such model bundle; give the folder of a trained one or a shipped name: "
            + ", ".join(shipped_bundles())
        )
    try:
        with suppress(FileNotFoundError):  # another process was faster
            _install(path)
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
    if task and config.get("task") != task:
        raise UsageError(f"{path}: a bundle for {config.get('task')}, but one for {task} was expected")
    return Bundle(path, f"{config['arch']}@{digest[:12]}", digest, config)


def write_bundle(
    path: Path,
    model: keras.Model,
    config: dict[str, Any],
    charset: Charset | Vocabulary | None = None,
    onnx: bytes | None = None,
) -> Bundle:
    """Writes a bundle, in the place of an older one if there is one, whose lexicon goes, too.

    If the process is killed, the folder holds either the old bundle or the new one.

    Args:
        path: its folder.
        model: the network.
        config: must hold "task" and "arch".
        charset: of a recognizer, or the vocabulary of a captioner.
        onnx: the network as ``ocr_models.inference.onnx_export.export_onnx`` gives it.

    Raises:
        UsageError: the folder is that of a shipped bundle.
    """

    def write(folder: Path) -> None:
        model.save(folder / _MODEL)
        if onnx is not None:
            (folder / _ONNX).write_bytes(onnx)
        if charset is not None:
            charset.save(folder / (_VOCABULARY if config["task"] == "caption" else _CHARSET))

    return _replace(path, config, write)


def set_temperature(bundle: Bundle, temperature: float) -> Bundle:
    """Stores a recognizer's temperature in its bundle, for all who load it from now on.

    The id of the bundle stays the same: the temperature changes the confidences of the text, not the text.

    Raises:
        UsageError: the bundle is a shipped one.
    """
    check_not_shipped(bundle.path)
    config = {**bundle.config, "temperature": temperature}
    with durable_files.replacing(bundle.path / _CONFIG) as file:
        file.write(_config_bytes(config))
    return find_bundle(str(bundle.path), config["task"])


def set_lexicon(bundle: Bundle, lexicon: Lexicon, names: list[str]) -> Bundle:
    """Puts a lexicon into the bundle of a CRNN, in the place of an older one, with the names of its word lists.

    The id of the bundle changes, because the text that is read does. If the process is killed, the folder holds either
    the old bundle or the new one.

    Raises:
        UsageError: the bundle is a shipped one.
    """

    return _change(bundle, {"lexicons": names}, lambda folder: lexicon.save(folder / _LEXICON))


def set_onnx(bundle: Bundle, onnx: bytes) -> Bundle:
    """Puts the ONNX file of its network into a bundle that has none, such as one of an older version.

    The id of the bundle changes. If the process is killed, the folder holds either the old bundle or the new one.

    Raises:
        UsageError: the bundle is a shipped one.
    """
    return _change(bundle, {}, lambda folder: (folder / _ONNX).write_bytes(onnx))


def _change(bundle: Bundle, config: dict[str, Any], write: Callable[[Path], object]) -> Bundle:
    """Replaces a bundle by one with some files written over its own, and with changes to its config."""

    def write_all(folder: Path) -> None:
        for name in _PARTS:
            if name != _GRAPH and (bundle.path / name).is_file():
                shutil.copyfile(bundle.path / name, folder / name)
        write(folder)

    return _replace(bundle.path, {**bundle.config, **config}, write_all)


def _path_of(name_or_path: str) -> Path:
    path, shipped = Path(name_or_path), WEIGHTS / name_or_path
    is_name = path.name == name_or_path
    return shipped if is_name and not path.is_dir() and (shipped / _CONFIG).is_file() else path


def _replace(path: Path, config: dict[str, Any], write: Callable[[Path], None]) -> Bundle:
    """Replaces the bundle in a folder by the files that ``write`` writes into the folder it is given, and a config."""
    check_not_shipped(path)
    _install(path)
    unfinished = path / _UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        write(unfinished)
        (unfinished / _CONFIG).write_bytes(_config_bytes({**config, "digest": _digest(unfinished)}))
        durable_files.sync_folder(unfinished)
        durable_files.rename(unfinished, path / _COMPLETE)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(OSError):
            path.rmdir()  # if there was no older bundle
        raise
    _install(path)
    return find_bundle(str(path), config["task"])


def _install(path: Path) -> None:
    """Replaces the bundle in a folder by the one in its subfolder ``complete-bundle``, if there is one.

    After a kill at any step, the next call does the rest: the subfolder stays whole until all its files are there. They
    are linked, which needs no room, rather than moved.
    """
    complete, unfinished = path / _COMPLETE, path / _UNFINISHED
    if not complete.is_dir():
        return
    unfinished.mkdir(exist_ok=True)
    for name in (*_PARTS, _CONFIG):
        if (complete / name).is_file():
            copy = unfinished / f"{os.getpid()}-{name}"
            _link(complete / name, copy)
            durable_files.rename(copy, path / name)
        else:
            (path / name).unlink(missing_ok=True)
    shutil.rmtree(unfinished)
    os.replace(complete, unfinished)
    shutil.rmtree(unfinished)


def _link(path: Path, other: Path) -> None:
    """Gives a file a second name, or copies it where file systems don't have that."""
    other.unlink(missing_ok=True)  # left by a kill
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _config_bytes(config: dict[str, Any]) -> bytes:
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for name in _PARTS:
        if name == _MODEL or (path / name).is_file():
            digest.update((path / name).read_bytes())
    return digest.hexdigest()
