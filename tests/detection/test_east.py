import keras
import numpy as np
import pytest

from ocr_models.detection.east import build_east, freeze_backbone
from ocr_models.detection.east_losses import east_loss
from ocr_models.detection.targets import make_targets
from ocr_models.inference.batch_norm_folding import fold_batch_norm

WORDS = np.array([[[8, 8], [50, 8], [50, 24], [8, 24]]], np.float32)


def _loss(truth, prediction):
    return east_loss(truth[..., :1], truth[..., 1:6], truth[..., 6:], prediction[..., :1], prediction[..., 1:])[0]


def _train_one_step(east):
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 1)).astype(np.float32)
    truth = np.concatenate(make_targets(WORDS, [False], 64, 64), axis=-1)[None].repeat(2, axis=0)
    answer = keras.layers.Concatenate()([east.output["score_logits"], east.output["geometry_map"]])
    model = keras.Model(east.input, answer)  # one map of 6 channels, which ``fit`` trains on any backend
    model.compile("adam", loss=_loss)
    return model.train_on_batch(images, truth)


@pytest.mark.parametrize("backbone", ["fast", "vgg16"])
def test_builds_predicts_and_learns(backbone):
    model = build_east(backbone=backbone)
    answer = model.predict(np.full((2, 64, 96, 1), 128.0), verbose=0)
    assert answer["score_logits"].shape == (2, 16, 24, 1)
    assert answer["geometry_map"].shape == (2, 16, 24, 5)
    assert answer["score_logits"].dtype == answer["geometry_map"].dtype == np.float32
    assert np.isfinite(_train_one_step(model))


def test_first_answers_are_of_a_usual_words_size():
    # As in the first training step: batch norms haven't seen anything yet that they could use otherwise.
    image = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 1)).astype(np.float32)
    answer = keras.ops.convert_to_numpy(build_east(text_scale=512.0)(image, training=True)["geometry_map"])
    np.testing.assert_allclose(answer[..., :4], 12.0, rtol=0.5)
    assert (np.abs(answer[..., 4]) < np.pi / 4).all()


@pytest.mark.parametrize("backbone", ["fast", "vgg16"])
def test_head_tune_leaves_the_backbone_as_it_is(backbone):
    model = build_east(backbone=backbone)
    freeze_backbone(model)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    _train_one_step(model)
    changed = {
        layer.name
        for layer in model.layers
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
        if not np.array_equal(old, new)
    }
    assert "score_logits" in changed and "merge_32_conv" in changed
    assert not [name for name in changed if name.startswith("stem_")]


def test_saved_model_loads_without_custom_objects(tmp_path):
    model = build_east()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 1))
    for name, values in model.predict(images, verbose=0).items():
        np.testing.assert_allclose(loaded.predict(images, verbose=0)[name], values, rtol=1e-5)


def test_folded_model_answers_the_same():
    model = build_east()
    rng = np.random.default_rng(0)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    folded = fold_batch_norm(model)
    assert not [layer for layer in folded.layers if isinstance(layer, keras.layers.BatchNormalization)]
    images = rng.uniform(0, 255, (1, 64, 96, 1))
    expected = model.predict(images, verbose=0)
    for name, values in folded.predict(images, verbose=0).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-3)


def test_unknown_backbone_names_the_choices():
    with pytest.raises(ValueError, match="vgg16"):
        build_east(backbone="resnet")
