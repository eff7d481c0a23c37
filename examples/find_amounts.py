"""A Beam pipeline with a step of your own after Pagebeam's: the lines with amounts of money, as JSON lines.

python examples/find_amounts.py docs/samples amounts
"""

import json
import re
import sys
from collections.abc import Iterator

import apache_beam as beam

import pagebeam

AMOUNT = re.compile(r"€ ?\d[\d.,]*\d|\b\d[\d,]*\.\d\d\b")


def amounts_of(row: dict) -> Iterator[dict]:
    """Yields the lines of a page that have amounts. Rows are dicts with the columns of docs/rows.md."""
    for line in row["lines"] or ():  # of a page that failed, it is None
        if amounts := AMOUNT.findall(line["text"]):
            yield {
                "document": row["source_uri"],
                "page": row["page_index"] + 1,
                "line": line["text"],
                "amounts": amounts,
                "confidence": round(line["confidence"], 3),
            }


def main(inputs: list[str], output: str) -> None:
    """Reads documents, and writes ``output-00000-of-00001.jsonl``."""
    with beam.Pipeline() as root:
        rows = root | pagebeam.ReadDocuments(inputs) | pagebeam.OcrPages()
        found = rows | "FindAmounts" >> beam.FlatMap(amounts_of)
        found | "ToJson" >> beam.Map(json.dumps) | beam.io.WriteToText(output, ".jsonl", num_shards=1)


if __name__ == "__main__":
    main(sys.argv[1:-1], sys.argv[-1])
