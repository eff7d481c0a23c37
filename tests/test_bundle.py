from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from ocr_models.bundle import (
    WEIGHTS,
    find_bundle,
    is_shipped,
    set_lexicon,
    set_temperature,
    shipped_bundles,
    write_bundle,
)
from ocr_models.charset import LATIN, Charset
from ocr_models.errors import UsageError
from ocr_models.lexicon import Lexicon
from ocr_models.vocabulary import Vocabulary

CONFIG = {"task": "recognition", "arch": "crnn-light", "metrics": {"score": 0.5}}


def tiny_model():
    image = keras.Input((3,))
    return keras.Model(image, keras.layers.Dense(2)(image))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "written"
    bundle = write_bundle(folder, tiny_model(), CONFIG, Charset(LATIN), onnx=b"a graph")
    return set_lexicon(bundle, Lexicon.of(["word"]), ["words"])


@pytest.fixture
def folder(written, tmp_path):
    """A copy to break."""
    return shutil.copytree(written.path, tmp_path / "bundle")


def test_what_was_written_is_found(written):
    assert find_bundle(str(written.path), "recognition") == written
    assert sorted(path.name for path in written.path.iterdir()) == [
        "charset.txt",
        "config.json",
        "lexicon.bloom",
        "model.keras",
        "model.onnx",
    ]
    assert Charset.load(written.charset_path).characters == LATIN
    assert written.config == {**CONFIG, "lexicons": ["words"], "digest": written.digest}
    assert keras.saving.load_model(written.model_path).output_shape == (None, 2)


def test_digest_and_id(written):
    files = (written.model_path, written.onnx_path, written.charset_path, written.lexicon_path)
    assert written.digest == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    assert written.id == f"crnn-light@{written.digest[:12]}"


def test_copy_is_the_same_bundle(written, folder):
    assert find_bundle(str(folder), "recognition").id == written.id


def test_detector_needs_no_charset(tmp_path):
    bundle = write_bundle(tmp_path / "east", tiny_model(), {"task": "detection", "arch": "east-fast"})
    assert not bundle.charset_path.exists()
    assert find_bundle(str(tmp_path / "east"), "detection") == bundle


def test_captioner_keeps_its_vocabulary_under_the_digest(tmp_path):
    vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "dog"])
    bundle = write_bundle(tmp_path / "tell", tiny_model(), {"task": "caption", "arch": "show-and-tell"}, vocabulary)
    assert sorted(path.name for path in bundle.path.iterdir()) == ["config.json", "model.keras", "vocabulary.txt"]
    assert Vocabulary.load(bundle.vocabulary_path).words == vocabulary.words
    bundle.vocabulary_path.write_text("<S>\n</S>\n<UNK>\ncat\n")
    with pytest.raises(UsageError, match="don't match the digest"):
        find_bundle(str(bundle.path), "caption")


def test_writing_again_replaces_the_model(folder, written):
    model = tiny_model()
    again = write_bundle(folder, model, {**CONFIG, "metrics": {"score": 0.9}}, Charset("abc"))
    assert again.onnx_path is again.lexicon_path is None  # they were the old model's
    assert again.digest != written.digest and again.config["metrics"] == {"score": 0.9}
    loaded = keras.saving.load_model(again.model_path)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_temperature_is_stored_and_leaves_the_id(folder, written):
    assert written.temperature is None
    calibrated = set_temperature(find_bundle(str(folder), "recognition"), 1.25)
    assert calibrated == find_bundle(str(folder), "recognition")
    assert (calibrated.temperature, calibrated.id) == (1.25, written.id)
    assert calibrated.config == {**written.config, "temperature": 1.25}


def _edit_config(folder, **changes):
    path = folder / "config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def _flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


BREAKAGES = {
    "no folder": shutil.rmtree,
    "no model": lambda folder: (folder / "model.keras").unlink(),
    "no config": lambda folder: (folder / "config.json").unlink(),
    "no charset": lambda folder: (folder / "charset.txt").unlink(),
    "no ONNX": lambda folder: (folder / "model.onnx").unlink(),
    "no lexicon": lambda folder: (folder / "lexicon.bloom").unlink(),
    "changed ONNX": lambda folder: _flip_a_byte(folder / "model.onnx"),
    "changed lexicon": lambda folder: _flip_a_byte(folder / "lexicon.bloom"),
    "changed model": lambda folder: _flip_a_byte(folder / "model.keras"),
    "changed charset": lambda folder: (folder / "charset.txt").write_text("a\nb\n"),
    "invalid json": lambda folder: (folder / "config.json").write_text('{"task": '),
    "not utf-8": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"),
    "json without fields": lambda folder: (folder / "config.json").write_text("[]"),
    "no digest": lambda folder: _edit_config(folder, digest=None),
    "no architecture": lambda folder: _edit_config(folder, arch=None),
    "no task": lambda folder: _edit_config(folder, task=None),
    "no temperature": lambda folder: _edit_config(folder, temperature=0),
    "strange temperature": lambda folder: _edit_config(folder, temperature="warm"),
    "another task": lambda folder: _edit_config(folder, task="detection"),
}


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES)
def test_broken_bundle_is_refused_by_its_path(folder, breakage):
    find_bundle(str(folder), "recognition")
    breakage(folder)
    with pytest.raises(UsageError, match=re.escape(str(folder))) as refusal:
        find_bundle(str(folder), "recognition")
    assert "\n" not in str(refusal.value)


def test_wrong_task_names_both(written):
    with pytest.raises(UsageError, match="bundle for recognition, but one for detection"):
        find_bundle(str(written.path), "detection")


