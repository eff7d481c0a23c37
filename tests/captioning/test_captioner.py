from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from ocr_models.bundle import find_bundle, write_bundle
from ocr_models.captioning.captioner import Captioner
from ocr_models.captioning.show_and_tell import ShowAndTell
from ocr_models.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["<S>", "</S>", "<UNK>", "a", "dog", "cat", "."])


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    network = ShowAndTell(len(VOCABULARY), "light", 36, 32, 6, 8, 0.3)
    rng = np.random.default_rng(0)
    for weight in network.decoder.trainable_weights:
        weight.assign(rng.normal(0, 0.8, weight.shape))
    bias = network.decoder.get_layer("logits").bias
    bias.assign(bias - 50 * (np.arange(len(VOCABULARY)) == 0))  # <S> is never said, as a trained network wouldn't
    return network


@pytest.fixture(scope="module")
def captioner(network):
    return Captioner(network, VOCABULARY, "tiny", max_length=6)


def pictures(count):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*rng.integers(8, 60, 2), 3), np.uint8) for _ in range(count)]


def log_prob(network, features, words):
    """Of a caption and its end, by the network's predictions for the whole of it."""
    ids = VOCABULARY.encode(words)
    logits = network.decoder({"features": features[None], "input_ids": np.array([ids[:-1]])})
    log_probs = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))[0]
    return float(log_probs[np.arange(len(ids) - 1), ids[1:]].sum())


def test_captions_of_a_picture(captioner, network):
    (captions,) = captioner.caption(pictures(1))
    assert 1 <= len(captions) <= 3
    for caption in captions:
        assert len(caption.tokens) <= 6
        assert caption.probability == pytest.approx(np.exp(caption.log_prob))
    assert len({caption.text for caption in captions}) == len(captions)


def test_best_caption_has_the_likeliest_words(network):
    """Against all captions of up to two words, by a beam that is wide enough for all."""
    captioner = Captioner(network, VOCABULARY, beam_width=49, max_length=3)
    features = captioner.features(pictures(1))
    words = [word for word in VOCABULARY.words if word not in ("<S>", "</S>")]
    all_captions = [caption for length in range(3) for caption in itertools.product(words, repeat=length)]
    log_probs = {caption: log_prob(network, features[0], caption) for caption in all_captions}
    best = max(all_captions, key=lambda caption: log_probs[caption] / (len(caption) + 1))  # the end is a word, too
    found = captioner.caption_features(features)[0]
    assert found[0].tokens == best
    assert {c.tokens: c.log_prob for c in found[:31]} == pytest.approx(log_probs, rel=0.02, abs=0.02)  # 1 + 5 + 25


def test_captions_do_not_depend_on_the_batch(captioner):
    images = pictures(11)
    together = captioner.caption(images)
    assert len(together) == 11
    assert captioner.caption(images[::-1]) == together[::-1]
    assert captioner.caption(images[-1:]) == together[-1:]
    assert len({captions[0].log_prob for captions in together}) > 1


def test_pictures_are_computed_one_at_a_time(captioner, monkeypatch):
    """So the test above passes on every processor: places of a batch may differ in the last bits of their results."""
    sizes = []
    for name in ("_see", "_tell"):
        compute = getattr(captioner, name)
        monkeypatch.setattr(captioner, name, lambda x, compute=compute: sizes.append(len(x)) or compute(x))
    captioner.caption(pictures(3))
    assert sizes == [1] * 6


def test_no_pictures_have_no_captions(captioner):
    assert captioner.caption([]) == []


def test_kept_captioner_sees_what_the_network_learns(captioner, network):
    before = captioner.caption(pictures(1))
    bias = network.decoder.get_layer("logits").bias
    old = keras.ops.convert_to_numpy(bias)
    bias.assign(old + 50 * (np.arange(len(VOCABULARY)) == 1))  # nothing but the end
    assert captioner.caption(pictures(1))[0][0].text == ""
    bias.assign(old)
    assert captioner.caption(pictures(1)) == before


def test_bundle_captions_the_same(captioner, network, tmp_path):
    write_bundle(tmp_path / "tell", network, {"task": "caption", "arch": "show-and-tell"}, VOCABULARY)
    loaded = Captioner.load(find_bundle(str(tmp_path / "tell"), "caption"), max_length=6)
    assert loaded.captioner_id.startswith("show-and-tell@")
    assert [c.text for c in loaded.caption(pictures(1))[0]] == [c.text for c in captioner.caption(pictures(1))[0]]
