from __future__ import annotations

import pyarrow as pa
import pytest

from ocr_models.errors import UsageError
from pipelines.export.row_filter import parse_filter

SCHEMA = pa.schema(
    {
        "status": pa.string(),
        "mean_confidence": pa.float32(),
        "page_index": pa.int32(),
        "is_complete": pa.bool_(),
        "failure": pa.struct({"stage": pa.string()}),
    }
)
ROWS = pa.table(
    {
        "status": ["ok", "ok", "blank", "failed"],
        "mean_confidence": pa.array([0.9, 0.7, None, None], pa.float32()),
        "page_index": pa.array([0, 1, 2, 3], pa.int32()),
        "is_complete": [True, False, True, None],
        "failure": [None, None, None, {"stage": "open"}],
    },
    SCHEMA,
)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("status = 'ok'", [0, 1]),
        ("status = 'ok' and mean_confidence < 0.8", [1]),
        ("status = 'ok' AND NOT mean_confidence<0.8", [0]),
        ("status <> 'ok'", [2, 3]),
        ('status != "ok" or page_index == 0', [0, 2, 3]),
        ("status in ('blank', 'failed')", [2, 3]),
        ("status not in ('ok')", [2, 3]),
        ("mean_confidence is null", [2, 3]),
        ("mean_confidence IS NOT NULL", [0, 1]),
        ("0.5 < mean_confidence <= 0.7", [1]),
        ("not (status = 'ok' or page_index >= 3)", [2]),
        ("is_complete", [0, 2]),
        ("is_complete = false", [1]),
        ("failure.stage = 'open'", [3]),
        ("contains(status, 'a')", [2, 3]),
        ("starts_with(status, 'b') or ends_with(status, 'd')", [2, 3]),
        ("status = 'a <> b'", []),
        ("page_index > -1", [0, 1, 2, 3]),
    ],
)
def test_a_filter_takes_rows_as_sql_does(text, taken):
    assert ROWS.filter(parse_filter(text, SCHEMA))["page_index"].to_pylist() == taken


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("status = ", "can't be parsed"),
        ("(page_index = 1", "can't be parsed"),
        ("status like 'o%'", "can't be parsed"),
        ("state = 'ok'", "there is no column state; the columns are status, mean_confidence"),
        ("failure.reason = 'x'", "there is no column failure.reason"),
        ("status < 3", "its types don't fit"),
        ("status", "its types don't fit"),
        ("status in ('ok', 1)", "its types don't fit"),
        (f"page_index = {10**30}", "its types don't fit"),
        ("status = '\udcff'", "its types don't fit"),
        ("page_index + 1 = 2", "page_index + 1 is neither a column nor a value"),
        ("status = null", "null is compared by is null"),
        ("status is 'ok'", "only null may follow is"),
        ("3", "3 is no comparison"),
        ("status = 'it''s'", "two strings follow each other"),
        ("__import__('os').system('true')", "is none of contains"),
        ("open(status, 'w')", "is none of contains"),
        ("status.__class__ = 'a'", "there is no column status.__class__"),
        ("contains(status, 1)", "is no string"),
        ("(lambda: 1)() = 1", "is neither a column nor a value"),
        ("(" * 500 + "is_complete" + ")" * 500, "can't be parsed"),
    ],
)
def test_what_is_no_comparison_of_columns_is_refused(text, why):
    with pytest.raises(UsageError) as error:
        parse_filter(text, SCHEMA)
    assert why in str(error.value) and "status = 'ok' and mean_confidence < 0.8" in str(error.value)
