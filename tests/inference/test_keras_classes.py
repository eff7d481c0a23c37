"""Bundles come from strangers: classes that our networks consist of are loaded, all others are refused by name."""

from __future__ import annotations

import dataclasses
import itertools
import json
import zipfile

import keras
import pytest

from ocr_models.bundle import WEIGHTS, shipped_bundles, write_bundle
from ocr_models.captioning.captioner import Captioner
from ocr_models.captioning.show_and_tell import build_captioner
from ocr_models.charset import LATIN, Charset
from ocr_models.detection.east import build_east
from ocr_models.errors import UsageError
from ocr_models.inference.keras_classes import KERAS_CLASSES, check_model, keras_classes
from ocr_models.inference.keras_engine import load_keras_model
from ocr_models.recognition.attention_network import SIZES, build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.digit_rows import build_digit_reader
from ocr_models.vocabulary import Vocabulary

PARTS = itertools.product(("bilstm", "dense"), ("gru", "lstm"), ("bahdanau", "luong"))


def networks():
    """One of each kind that ``pagebeam train`` can write, with all choices of layers."""
    yield from (build_east(backbone) for backbone in ("fast", "vgg16"))
    yield from (build_crnn(9, size) for size in ("crnn-fast", "crnn-light", "crnn-vgg"))
    yield from (build_digit_reader(11, arch) for arch in ("crnn", "attention", "attention-srn"))
    for encoder, cell, mechanism in PARTS:
        size = dataclasses.replace(SIZES["attention"], encoder=encoder, cell=cell, mechanism=mechanism)
        yield build_attention(9, size)
    yield build_captioner(9, "show-and-tell-light")


def crnn_bundle(path):
    return write_bundle(path, build_crnn(9), {"task": "recognition", "arch": "crnn-light"}, Charset(LATIN))


def test_the_list_is_what_networks_of_all_kinds_have():
    classes = set()
    for network in networks():
        classes |= keras_classes(json.loads(json.dumps(keras.saving.serialize_keras_object(network))))
    assert {name for name in classes if not name.startswith("pagebeam>")} == KERAS_CLASSES


@pytest.mark.parametrize("name", shipped_bundles())
def test_shipped_bundles_pass(name):
    check_model(WEIGHTS / name / "model.keras")


def replace_class(path, change):
    """Writes a Keras model's file anew with another configuration of its layers."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    change(config["config"]["layers"])
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {**parts, "config.json": json.dumps(config)}.items():
            file.writestr(name, data)


@pytest.mark.parametrize(
    ("strange", "named"),
    [
        ({"class_name": "Lambda"}, "keras.layers.Lambda"),
        ({"class_name": "TFSMLayer"}, "keras.layers.TFSMLayer"),
        ({"class_name": "StringLookup"}, "keras.layers.StringLookup"),
        ({"module": "os", "class_name": "system"}, "os.system"),
        ({"module": None, "class_name": "Lambda"}, "Lambda"),  # as in models of Keras 2
        ({"module": "os", "class_name": "system", "registered_name": "pagebeam>NoSuchLayer"}, "pagebeam>NoSuchLayer"),
    ],
)
def test_keras_model_with_another_class_is_refused_by_name(strange, named, tmp_path):
    bundle = crnn_bundle(tmp_path / "bundle")
    replace_class(bundle.model_path, lambda layers: layers[1].update(strange))

    with pytest.raises(UsageError, match=rf"model\.keras: has classes that no network of Pagebeam has: {named};"):
        load_keras_model(bundle)


def test_classes_inside_of_layers_are_seen(tmp_path):
    bundle = crnn_bundle(tmp_path / "bundle")
    replace_class(bundle.model_path, lambda layers: layers[1]["config"].update(activation={"class_name": "function"}))

    with pytest.raises(UsageError, match="Pagebeam has: function;"):
        load_keras_model(bundle)


def test_file_that_is_no_keras_model_is_a_broken_bundle(tmp_path):
    bundle = crnn_bundle(tmp_path / "bundle")
    bundle.model_path.write_bytes(b"no zip")

    with pytest.raises(UsageError, match=r"model\.keras: broken model bundle"):
        load_keras_model(bundle)


def test_captioners_pass_the_same_check(tmp_path):
    config = {"task": "caption", "arch": "show-and-tell-light"}
    network, vocabulary = build_captioner(9, "show-and-tell-light"), Vocabulary(("<S>", "</S>", "<UNK>", *"abcdef"))
    bundle = write_bundle(tmp_path / "bundle", network, config, vocabulary)
    with zipfile.ZipFile(bundle.model_path) as file:
        assert keras_classes(json.loads(file.read("config.json"))) == {"pagebeam>ShowAndTell"}
    Captioner.load(bundle)

    with zipfile.ZipFile(bundle.model_path, "a") as file:  # of two files with one name, the last one counts
        file.writestr("config.json", json.dumps({"module": "keras.layers", "class_name": "Lambda"}))
    with pytest.raises(UsageError, match=r"keras\.layers\.Lambda"):
        Captioner.load(bundle)
