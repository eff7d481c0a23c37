"""Recognizers on real networks without training: what they read is nonsense, but always the same nonsense."""

from __future__ import annotations

import string

import keras
import numpy as np
import pytest

from ocr_models.bundle import set_lexicon, write_bundle
from ocr_models.charset import LATIN, PRINT, Charset
from ocr_models.errors import UsageError
from ocr_models.inference.batch_norm_folding import fold_batch_norm
from ocr_models.lexicon import Lexicon
from ocr_models.recognition.attention_network import AttentionSize, build_attention
from ocr_models.recognition.crnn import build_crnn
from ocr_models.recognition.crops import pad_crops
from ocr_models.recognition.keras_recognizer import keras_recognizer
from ocr_models.recognition.respelling import Reading, respell
from ocr_models.recognition.text_recognizer import READ_BATCH, TextRecognizer
from ocr_models.records import Transcript

CHARSET = Charset(LATIN)


@pytest.fixture(scope="module")
def network():
    """A fresh CRNN whose logits, nearly the same for any crop, are pulled apart: each crop has a text of its own."""
    keras.utils.set_random_seed(3)
    network = build_crnn(len(CHARSET) + 1)
    noise = np.random.default_rng(0).uniform(0, 255, (8, 32, 64, 1))
    logits = network.predict(noise, verbose=0)
    kernel, _ = network.get_layer("logits").get_weights()
    contrast = 5 / logits.std(axis=(0, 1)).mean()
    network.get_layer("logits").set_weights([contrast * kernel, -contrast * logits.mean(axis=(0, 1))])
    return network


@pytest.fixture(scope="module")
def recognizer(network):
    return keras_recognizer(network, CHARSET)


@pytest.fixture(scope="module")
def crops():
    """More crops than a batch in some buckets, from 1x1 to wider than the last bucket."""
    rng = np.random.default_rng(0)
    sizes = [(1, 1), (9, 700), *zip(rng.integers(8, 60, 70), rng.integers(5, 90, 70), strict=True)]
    sizes += [(32, 30)] * READ_BATCH
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def transcripts(recognizer, crops):
    return recognizer.read(crops)


def assert_same(first, second):
    assert [t.text for t in first] == [t.text for t in second]
    np.testing.assert_allclose([t.confidence for t in first], [t.confidence for t in second], atol=1e-3)


def test_transcripts_are_in_order_and_whole(crops, transcripts):
    assert len(crops) > READ_BATCH and len(transcripts) == len(crops)
    assert len({t.text for t in transcripts}) > len(crops) / 3  # so that a mix-up would show
    for transcript in transcripts:
        assert len(transcript.char_confidences) == len(transcript.text)
        assert len(transcript.places) == len(transcript.text)
        assert list(transcript.places) == sorted(transcript.places)
        assert 0 <= transcript.confidence <= 1 and all(0 <= place <= 1 for place in transcript.places)
        if transcript.text:
            assert min(transcript.char_confidences) <= transcript.confidence <= max(transcript.char_confidences)


def test_crop_is_read_alone_as_among_others(recognizer, crops, transcripts):
    some = [0, 1, 2, 40, 71]
    alone = [recognizer.read([crops[i]])[0] for i in some]
    assert_same(alone, [transcripts[i] for i in some])


def test_order_and_number_of_crops_do_not_matter(recognizer, crops, transcripts):
    shuffled = np.random.default_rng(1).permutation(len(crops))[:50]
    assert_same(recognizer.read([crops[i] for i in shuffled]), [transcripts[i] for i in shuffled])


def test_equal_crops_read_the_same_beyond_a_batch(recognizer, crops, transcripts):
    assert_same(recognizer.read([crops[5]] * (READ_BATCH + 3)), [transcripts[5]] * (READ_BATCH + 3))


def test_padding_is_not_read(recognizer):
    """A crop of 5 pixels is 2 time steps, so 2 characters at the most, in a bucket of 8 steps."""
    crops = [np.random.default_rng(seed).integers(0, 256, (32, 5), dtype=np.uint8) for seed in range(4)]
    assert max(len(t.text) for t in recognizer.read(crops)) <= 2
    assert max(len(t.text) for t in recognizer.read(list(pad_crops(crops, 32)))) > 2


def test_no_crops(recognizer):
    assert recognizer.read([]) == []


def test_beam_decoder_is_an_option(network, crops, transcripts):
    beamed = keras_recognizer(network, CHARSET, beam_width=4).read(crops[:8])
    assert [len(t.char_confidences) for t in beamed] == [len(t.text) for t in beamed]
    assert all(0 <= t.confidence <= 1 for t in beamed)


