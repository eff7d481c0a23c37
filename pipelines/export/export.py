"""Exports the current rows of an output folder, document by document."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow.compute as pc

from ocr_models.errors import DocumentError, Stage, UsageError
from ocr_models.io.documents import DocumentKind
from ocr_models.io.hashing import check_unchanged
from pipelines.export.export_formats import ExportFormat, Unit
from pipelines.export.exported_page import ExportedPage, exported_page
from pipelines.export.file_names import FileNames
from pipelines.export.row_stream import row_files, stream_rows
from pipelines.inputs.local_copies import LocalFile, local_copy
from pipelines.output.current_view import check_output
from pipelines.output.schemas import Row
from pipelines.output.snapshot import read_together
from pipelines.runtime.storage import OutputError, atomic_writer, check_writable, join

ALL_PAGES = "pages"
"""The name, before the extension, of a file that holds all pages of all documents."""


@dataclass
class Export:
    """What was exported.

    Attributes:
        files: number of files written.
        pages: number of pages in them.
        without_text: how many of these failed when they were read, or have no row.
        left_out: number of other failed pages, which are in no file: they, or their documents, couldn't be opened.
        failures: what couldn't be exported: the name of a document, a page or a file of rows, and why.
    """

    files: int = 0
    pages: int = 0
    without_text: int = 0
    left_out: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


def export(output: str, form: ExportFormat, folder: str, where: pc.Expression | None = None) -> Export:
    """Writes the pages of an output folder in a format.

    A few rows are in memory at a time; of a PDF, the text of its pages. A file appears when it is complete, in the
    place of one of an earlier export. What goes wrong with a document is noted, and the next one follows.

    Args:
        output: the output folder of ``pagebeam run``, on any Beam file system.
        form: the format.
        folder: where the files go, on any Beam file system.
        where: only rows for which it is true; None for all.

    Raises:
        UsageError: there are no pages, ``folder`` can't be written to, or a package that the format needs isn't there.
        OutputError: a file can't be written.
    """
    check_output(output)
    missing = [module for module in form.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise UsageError(f"{form.name} needs {' and '.join(missing)}: pip install 'pagebeam[export]'")
    check_writable(folder)
    return read_together(output, lambda: _Exporter(output, form, folder, where).run())


class _Exporter:
    def __init__(self, output: str, form: ExportFormat, folder: str, where: pc.Expression | None) -> None:
        self._form, self._folder, self._where = form, folder, where
        self._done = Export()
        self._files = row_files(output, self._fail)
        if not self._files and not self._done.failures:
            raise UsageError(f"{output}: there are no pages; give the --output folder of a pagebeam run")
        self._names = FileNames(uri for file in self._files for uri in file.uris)

    def run(self) -> Export:
        rows = stream_rows(self._files, self._where, self._fail)
        if self._form.unit == Unit.ALL:
            self._write(ALL_PAGES + self._form.extension, (ExportedPage.of_row_alone(row) for row in rows))
            return self._done
        for uri, of_document in itertools.groupby(rows, lambda row: row["source_uri"]):
            try:
                self._export_document(uri, of_document)
            except OutputError:
                raise
            except Exception as error:  # whatever an original or a library makes fail
                is_told = isinstance(error, DocumentError | ValueError)
                self._fail(uri, str(error) if is_told else f"{type(error).__name__}: {error}")
        return self._done

    def _fail(self, name: str, why: str) -> None:
        self._done.failures.append((name, why))

    def _export_document(self, uri: str, rows: Iterator[Row]) -> None:
        first = next(rows)
        if first["page_count"] is None:  # it couldn't be opened when it was read, and has this row only
            self._done.left_out += 1
            return
        pages = self._pages(itertools.chain([first], rows))
        if self._form.unit == Unit.PAGE:
            for page in pages:
                if page.size_px:
                    name = self._names.of_page(uri, page.index, page.page_count, self._form.extension)
                    self._write(name, [page])
                else:
                    self._done.left_out += 1
            return
        name = self._names.of_document(uri, self._form.extension)
        if self._form.write:
            self._write(name, self._with_empty_pages(pages) if self._fills else pages)
        else:
            self._write_pdf(name, _find_original(first), first["source_kind"], pages)

    @property
    def _fills(self) -> bool:
        return self._form.holds_empty and self._where is None

    def _pages(self, rows: Iterable[Row]) -> Iterator[ExportedPage]:
        """The pages of rows; that of a broken row is noted, and empty."""
        for row in rows:
            try:
                yield exported_page(row)
            except ValueError as error:
                self._fail(f"{row['source_uri']}, page {row['page_index'] + 1}", str(error))
                yield ExportedPage.of_row_alone(row)

    @staticmethod
    def _with_empty_pages(pages: Iterable[ExportedPage]) -> Iterator[ExportedPage]:
        """The pages with an empty one in the place of each that has no row, before the last that has one."""
        index = 0
        for page in pages:
            while index < page.index:
                yield ExportedPage(page.uri, index, page.page_count, None, None)
                index += 1
            yield page
            index += 1

    def _write(self, name: str, pages: Iterable[ExportedPage]) -> None:
        assert self._form.write
        with atomic_writer(join(self._folder, name)) as file, self._counted(pages) as counted:
            self._form.write(file, counted)

    def _write_pdf(self, name: str, original: LocalFile, kind: str, pages: Iterable[ExportedPage]) -> None:
        from pipelines.export.searchable_pdf import write_searchable_pdf  # pikepdf isn't needed by other formats

        with atomic_writer(join(self._folder, name)) as file, self._counted(pages, kind != DocumentKind.PDF) as counted:
            keeps_all, is_pdfa = self._where is None, self._form.is_pdfa
            write_searchable_pdf(file, original.name, kind, counted, keeps_all, is_pdfa)

    @contextlib.contextmanager
    def _counted(self, pages: Iterable[ExportedPage], drops: bool = False) -> Iterator[Iterator[ExportedPage]]:
        """Counts the pages of a file, once it is written; of images, it drops those that couldn't be decoded."""
        count: Counter[str] = Counter()

        def counting() -> Iterator[ExportedPage]:
            for page in pages:
                is_dropped = drops and not page.size_px
                count["left_out" if is_dropped else "pages"] += 1
                count["without_text"] += not is_dropped and page.row.get("status", "failed") == "failed"
                yield page

        yield counting()
        self._done.files += 1
        self._done.pages += count["pages"]
        self._done.without_text += count["without_text"]
        self._done.left_out += count["left_out"]


def _find_original(row: Row) -> LocalFile:
    """The document of a row, at one of its places, with the bytes that were read. Raises DocumentError."""
    failure = DocumentError(Stage.OPEN, "its bytes aren't known")
    for place in (row["source_uri"], *(row["also_at"] or ())):
        try:
            original = local_copy(place, row["source_sha256"])
            check_unchanged(original.name, row["source_sha256"])
            return original
        except DocumentError as error:
            failure = error
    raise DocumentError(Stage.OPEN, f"the original is gone, or isn't what was read any more ({failure})")
