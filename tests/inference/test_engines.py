from __future__ import annotations

import keras
import numpy as np
import pytest

from ocr_models.bundle import find_bundle, write_bundle
from ocr_models.errors import UsageError
from ocr_models.inference import engines
from ocr_models.inference.engines import choose_engine, load_forward
from ocr_models.inference.onnx_export import export_onnx
from ocr_models.recognition.crnn import build_crnn

BACKEND = keras.backend.backend()
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}[BACKEND]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    network = build_crnn(12, "crnn-fast")
    folder = tmp_path_factory.mktemp("engines") / "crnn"
    return write_bundle(folder, network, {"task": "recognition", "arch": "crnn-fast"}, onnx=export_onnx(network))


@pytest.fixture(scope="module")
def bundle_without_onnx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines") / "old"
    return write_bundle(folder, build_crnn(12, "crnn-fast"), {"task": "recognition", "arch": "crnn-fast"})


def no_gpu(monkeypatch, tmp_path, has_gpu=False):
    driver = tmp_path / "version"
    if has_gpu:
        driver.touch()
    monkeypatch.setattr(engines, "_NVIDIA", driver)


def test_openvino_is_chosen_where_there_is_no_gpu(bundle, monkeypatch, tmp_path):
    no_gpu(monkeypatch, tmp_path)
    assert choose_engine(bundle) == "openvino"


def test_kerass_backend_is_chosen_on_a_gpu_and_without_an_onnx_file(bundle, bundle_without_onnx, monkeypatch, tmp_path):
    no_gpu(monkeypatch, tmp_path)
    assert choose_engine(bundle_without_onnx) == BACKEND
    no_gpu(monkeypatch, tmp_path, has_gpu=True)
    assert choose_engine(bundle) == BACKEND


def test_without_keras_a_gpu_is_left_alone_and_other_engines_are_errors(
    bundle, bundle_without_onnx, monkeypatch, tmp_path
):
    no_gpu(monkeypatch, tmp_path, has_gpu=True)
    monkeypatch.setattr(engines, "_is_installed", lambda name: False)
    assert choose_engine(bundle) == "openvino"
    for of, engine in ((bundle, "tensorflow"), (bundle_without_onnx, "auto")):
        with pytest.raises(UsageError, match=r"needs keras and .*: run pip install 'pagebeam\[train(,jax)?\]'"):
            choose_engine(of, engine)


def test_openvino_needs_an_onnx_file(bundle_without_onnx):
    with pytest.raises(UsageError, match=r"has no ONNX file, .* run pagebeam train onnx --output"):
        choose_engine(bundle_without_onnx, "openvino")


def test_keras_runs_on_one_backend_only(bundle):
    with pytest.raises(UsageError, match=f"Keras runs on {BACKEND} in this process, and can't run on {OTHER}"):
        load_forward(bundle, OTHER)


def test_engines_compute_the_same(bundle):
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 1), dtype=np.uint8)
    one, other = (load_forward(bundle, engine)(crops) for engine in ("openvino", BACKEND))
    np.testing.assert_allclose(one, other, atol=0.03 * np.abs(other).max())  # bfloat16, where the processor has it


def test_bundle_of_an_older_version_gets_an_onnx_file(bundle_without_onnx, tmp_path, capsys):
    import shutil

    from ocr_models.training.cli import main

    folder = shutil.copytree(bundle_without_onnx.path, tmp_path / "copy")
    assert main(["onnx", "--output", str(folder)]) == 0
    bundle = find_bundle(str(folder), "recognition")
    assert bundle.id != bundle_without_onnx.id and bundle.id in capsys.readouterr().out
    assert choose_engine(bundle, "openvino") == "openvino"