def test_unknown_name_lists_the_shipped_ones():
    with pytest.raises(UsageError) as refusal:
        find_bundle("crnn-enormous", "recognition")
    assert str(refusal.value).startswith("crnn-enormous: no such model bundle")
    assert str(refusal.value).endswith(", ".join(shipped_bundles()))


@pytest.fixture
def namesake(folder, tmp_path, monkeypatch):
    """A bundle of one's own, in the working directory, with the name of a shipped one."""
    monkeypatch.chdir(tmp_path)
    return folder.rename(tmp_path / "crnn-fast")


@pytest.mark.parametrize("path", ["./crnn-fast", "crnn-fast/", "crnn-fast", "{cwd}/crnn-fast"])
def test_folder_in_the_working_directory_is_not_shadowed_by_a_shipped_name(namesake, written, path):
    assert find_bundle(path.format(cwd=namesake.parent), "recognition").id == written.id


def test_name_without_such_a_folder_is_the_shipped_bundles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_bundle("crnn-fast", "recognition").path == WEIGHTS / "crnn-fast"


@pytest.mark.parametrize("path", ["./crnn-fast", "weights/crnn-fast"])
def test_path_is_never_a_shipped_name(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"{path}: no such model bundle"):
        find_bundle(path, "recognition")


def test_shipped_bundles_are_known_by_their_folder(written, tmp_path):
    assert all(is_shipped(WEIGHTS / name) for name in shipped_bundles())
    assert not is_shipped(written.path)
    (tmp_path / "link").symlink_to(WEIGHTS / "crnn-fast")
    assert is_shipped(tmp_path / "link")


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: set_temperature(bundle, 2.0),
        lambda bundle: set_lexicon(bundle, Lexicon.of(["word"]), ["words"]),
        lambda bundle: write_bundle(bundle.path, tiny_model(), CONFIG, Charset("abc")),
    ],
)
def test_shipped_bundle_is_never_written(change):
    bundle = find_bundle("crnn-fast", "recognition")
    before = {path: path.stat().st_mtime_ns for path in bundle.path.iterdir()}
    with pytest.raises(UsageError, match="crnn-fast: a bundle that comes with the package, which is never"):
        change(bundle)
    assert {path: path.stat().st_mtime_ns for path in bundle.path.iterdir()} == before


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


def write_half(path, content, **_):
    with open(path, "w" if isinstance(content, str) else "wb") as file:
        file.write(content[: len(content) // 2])


def remove_a_file(folder, **_):
    for path in [path for path in Path(folder).glob("*") if path.is_file()][:1]:
        path.unlink()


# Everything by which a bundle's files change, each with what it has done when it is killed in the middle.
STEPS = {
    (os, "replace"): lambda old, new: None,
    (shutil, "copyfile"): lambda old, new: write_half(new, Path(old).read_bytes()),
    (shutil, "rmtree"): remove_a_file,
    (Path, "mkdir"): lambda folder, **_: None,
    (Path, "unlink"): lambda path, **_: None,
    (Path, "write_bytes"): write_half,
    (Path, "write_text"): write_half,
}


def is_killed(change, number, monkeypatch):
    """Whether ``change()`` comes to so many steps, of which the last one kills it."""
    taken = []

    def fatal(step, in_the_middle):
        def wrapper(*args, **kwargs):
            taken.append(step)
            if len(taken) == number:
                patch.undo()
                in_the_middle(*args, **kwargs)
                raise Killed
            return step(*args, **kwargs)

        return wrapper

    with monkeypatch.context() as patch:
        for (owner, name), in_the_middle in STEPS.items():
            patch.setattr(owner, name, fatal(getattr(owner, name), in_the_middle))
        try:
            change()
        except Killed:
            return True
    return False


CHANGES = {
    "rewritten": lambda folder: write_bundle(folder, tiny_model(), {**CONFIG, "arch": "crnn-fast"}, Charset("abc")),
    "rewritten with an ONNX file": lambda folder: write_bundle(
        folder, tiny_model(), {**CONFIG, "arch": "crnn-fast"}, Charset("abc"), onnx=b"another model"
    ),
    "lexicon": lambda folder: set_lexicon(find_bundle(str(folder), "recognition"), Lexicon.of(["other"]), ["others"]),
    "temperature": lambda folder: set_temperature(find_bundle(str(folder), "recognition"), 2.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_bundle_is_the_old_or_the_new_one_after_a_kill_at_any_step(change, written, tmp_path, monkeypatch):
    old = find_bundle(str(written.path), "recognition").config
    outcomes, number = [], 0
    while True:
        number += 1
        folder = shutil.copytree(written.path, tmp_path / str(number))
        if not is_killed(lambda folder=folder: change(folder), number, monkeypatch):
            break
        found = find_bundle(str(folder), "recognition")
        outcomes.append(found.config == old)
        assert found.digest == found.config["digest"]
        assert change(folder) == find_bundle(str(folder), "recognition")  # and it can be done again
    assert outcomes == sorted(outcomes, reverse=True)  # the old one up to some step, the new one from there on
    assert outcomes[0] and len(outcomes) > 1
    assert {path.name for path in folder.iterdir()} <= set(os.listdir(written.path))


def test_bundle_is_found_after_kills_of_the_recovery_too(written, tmp_path, monkeypatch):
    folder = shutil.copytree(written.path, tmp_path / "bundle")
    shutil.copytree(written.path, folder / "complete-bundle")
    _flip_a_byte(folder / "model.keras")
    for number in range(20, 0, -1):
        is_killed(lambda: find_bundle(str(folder), "recognition"), number, monkeypatch)
    assert find_bundle(str(folder), "recognition").digest == written.digest
