"""The names of exported files, by those of the documents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_MAX_NAME_BYTES = 200  # 255 is the limit of file systems; temporary names are 40 longer


class FileNames:
    """Names exported files after documents: folders stay, below the one that all documents are in.

    So the files of ``/scans/a/1.tif`` and ``/scans/b/1.tif`` are ``a/1.tif.hocr`` and ``b/1.tif.hocr``, and no two
    documents have the same. A searchable PDF of ``a.pdf`` is called ``a.pdf`` again.

    Args:
        uris: of all documents.
    """

    def __init__(self, uris: Iterable[str]) -> None:
        common: list[str] | None = None
        for uri in uris:
            folder = uri.split("/")[:-1]
            if common is None:
                common = folder
            while folder[: len(common)] != common:
                common.pop()
        self._common = len(common or ())

    def of_document(self, uri: str, extension: str) -> str:
        """The path of a document's file, below the export's folder; the extension is added to the document's."""
        *folders, name = uri.split("/")[self._common :]
        if extension == ".pdf":
            name, extension = _pdf_name(name)
        return "/".join([*map(_safe, folders), _safe(name, extension)])

    def of_page(self, uri: str, page_index: int, page_count: int | None, extension: str) -> str:
        """The same for a page's file: with the number of the page, from 0001, if there are several."""
        number = "" if page_count == 1 else f".{page_index + 1:04d}"
        return self.of_document(uri, number + extension)


_IMAGE = re.compile(r".+\.(?:png|jpe?g|jpe|jfif|jp2|j2k|jpx|gif|webp|bmp|hei[cf]|avif|tiff?)(?:\.pdf)*", re.IGNORECASE)


def _pdf_name(name: str) -> tuple[str, str]:
    """The name of a document's searchable PDF, and its extension. A PDF's stays, unless another document could have it.

    ``a.tif`` is ``a.tif.pdf``; so a PDF of that name gets another extension, and so does what has an unknown one.
    """
    stem, _, extension = name.rpartition(".")
    if stem and extension.lower() == "pdf":
        return (name, ".pdf") if _IMAGE.fullmatch(stem) else (stem, f".{extension}")
    if _IMAGE.fullmatch(name):
        return name, ".pdf"
    return name, f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}.pdf"


def _safe(name: str, extension: str = "") -> str:
    """A name with an extension that every file system takes, and that leads nowhere else."""
    if name in ("", ".", ".."):
        name = f"_{name}"
    whole = (name + extension).encode()
    if len(whole) > _MAX_NAME_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        kept = name.encode()[: _MAX_NAME_BYTES - len(extension) - len(digest) - 1].decode(errors="ignore")
        return f"{kept}-{digest}{extension}"
    return name + extension
