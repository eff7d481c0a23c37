from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from ocr_models.captioning.show_and_tell import SIZES, ShowAndTell, Standardize, build_captioner

VOCABULARY = 9
IDS = np.array([[0, 5, 6, 7], [0, 3, 3, 8]], np.int32)


def tiny(dropout=0.3):
    """The architecture in small: pictures of 32 pixels, 8 units."""
    return ShowAndTell(VOCABULARY, "light", 36, 32, 6, 8, dropout)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    network = tiny()
    network.standardize.set_from(np.random.default_rng(0).normal(3, 2, (50, 256)))
    for weight in network.decoder.trainable_weights:  # from 0.08 on, logits hardly differ
        weight.assign(4 * weight)
    return network


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def images(count=2):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def features(network):
    return numpy(network.backbone(images(), training=False))


def decode(network, ids, **options):
    return numpy(network.decoder({"features": features(network), "input_ids": ids}, **options))


def test_numbers_of_the_paper():
    size = SIZES["show-and-tell"]
    assert (size.backbone, size.resized_px, size.image_px) == ("inception-v3", 346, 299)
    assert (size.embedding_units, size.lstm_units, size.dropout) == (512, 512, 0.3)


def test_inception_v3_with_its_decoder():
    network = build_captioner(100)
    assert network.backbone.count_params() == 21_802_784  # of Keras's Inception v3 without its classifier
    # Image embedding 2048 * 512, word embedding 100 * 512, the four gates of the LSTM with 512 inputs, 512 states and
    # a bias each, logits from 512 units with a bias; a mean and a scale for each of 2048 features.
    gates = 4 * 512 * (512 + 512 + 1)
    assert network.decoder.count_params() == 2048 * 512 + 100 * 512 + gates + 100 * 513 + 2 * 2048
    start = network.decoder.get_layer("image_embedding").kernel
    assert 0.079 < np.abs(numpy(start)).max() <= 0.08


def test_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match="arch is 'show', but must be one of"):
        build_captioner(9, "show")


def test_one_prediction_for_each_word(network):
    logits = network({"image": images(), "input_ids": IDS})
    assert logits.shape == (2, 4, VOCABULARY)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_word_by_word_is_the_same_as_at_once(network):
    at_once = decode(network, IDS)
    state = network.encode(features(network))
    for time in range(IDS.shape[1]):
        logits, state = network.step(IDS[:, time], state)
        np.testing.assert_allclose(logits, at_once[:, time], rtol=1e-3, atol=1e-4)


def test_decoder_is_an_lstm_that_sees_the_picture_first(network):
    """Against the equations of the LSTM, in NumPy."""
    layer = network.decoder.get_layer
    mean, scale, embedding, words = (
        numpy(x)
        for x in (
            layer("standardize").mean,
            layer("standardize").scale,
            layer("image_embedding").kernel,
            layer("word_embedding").embeddings,
        )
    )
    kernel, recurrent, bias = (numpy(weight) for weight in layer("lstm").cell.cell.weights)
    output, output_bias = (numpy(weight) for weight in layer("logits").weights)
    h = c = np.zeros((2, 8))
    expected = []
    for x in [((features(network) - mean) * scale) @ embedding, *words[IDS.T]]:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        expected.append(h @ output + output_bias)
    np.testing.assert_allclose(decode(network, IDS), np.stack(expected[1:], axis=1), rtol=1e-3, atol=1e-3)


def test_no_prediction_sees_a_later_word(network):
    changed = IDS.copy()
    changed[:, 2:] = 4
    before, after = decode(network, IDS), decode(network, changed)
    np.testing.assert_allclose(before[:, :2], after[:, :2], rtol=1e-5)
    assert np.abs(before[:, 2:] - after[:, 2:]).max() > 1e-3


def test_saved_captioner_predicts_the_same(network, tmp_path):
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == network.get_config()
    inputs = {"image": images(), "input_ids": IDS}
    np.testing.assert_allclose(loaded(inputs), network(inputs), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loaded.encode(np.ones((1, 256)))[0], network.encode(np.ones((1, 256)))[0], rtol=1e-5)


def test_dropout_is_for_training_alone(network):
    plain = decode(network, IDS, training=False)
    np.testing.assert_array_equal(plain, decode(network, IDS, training=False))
    first, second = decode(network, IDS, training=True), decode(network, IDS, training=True)
    assert np.abs(first - plain).max() > 1e-3 and np.abs(first - second).max() > 1e-3


def test_standardized_features_have_mean_0_and_deviation_1():
    layer = Standardize()
    features = np.random.default_rng(0).normal([5, -3, 0], [2, 0.01, 1], (200, 3)).astype(np.float32)
    features[:, 2] = 7  # without deviation
    np.testing.assert_array_equal(layer(features), features)
    layer.set_from(features)
    standard = numpy(layer(features))
    np.testing.assert_allclose(standard.mean(axis=0), [0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(standard.std(axis=0), [1, 1, 0], atol=1e-3)


def test_config_with_the_earlier_name_of_the_backbone_is_read(network):
    config = network.get_config()
    config["stem"] = config.pop("backbone")
    assert ShowAndTell.from_config(config).size == network.size
