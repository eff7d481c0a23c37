"""The classes that the Keras models of bundles may consist of: those that Pagebeam's own networks have, no others.

Keras's safe mode refuses what is known to run code. A bundle may come from anyone, and Keras has many classes, in which
ways around that mode have been found before; a class that our networks don't have is refused by name before Keras makes
anything of it. A test keeps the list equal to what the networks of all training tasks have.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from ocr_models.errors import UsageError

KERAS_CLASSES = frozenset(
    [
        "__keras_tensor__",
        "keras.DTypePolicy",
        "keras.initializers.Constant",
        "keras.initializers.GlorotUniform",
        "keras.initializers.HeNormal",
        "keras.initializers.Ones",
        "keras.initializers.Orthogonal",
        "keras.initializers.RandomNormal",
        "keras.initializers.Zeros",
        "keras.layers.Add",
        "keras.layers.BatchNormalization",
        "keras.layers.Bidirectional",
        "keras.layers.Concatenate",
        "keras.layers.Conv2D",
        "keras.layers.Dense",
        "keras.layers.GRUCell",
        "keras.layers.InputLayer",
        "keras.layers.LSTM",
        "keras.layers.LSTMCell",
        "keras.layers.MaxPooling2D",
        "keras.layers.ReLU",
        "keras.layers.Rescaling",
        "keras.layers.Reshape",
        "keras.layers.UpSampling2D",
        "keras.layers.ZeroPadding2D",
        "keras.src.models.functional.Functional",
    ]
)
_OURS = "pagebeam>"  # the names under which our own layers are registered with Keras begin so


def check_model(path: Path) -> None:
    """Raises UsageError if a Keras model's file can't be read, or has a class that our networks don't have."""
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(file.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: broken model bundle: {error}; train it anew or copy it whole") from error
    strange = keras_classes(config) - KERAS_CLASSES
    ours = {name for name in strange if name.startswith(_OURS) and keras.saving.get_registered_object(name)}
    if foreign := strange - ours:
        raise UsageError(
            f"{path}: has classes that no network of Pagebeam has: {', '.join(sorted(foreign))}; as they could do "
            "harm, it isn't loaded; give a bundle that pagebeam train wrote"
        )


def keras_classes(config: Any) -> set[str]:
    """The classes that Keras would make from a configuration: "keras.layers.Dense", "pagebeam>AttentionDecoder"."""
    return set(_classes(config))


def _classes(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if "class_name" in config:
            registered = str(config.get("registered_name"))
            full_name = ".".join(str(config[key]) for key in ("module", "class_name") if config.get(key))
            yield registered if registered.startswith(_OURS) else full_name
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _classes(value)
