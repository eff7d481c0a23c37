from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from ocr_models.data.loading.batches import teacher_forced
from ocr_models.decoding.losses import sequence_loss
from ocr_models.inference.batch_norm_folding import fold_batch_norm
from ocr_models.recognition.attention_network import END_ID, SIZES, AttentionReader, build_attention, is_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.training.task import Learner

CLASSES = 12
SMALL = replace(SIZES["attention"], embedding=8, cell_units=16, attention_units=8, encoder_units=12)
KINDS = {
    "default": SMALL,
    "luong": replace(SMALL, mechanism="luong"),
    "lstm": replace(SMALL, cell="lstm"),
    "dense": replace(SMALL, encoder="dense"),
}


def crops(width=40, count=3):
    return np.random.default_rng(0).integers(0, 256, (count, 32, width, 1), np.uint8)


def truth():
    labels = np.array([[1, 2, 3, 0], [4, 4, 0, 0], [5, 6, 7, 8]], np.int32)
    return {"labels": labels, "label_length": np.array([3, 2, 4]), "logit_length": np.array([10, 6, 8], np.int32)}


def batch(width=40):
    return teacher_forced(crops(width), truth(), start_id=CLASSES)


@pytest.fixture(scope="module", params=sorted(KINDS))
def network(request):
    keras.utils.set_random_seed(1)
    return build_attention(CLASSES, KINDS[request.param])


def test_batch_is_shifted_by_one_and_ends_after_the_last_character():
    inputs, of_batch = batch()
    assert inputs["token_ids"].tolist() == [[12, 1, 2, 3, 0], [12, 4, 4, 0, 0], [12, 5, 6, 7, 8]]
    assert of_batch["targets"].tolist() == [[1, 2, 3, 0, 0], [4, 4, 0, 0, 0], [5, 6, 7, 8, 0]]
    assert of_batch["weights"].tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]


def test_shapes_and_kinds(network):
    logits = network(batch()[0])
    assert tuple(logits.shape) == (3, 5, CLASSES) and network.output_shape == (None, None, CLASSES)
    assert is_attention(network) and not is_attention(build_crnn(CLASSES))


def test_encoder_is_the_one_of_crnn():
    def weights(network):
        return {(layer.name, tuple(w.shape)) for layer in network.layers for w in layer.weights}

    of_crnn = {(name, shape) for name, shape in weights(build_crnn(CLASSES)) if name != "logits"}
    assert of_crnn and of_crnn < weights(build_attention(CLASSES))


def test_padding_of_a_crop_is_not_looked_at():
    """Only where the encoder is local: LSTMs carry what stands in the padding back into the crop."""
    network = build_attention(CLASSES, KINDS["dense"])
    inputs, _ = batch()
    # Row 1 has 6 positions, 24 columns; convolutions reach less than 40 columns to each side.
    wide = {**inputs, "image": np.pad(inputs["image"], ((0, 0), (0, 0), (0, 80), (0, 0)))}
    other = {**wide, "image": wide["image"].copy()}
    other["image"][:, :, 100:] = 255
    np.testing.assert_allclose(network(wide), network(other), atol=1e-5)
    assert not np.allclose(network(wide), network({**other, "logit_length": np.full(3, 30, np.int32)}), atol=1e-5)


def test_saved_and_folded_models_answer_the_same(network, tmp_path):
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    folded = fold_batch_norm(loaded)
    assert not [layer for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    inputs, _ = batch()
    np.testing.assert_allclose(loaded(inputs), network(inputs), atol=1e-5)
    np.testing.assert_allclose(folded(inputs), network(inputs), atol=1e-3)


@pytest.mark.parametrize("beam_width", [1, 3])
def test_what_is_read_scores_as_in_training(network, beam_width):
    """Probabilities of the decoder running by itself equal those of its own answer forced on it."""
    inputs, _ = batch()
    reader = AttentionReader(network, beam_width)
    words = reader({"image": inputs["image"], "logit_length": inputs["logit_length"]})

    ids, probabilities, alignments = (ops.convert_to_numpy(x) for x in words)
    assert ids.shape == probabilities.shape == (3, 11) and alignments.shape == (3, 11, 10)
    fed = np.concatenate([np.full((3, 1), CLASSES), ids[:, :-1]], axis=1)
    forced = ops.convert_to_numpy(ops.softmax(network({**inputs, "token_ids": fed})))
    for row in range(3):
        steps = np.count_nonzero(probabilities[row])
        assert steps >= 1 and (ids[row, steps:] == END_ID).all() and END_ID not in ids[row, : steps - 1]
        expected = forced[row, np.arange(steps), ids[row, :steps]]
        np.testing.assert_allclose(probabilities[row, :steps], expected, atol=1e-4)
        np.testing.assert_allclose(alignments[row, :steps].sum(axis=1), 1, atol=1e-4)
        assert not alignments[row, :steps, inputs["logit_length"][row] :].any()
        if beam_width == 1:
            assert (ids[row, :steps] == forced[row, :steps].argmax(axis=1)).all()


def test_learns_words_and_reads_them_alone():
    keras.utils.set_random_seed(1)
    network = build_attention(CLASSES, SMALL)
    learner = Learner(network, lambda of_batch, logits: sequence_loss(logits, of_batch["targets"], of_batch["weights"]))
    learner.compile(keras.optimizers.Adam(5e-3), jit_compile=keras.backend.backend() == "jax")
    inputs, of_batch = batch()
    losses = [float(learner.train_on_batch(inputs, of_batch)) for _ in range(90)]
    assert losses[-1] < 0.1 < losses[0]

    words = AttentionReader(network)({"image": inputs["image"], "logit_length": inputs["logit_length"]})
    read = [row[row != END_ID].tolist() for row in ops.convert_to_numpy(words.ids)]
    assert read == [[1, 2, 3], [4, 4], [5, 6, 7, 8]]