def test_temperature_changes_nothing_but_the_confidence(network, crops, transcripts):
    """The product of a word's probabilities is p; at a temperature of 2 its odds of p / (1 - p) become their root."""
    cold, warm = (keras_recognizer(network, CHARSET, temperature=t).read(crops[:40]) for t in (1, 2))
    for plain, of_cold, of_warm in zip(transcripts, cold, warm, strict=False):
        assert plain.text == of_cold.text == of_warm.text
        if plain.text:
            assert plain.network_confidence == plain.confidence
            assert of_warm.network_confidence == of_cold.network_confidence == pytest.approx(plain.confidence, abs=1e-3)
            probability = min(max(np.prod(of_cold.char_confidences), 1e-6), 1 - 1e-6)
            assert of_cold.confidence == pytest.approx(probability, rel=1e-3)
            odds = of_cold.confidence / (1 - of_cold.confidence)
            assert of_warm.confidence == pytest.approx(odds**0.5 / (1 + odds**0.5))


def test_part_of_a_text_has_a_confidence_of_its_own(network):
    line = Transcript("a bc", 0.1, (0.5, 0.9, 0.8, 0.2), 0.1, (0.1, 0.3, 0.6, 0.8))
    part = keras_recognizer(network, CHARSET).part(line, 2, 4)
    assert (part.text, part.char_confidences, part.places) == ("bc", (0.8, 0.2), (0.6, 0.8))
    assert part.confidence == part.network_confidence == pytest.approx(0.4)  # the root of 0.8 * 0.2
    # With a temperature of 1, confidence is the product.
    calibrated = keras_recognizer(network, CHARSET, temperature=1).part(line, 2, 4)
    assert (calibrated.confidence, calibrated.network_confidence) == pytest.approx((0.16, 0.4))


def test_temperature_of_an_attention_recognizer_counts_the_end(attention_network, crops):
    recognizer = keras_recognizer(attention_network, CHARSET, temperature=1)
    for transcript in recognizer.read(crops[:40]):
        if transcript.text:
            assert transcript.confidence <= np.prod(transcript.char_confidences) + 1e-6
            assert transcript.confidence <= transcript.network_confidence + 1e-6


def test_recognizer_has_its_bundles_temperature(network, crops, tmp_path):
    bundle = write_bundle(tmp_path, network, {"task": "recognition", "arch": "crnn-light", "temperature": 2}, CHARSET)
    folded = fold_batch_norm(network)
    assert_same(TextRecognizer.load(bundle).read(crops[:8]), keras_recognizer(folded, CHARSET, 1, 2).read(crops[:8]))
    plain = TextRecognizer.load(bundle, temperature=1)
    assert_same(plain.read(crops[:8]), keras_recognizer(folded, CHARSET, temperature=1).read(crops[:8]))


def test_recognizer_from_a_bundle_reads_the_same(network, crops, tmp_path):
    bundle = write_bundle(tmp_path, network, {"task": "recognition", "arch": "crnn-light"}, CHARSET)
    folded = keras_recognizer(fold_batch_norm(network), CHARSET)
    assert_same(TextRecognizer.load(bundle).read(crops[:8]), folded.read(crops[:8]))


@pytest.fixture(scope="module")
def attention_network():
    """A fresh attention recognizer with logits pulled apart, so that words end somewhere and differ."""
    keras.utils.set_random_seed(3)
    network = build_attention(len(CHARSET) + 1, AttentionSize(cell_units=32, attention_units=16, embedding=8))
    logits = network.get_layer("decoder").logits
    logits.set_weights([40 * weight for weight in logits.get_weights()])
    return network


@pytest.mark.parametrize("beam_width", [1, 2])
def test_attention_recognizer_reads_a_crop_alone_as_among_others(attention_network, crops, beam_width):
    recognizer = keras_recognizer(attention_network, CHARSET, beam_width)
    crops = [crop for crop in crops if crop.shape[1] < 60][:40]
    transcripts = recognizer.read(crops)
    assert len({t.text for t in transcripts}) > 5
    assert_same([recognizer.read([crops[i]])[0] for i in (0, 7, 39)], [transcripts[i] for i in (0, 7, 39)])
    for transcript in transcripts:
        assert len(transcript.char_confidences) == len(transcript.text)
        assert all(0 <= c <= 1 for c in (transcript.confidence, *transcript.char_confidences))


