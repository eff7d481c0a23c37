from __future__ import annotations

import io
import os
import sys
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ocr_models.errors import UsageError
from pipelines.inputs import input_list
from pipelines.inputs.input_list import InputList


def entries(path: Path | str, **columns: str) -> list[tuple[str, str | None]]:
    return list(InputList(str(path), **columns).entries())


def test_lines_are_paths_whatever_they_look_like(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfa.png\r\n\n#1, final.png\n \xff[1].png\r\nno end")

    assert [place for place, _ in entries(path)] == ["a.png", "#1, final.png", " \udcff[1].png", "no end"]


@pytest.mark.parametrize(("name", "columns"), [("list.csv", {}), ("list.tsv", {}), ("list", {"uri_column": "uri"})])
def test_columns_are_known_by_their_names(tmp_path, name, columns):
    path = tmp_path / name
    lines = 'id,uri,note\n7,"a ""b"".png",x\n,c.png,y\n8,,z\n\n'
    path.write_text(lines.replace(",", "\t") if name == "list.tsv" else lines, encoding="utf-8-sig")

    assert entries(path, **columns) == [('a "b".png', None), ("c.png", None)]
    assert entries(path, id_column="id", **columns) == [('a "b".png', "7"), ("c.png", None)]


def test_parquet_is_known_by_its_content_and_ids_may_be_numbers(tmp_path):
    path = tmp_path / "list"
    pq.write_table(pa.table({"source_uri": ["a.png", None, "b.png"], "key": pa.array([10, 11, None])}), path)

    assert entries(path, id_column="key") == [("a.png", "10"), ("b.png", None)]
    assert entries(path) == [("a.png", None), ("b.png", None)]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (
            "id,path\n1,a\n",
            {"id_column": "id"},
            "no column uri or source_uri; give --uri-column one of its columns: id",
        ),
        ("id,uri\n1,a\n", {"id_column": "key"}, "no column key; give --id-column one of its columns: id, uri"),
        ("uri,id\na,1,2\n", {"id_column": "id"}, "a row has 3 fields, and the first line has 2: a,1,2"),
        ("PAR1 but no Parquet", {}, "it can't be read"),
        ("\n\n", {}, "it lists no documents"),
        ("", {"uri_column": "uri"}, "no column uri"),
        ("uri,id\na,caf\udce9\n", {"id_column": "id"}, "isn't UTF-8; save the list as UTF-8"),
        ("a.png\0b.png\0", {}, "no path has NUL bytes"),
        ("file:///a%00.png\n", {}, "no path has NUL bytes"),
    ],
)
def test_lists_that_cant_be_used_are_refused_by_name(tmp_path, content, columns, message):
    path = tmp_path / "list"
    path.write_text(content, errors="surrogateescape")

    with pytest.raises(UsageError, match=f"--from-file {path}: ") as caught:
        InputList(str(path), **columns).check()

    assert message in str(caught.value)


def test_a_list_that_isnt_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="it can't be read"):
        InputList(str(tmp_path / "list")).check()


def test_stdin_and_fifos_are_read_once_and_kept(tmp_path, monkeypatch):
    input_list._copy_of.cache_clear()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a.png\nb.png\n")))
    os.mkfifo(tmp_path / "fifo")
    writer = threading.Thread(target=(tmp_path / "fifo").write_text, args=("c.png\n",))
    writer.start()

    for path, places in (("-", ["a.png", "b.png"]), (tmp_path / "fifo", ["c.png"])):
        InputList(str(path)).check()
        assert [place for place, _ in entries(path)] == places
    writer.join()


def test_what_isnt_a_file_has_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.png").write_bytes(b"x")
    (tmp_path / "list").write_text(
        f"a b.png\n{(tmp_path / 'a b.png').as_uri()}\nmissing.png\n{tmp_path}\nno://scheme\n"
    )

    files = list(InputList("list").files())

    assert [file.uri for file in files[:4]] == [f"{tmp_path}/a b.png"] * 2 + [f"{tmp_path}/missing.png", str(tmp_path)]
    assert [file.error is None for file in files] == [True, True, False, False, False]
    assert files[0].stamp == files[1].stamp and files[0].stamp.size_bytes == 1
    assert "No such file" in files[2].error and "a folder, not a file" in files[3].error


def test_memory_doesnt_grow_with_the_list(tmp_path):
    path = tmp_path / "list.csv"
    with open(path, "w") as file:
        file.write("uri,id\n")
        file.writelines(f"/no/such/folder/{i:06d}.png,{i}\n" for i in range(100_000))

    tracemalloc.start()
    count = sum(1 for _ in InputList(str(path), id_column="id").entries())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 100_000 and peak < 2_000_000
