"""Our models in ``RunInference`` beside our own transforms, the types of these, and their names in Beam YAML."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.typehints.decorators import TypeCheckError
from PIL import Image

import pagebeam

ROOT = Path(__file__).parents[3]
LETTER = ROOT / "docs/samples/letter.jpg"


def pipeline() -> beam.Pipeline:
    return beam.Pipeline(FnApiRunner(), options=PipelineOptions(["--direct_running_mode=multi_threading"]))


def write_words(path: Path, words: beam.PCollection[str]) -> None:
    _ = words | f"Write{path.name}" >> beam.io.WriteToText(str(path), shard_name_template="")


def test_the_handlers_read_the_words_that_ocr_pages_reads(tmp_path):
    with pipeline() as root:
        rows = root | pagebeam.ReadDocuments([str(LETTER)]) | pagebeam.OcrPages()
        write_words(tmp_path / "ours", rows | "Words" >> beam.FlatMap(lambda row: [w["text"] for w in row["words"]]))
        page = np.array(Image.open(LETTER).convert("L"))
        found = root | "Page" >> beam.Create([page]) | "Find" >> RunInference(pagebeam.WordDetectorHandler())
        crops = found | "Cut" >> beam.FlatMap(lambda one: pagebeam.cut_words(one.example, one.inference))
        read = crops | "Read" >> RunInference(pagebeam.WordRecognizerHandler())
        write_words(tmp_path / "theirs", read | "Text" >> beam.Map(lambda one: one.inference.text))

    ours, theirs = (Counter((tmp_path / name).read_text().casefold().splitlines()) for name in ("ours", "theirs"))
    # Beside other letters, the dots before two items of a list are read as middle dots; alone, as bullets. Whether the
    # first letter of a word is a capital is seen beside others, too.
    assert {*(ours - theirs), *(theirs - ours)} <= {"·", "•"}
    assert (ours & theirs).total() > 140


def test_a_page_without_words_and_no_crops():
    detector = pagebeam.WordDetectorHandler()
    (found,) = detector.run_inference([np.full((300, 200), 255, np.uint8)], detector.load_model())
    assert found.inference.shape == (0, 4, 2)
    assert pagebeam.cut_words(found.example, found.inference) == []


@pytest.mark.parametrize("handler", [pagebeam.WordDetectorHandler, pagebeam.WordRecognizerHandler])
@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((4, 5, 3), np.uint8), "uint8 (4, 5, 3)"),
        (np.zeros((4, 5), np.float32), "float32 (4, 5)"),
        (np.zeros((0, 5), np.uint8), "uint8 (0, 5)"),
        ("scan.png", "str"),
    ],
)
def test_other_pictures_are_refused(handler, image, found):
    with pytest.raises(pagebeam.UsageError, match=re.escape(f"not {found}; convert")):
        list(handler().run_inference([image], None))


def test_models_that_are_not_there_are_named():
    with pytest.raises(pagebeam.UsageError, match="no-such"):
        pagebeam.WordDetectorHandler("no-such").load_model()
    with pytest.raises(pagebeam.UsageError, match="recogn"):
        pagebeam.WordRecognizerHandler("east-fast").load_model()


@pytest.mark.parametrize("transform", [pagebeam.OcrPages(), pagebeam.WritePages("never-written")])
def test_elements_of_another_type_are_refused_at_construction(transform):
    with pytest.raises(TypeCheckError, match="int"):
        _ = pipeline() | beam.Create([1]) | transform


def test_documents_are_no_rows():
    with pytest.raises(TypeCheckError, match="PageRange"):
        _ = pipeline() | pagebeam.ReadDocuments([str(LETTER)]) | pagebeam.WritePages("never-written")


def test_a_user_s_steps_fit_between_the_transforms():
    rows = pipeline() | pagebeam.ReadDocuments([str(LETTER)]) | pagebeam.OcrPages()
    changed = rows | beam.Filter(lambda row: row["text"]) | beam.Map(lambda row: {**row, "text": row["text"].upper()})
    assert changed | pagebeam.WritePages("never-written")


def test_the_providers_name_our_transforms_to_beam_yaml(tmp_path):
    yaml_transform = pytest.importorskip(
        "apache_beam.yaml.yaml_transform", reason="needs pip install 'pagebeam[yaml]'", exc_type=ImportError
    )
    said = re.search(r"^```yaml\n(pipeline:.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1]
    providers = Path(pagebeam.__file__).with_name("beam_providers.yaml")
    for name, path in {
        "docs/samples": LETTER,
        "yaml-out": tmp_path / "out",
        "pagebeam/beam_providers.yaml": providers,
    }.items():
        assert name in said
        said = said.replace(name, str(path))
    with pipeline() as root:
        yaml_transform.expand_pipeline(root, said)

    assert pagebeam.read_rows(str(tmp_path / "out"))["status"].to_pylist() == ["ok"]