def test_alignments_are_those_of_the_crop_without_its_padding(attention_network):
    recognizer = keras_recognizer(attention_network, CHARSET)
    crop = np.random.default_rng(1).integers(0, 256, (32, 70), dtype=np.uint8)  # 18 positions in a bucket of 20
    transcript, alignments = recognizer.align(crop)
    assert transcript == recognizer.read([crop])[0]
    assert len(transcript.text) <= len(alignments) <= len(transcript.text) + 1 and alignments.shape[1] == 18
    np.testing.assert_allclose(alignments.sum(axis=1), 1, atol=1e-2)


ENGLISH = Lexicon.of(["crowding", "cat", "s", "over", "her"])


@pytest.mark.parametrize(
    ("chars", "likely", "chosen"),
    [
        ("erowding", {0: {"e": 0.9, "c": 0.1}}, "crowding"),
        ("erowding", {0: {"e": 0.985, "c": 0.015}}, "erowding"),  # sure enough
        ("1rowding", {0: {"1": 0.6, "c": 0.4}}, "1rowding"),  # a digit
        ("crowdi-g", {6: {"-": 0.6, "n": 0.4}}, "crowdi-g"),  # a mark
        ("cat.", {0: {"e": 0.55, "c": 0.4, ",": 0.05}, 3: {".": 0.6, "s": 0.4}}, "cat."),
        ("crowding", {0: {"c": 0.6, "e": 0.4}}, "crowding"),  # known as it is
        ("eat-erowding", {0: {"e": 0.6, "c": 0.4}, 4: {"e": 0.6, "c": 0.4}}, "cat-crowding"),
        ("12", {0: {"1": 0.6, "7": 0.4}}, "12"),
    ],
)
def test_letters_in_doubt_are_chosen_by_the_lexicon(chars, likely, chosen):
    probabilities = np.full((len(chars), len(CHARSET) + 1), 1e-9)
    for step, char in enumerate(chars):
        for other, probability in likely.get(step, {char: 1.0}).items():
            probabilities[step, CHARSET.encode(other)] = probability
    ids = probabilities.argmax(axis=1).tolist()
    confidences = tuple(probabilities.max(axis=1).tolist())
    reading = Reading(ids, confidences, range(len(chars)))
    respelled = respell(reading, np.log(probabilities), CHARSET, ENGLISH)
    assert CHARSET.decode(respelled.ids) == chosen
    assert (respelled.confidences, respelled.steps) == (reading.confidences, reading.steps)


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        ("crowding-eat", "crowding-cat"),  # the word that is sure is known
        ("tlum-eat", "tlum-eat"),
        ("crowding-tlum-eat", "crowding-tlum-cat"),
        ("crowding-tlum-kota-eat", "crowding-tlum-kota-eat"),  # one of three
        ("ja-to-eat", "ja-to-cat"),  # short words don't tell
    ],
)
def test_line_in_a_language_that_the_lexicon_lacks_stays(line, chosen):
    probabilities = np.full((len(line), len(CHARSET) + 1), 1e-9)
    probabilities[np.arange(len(line)), CHARSET.encode(line)] = 1.0
    probabilities[-3, CHARSET.encode("ec")] = 0.6, 0.4
    reading = Reading(CHARSET.encode(line), tuple(probabilities.max(axis=1).tolist()), range(len(line)))
    assert CHARSET.decode(respell(reading, np.log(probabilities), CHARSET, ENGLISH).ids) == chosen


@pytest.mark.parametrize(
    ("line", "likely", "chosen"),
    [
        ("RMO.08", {2: {"O": 0.8, "0": 0.2}}, "RM0.08"),
        ("−5O.00", {2: {"O": 0.8, "0": 0.2}}, "−50.00"),
        ("−5o", {2: {"o": 0.6, "0": 0.4}}, "−50"),
        ("S7.10", {0: {"S": 0.7, "$": 0.2, "5": 0.1}}, "$7.10"),
        ("S.25", {0: {"S": 0.7, "$": 0.2, "5": 0.1}}, "5.25"),
        ("14„00", {2: {"„": 0.6, ".": 0.4}}, "14.00"),
        ("5oo", {1: {"o": 0.6, "0": 0.4}, 2: {"o": 0.6, "0": 0.4}}, "500"),
        ("ll.", {0: {"l": 0.6, "1": 0.4}, 1: {"l": 0.6, "1": 0.4}}, "11."),
        ("RMO.08", {2: {"O": 0.985, "0": 0.015}}, "RMO.08"),  # sure enough
        ("RMO.08", {2: {"O": 0.7, "9": 0.3}}, "RMO.08"),  # doesn't look like it
        ("NO.1", {1: {"O": 0.6, "0": 0.4}}, "NO.1"),
        ("B019", {0: {"B": 0.6, "8": 0.4}}, "B019"),
        ("1851-B", {5: {"B": 0.6, "8": 0.4}}, "1851-B"),
        ("1l", {1: {"l": 0.6, "1": 0.4}}, "1l"),  # a liter
        ("crowding cr0wding", {11: {"0": 0.6, "o": 0.4}}, "crowding crowding"),
        ("0ver", {0: {"0": 0.6, "o": 0.4}, 1: {"v": 0.8, "h": 0.2}}, "over"),  # its end alone is no word
        ("cat1", {3: {"1": 0.6, "l": 0.4}}, "cat1"),
        ("1st", {0: {"1": 0.6, "l": 0.4}}, "1st"),
    ],
)
def test_what_looks_alike_is_decided_by_what_makes_a_number_or_a_word(line, likely, chosen):
    assert _respelled(line, likely) == chosen


