from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ocr_models.training.devices import in_float32
from tests.shards import striped_word, word_example, write_shard

ROOT = Path(__file__).parents[2]


def test_batches_are_spread_over_all_devices_on_jax(tmp_path):
    """On two devices that JAX makes of one CPU: as real ones would be, but for their speed."""
    pytest.importorskip("jax")
    for split in ("train", "validation"):
        write_shard(tmp_path / f"{split}-0", [word_example(striped_word(text), text) for text in ("ab", "ba")])
    (tmp_path / "charset.txt").write_text("a\nb\n")
    code = f"""if __name__ == "__main__":
        import keras
        from ocr_models.errors import UsageError
        from ocr_models.training import loop
        from ocr_models.training.cli import main
        data = ["recognition", "--data", {str(tmp_path)!r}, "--validation", {str(tmp_path)!r}]
        try:
            main([*data, "--output", {str(tmp_path / "odd")!r}, "--batch-size", "3"])
        except UsageError as error:
            print(error)
        make_run = loop._Run
        def watched_run(config, task, *rest):
            print({{len(weight.value.devices()) for weight in task.network.weights}})
            return make_run(config, task, *rest)
        loop._Run = watched_run
        main([*data, "--output", {str(tmp_path / "even")!r}, "--batch-size", "2", "--steps", "1"])
    """
    environment = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("--batch-size 3: must be a multiple of the 2 devices\n{2}\n")
    assert (tmp_path / "even" / "config.json").is_file()


def test_network_of_mixed_precision_becomes_one_of_float32():
    def build():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build()
        same = in_float32(mixed, build)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert mixed.compute_dtype == "bfloat16" and same.compute_dtype == "float32"
    for weight, other in zip(mixed.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert in_float32(same, build) is same
