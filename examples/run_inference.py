"""Pagebeam's models in Beam's RunInference: one handler finds the words of pictures, the other one reads them.

It reads each word by itself. OcrPages, as in find_amounts.py, reads words in their lines, turns pages that lie on their
side, finds large headlines, and puts the words in order.

python examples/run_inference.py docs/samples/letter.jpg words
"""

import json
import sys

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import RunInference
from PIL import Image

import pagebeam


def read_page(path: str) -> np.ndarray:
    """A page as the handlers take it: uint8 (H, W), gray."""
    return np.array(Image.open(path).convert("L"))


def main(pictures: list[str], output: str) -> None:
    """Reads pictures, and writes a JSON object for each word to ``output-00000-of-00001.jsonl``."""
    with beam.Pipeline() as root:
        pages = root | beam.Create(pictures) | "ReadPages" >> beam.Map(read_page)
        found = pages | "FindWords" >> RunInference(pagebeam.WordDetectorHandler())
        crops = found | "CutWords" >> beam.FlatMap(lambda page: pagebeam.cut_words(page.example, page.inference))
        words = crops | "ReadWords" >> RunInference(pagebeam.WordRecognizerHandler())
        as_json = words | "ToJson" >> beam.Map(
            lambda word: json.dumps({"text": word.inference.text, "confidence": float(word.inference.confidence)})
        )
        as_json | beam.io.WriteToText(output, ".jsonl", num_shards=1)


if __name__ == "__main__":
    main(sys.argv[1:-1], sys.argv[-1])