@pytest.mark.parametrize(
    ("line", "chosen"), [("Tax;", "Tax:"), ("Tax; 7", "Tax: 7"), ("Tax; cat", "Tax; cat"), ("Tax;cat", "Tax;cat")]
)
def test_semicolon_in_doubt_after_a_label_is_a_colon(line, chosen):
    assert _respelled(line, {3: {";": 0.6, ":": 0.4}}) == chosen
    assert _respelled(line, {3: {";": 0.95, ":": 0.05}}) == line


@pytest.mark.parametrize(
    ("line", "space", "chosen"),
    [
        ("c rowding", 1, "c rowding"),  # nothing else tells that it is English
        ("crowding c rowding", 10, "crowding crowding"),
        ("cat crowding", 3, "cat crowding"),
        ("1, 962.77", 2, "1,962.77"),
        ("1,204, 962", 6, "1,204,962"),
        ("see 1, 962", 3, "see 1, 962"),  # another space is in doubt
        ("7, 19", 2, "7, 19"),
        ("1.5, 962", 4, "1.5, 962"),
    ],
)
def test_space_in_doubt_that_parts_a_known_word_or_a_number_is_dropped(line, space, chosen):
    assert _respelled(line, {space: {" ": 0.9, "-": 0.1}}) == chosen
    assert _respelled(line, {space: {" ": 0.99, "-": 0.01}}) == line


def _respelled(line: str, likely: dict[int, dict[str, float]]) -> str:
    charset = Charset(f"{PRINT} ")
    probabilities = np.full((len(line), len(charset) + 1), 1e-9)
    for step, char in enumerate(line):
        for other, probability in likely.get(step, {char: 1.0}).items():
            probabilities[step, charset.encode(other)] = probability
    reading = Reading(charset.encode(line), tuple(probabilities.max(axis=1).tolist()), range(len(line)))
    return charset.decode(respell(reading, np.log(probabilities), charset, ENGLISH).ids)


def test_nothing_read_is_nothing_to_respell():
    reading = Reading([], (), [])
    assert respell(reading, np.zeros((3, len(CHARSET) + 1)), CHARSET, ENGLISH) is reading


def test_bundles_lexicon_is_used(network, crops, tmp_path):
    bundle = write_bundle(tmp_path, network, {"task": "recognition", "arch": "crnn-light"}, CHARSET)
    plain = TextRecognizer.load(bundle).read(crops[:40])
    letters = [a + b for a in string.ascii_lowercase for b in string.ascii_lowercase]
    with_lexicon = set_lexicon(bundle, Lexicon.of(letters), ["letters"])
    assert with_lexicon.id != bundle.id
    respelled = TextRecognizer.load(with_lexicon).read(crops[:40])
    assert [t.confidence for t in plain] == [t.confidence for t in respelled]
    assert [t.text for t in plain] != [t.text for t in respelled]
    assert TextRecognizer.load(with_lexicon, uses_lexicon=False).read(crops[:40]) == plain


def test_crnn_has_no_alignments(recognizer, crops):
    with pytest.raises(UsageError, match="a CRNN has no attention"):
        recognizer.align(crops[5])


def test_batches_have_few_sizes_and_fewer_of_the_widest_crops():
    shapes = []

    def read_batch(images, logit_lengths):
        shapes.append((len(images), images.shape[2]))
        return [Reading([1], (0.9,), [0])] * len(images)

    crops = [np.full((32, width), 255, np.uint8) for width in (2048,) * 9 + (24,) * 30]
    read = TextRecognizer(read_batch, CHARSET, sizes=(1, 3, 8, 24), columns=16 * 1024).read(crops)
    assert len(read) == len(crops)
    # A batch of 8 for the last 6 narrow ones would compute a third more than they need; 8 * 2048 columns are 16 * 1024.
    assert shapes == [(24, 24), (3, 24), (3, 24), (8, 2048), (1, 2048)]
