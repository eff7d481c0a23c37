"""Opens files of an output folder, and says of a damaged one what to do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ocr_models.errors import DocumentError, Stage
from pipelines.runtime.storage import StorageError, join, open_file, read_bytes


class DamagedFileError(DocumentError):
    """The content of a file of an output folder is wrong."""


@contextlib.contextmanager
def open_rows(output: str, path: str) -> Iterator[pq.ParquetFile]:
    """A file to read within the ``with`` block.

    Args:
        output: the output folder.
        path: the file, below it.

    Raises:
        StorageError: it can't be opened, or not be read now; also for what is read from it within the block.
        DamagedFileError: its content is wrong; likewise.
    """
    try:
        with open_file(join(output, path)) as file:
            yield pq.ParquetFile(file)
    except (StorageError, MemoryError):  # pyarrow's MemoryError is an ArrowException, too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if _is_damage(error):
            is_unfinished = path.startswith("_")
            remedy = "delete it" if is_unfinished else f"pagebeam doctor {output} --repair moves it away"
            what = f"{join(output, path)} is damaged ({error}); {remedy}, and the next run reads what it had again"
            raise DamagedFileError(Stage.OPEN, what) from error
        raise StorageError(Stage.OPEN, f"{join(output, path)} can't be read ({error})") from error


def read_json(output: str, path: str, remedy: str) -> Any:
    """The content of a JSON file.

    Args:
        output: the output folder.
        path: the file, below it.
        remedy: what to do if it is damaged, beside getting it from a backup.

    Raises:
        StorageError: it can't be read.
        DamagedFileError: it isn't JSON.
    """
    try:
        return json.loads(read_bytes(join(output, path)))
    except ValueError as error:
        what = f"{join(output, path)} is damaged ({error}); get it back from a backup, or {remedy}"
        raise DamagedFileError(Stage.OPEN, what) from error


def _is_damage(error: Exception) -> bool:
    """Whether the content is wrong, rather than that it can't be read now.

    pyarrow 25 raises plain OSErrors without a number. Those of networks have none either, but classes of their own,
    such as TimeoutError, http.client.RemoteDisconnected, requests.ConnectionError or Beam's BeamIOError.
    """
    is_of_arrow = type(error) is OSError and error.errno is None
    return isinstance(error, pa.ArrowInvalid | UnicodeDecodeError) or is_of_arrow
