"""Where the bytes of each document are after a run, and what that changes for the rows of earlier runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.output.documents_table import contents
from pipelines.output.schemas import DOCUMENTS

PRESENCE = pa.schema([pa.field("uri", pa.string(), False), pa.field("is_there", pa.bool_(), False)])
"""Known documents that a run no longer found, or found again."""
ATTRIBUTES = ("kind", "page_count", "pages_read", "pages_failed", "reader_id", "run_id")
"""The columns of documents that follow from their rows, and are the same for all copies."""

Place = tuple[str, list[str], str | None]
"""The columns ``source_uri``, ``also_at`` and ``input_id`` of a document's rows."""


@dataclass(frozen=True)
class DocumentChanges:
    """What a run found of documents, in numbers of places.

    Attributes:
        failed_to_open: couldn't be opened.
        new: read for the first time.
        changed: other bytes than before.
        moved: new places of documents that are known from elsewhere: renamed files, and copies.
        touched: the same bytes as before, with another time.
        vanished: not found any more.
        returned: found again.
    """

    failed_to_open: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    touched: int = 0
    vanished: int = 0
    returned: int = 0


class Places:
    """All places of all documents, before and after a run.

    Args:
        known: the documents before it, with the columns of ``schemas.DOCUMENTS``.
        opened: the documents that it opened, with the columns of ``shards.OPENED``, each place once.
        presence: places that vanished or returned, with the columns of ``PRESENCE``.
        time: the time of the run, in ISO 8601.

    Attributes:
        unreadable: places that could be read before and now can't, without having vanished: what was read there stays.
    """

    def __init__(self, known: pa.Table, opened: pa.Table, presence: pa.Table, time: str) -> None:
        is_unreadable = _is_unreadable(known, opened)
        self.unreadable = pc.filter(opened["uri"], is_unreadable).to_pylist()
        opened = opened.filter(pc.invert(is_unreadable))
        known = _to_hash_again(known, self.unreadable)
        known_contents, opened_contents = contents(known), contents(opened)
        before = pc.index_in(opened["uri"], known["uri"].combine_chunks())
        self._is_known_place = pc.is_valid(before)
        self._is_known_content = pc.is_in(opened_contents, known_contents.combine_chunks())
        same = pc.fill_null(pc.equal(pc.take(known_contents, before), opened_contents), False)
        self._is_same, self._presence = same, presence
        known_ids, ids = pc.take(known["input_id"], before), opened["input_id"]
        # Rows get the id of their place if it is new, or if a run that names no ids has read other bytes there.
        is_new_id = pc.and_(pc.is_valid(ids), pc.fill_null(pc.not_equal(ids, known_ids), True))
        has_changed_id = pc.or_(pc.and_(same, is_new_id), pc.and_(pc.is_null(ids), pc.is_valid(known_ids)))
        ids = pc.coalesce(ids, known_ids)
        opened = opened.set_column(opened.column_names.index("input_id"), DOCUMENTS.field("input_id"), ids)
        left = known.filter(pc.invert(pc.is_in(known["uri"], opened["uri"].combine_chunks())))
        left = _note_presence(left, presence, time)
        attributes = known.select(ATTRIBUTES).take(pc.index_in(opened_contents, known_contents.combine_chunks()))
        for name in ATTRIBUTES:
            opened = opened.append_column(DOCUMENTS.field(name), attributes[name])
        opened = opened.append_column(DOCUMENTS.field("vanished"), pa.nulls(len(opened), pa.string()))
        self._documents = pa.concat_tables([left, opened.select(DOCUMENTS.names).cast(DOCUMENTS)])
        self._moved_away = pc.take(known_contents, pc.drop_null(pc.filter(before, pc.invert(same))))
        is_moved = pc.and_(self._is_known_content, pc.invert(same))
        self._moved_here = pc.filter(opened_contents, pc.or_(is_moved, has_changed_id))
        self._known_contents, self._opened_contents = known_contents, opened_contents
        self._opened_pages = attributes["pages_read"]

    def changes(self, unopened: pa.ChunkedArray, read: pa.ChunkedArray | None = None) -> DocumentChanges:
        """What the run found.

        Args:
            unopened: the contents that it couldn't open.
            read: the contents that the run read, if all of them were new to it: what is known of them by now, other
                parts found meanwhile.
        """
        is_known = self._is_known_content
        if read is not None:
            is_known = pc.and_not(is_known, pc.is_in(self._opened_contents, read.combine_chunks()))
        new_place, changed = pc.invert(self._is_known_place), pc.and_(self._is_known_place, pc.invert(self._is_same))
        returned = _count(self._presence["is_there"])
        failed = _count(pc.is_in(self._opened_contents, unopened.combine_chunks()))
        return DocumentChanges(
            failed_to_open=failed + len(self.unreadable),
            new=_count(pc.and_not(new_place, is_known)),
            changed=_count(changed),
            moved=_count(pc.and_(new_place, is_known)),
            touched=_count(self._is_same),
            vanished=len(self._presence) - returned,
            returned=returned,
        )

    def known_pages(self, read: pa.ChunkedArray) -> int:
        """How many pages of the documents that the run opened are known from earlier runs alone.

        Args:
            read: the contents that the run read.
        """
        is_old = pc.invert(pc.is_in(self._opened_contents, read.combine_chunks()))
        return pc.sum(pc.filter(self._opened_pages, is_old)).as_py() or 0

    def of_touched(self, read: pa.ChunkedArray) -> dict[str, Place | None]:
        """Of documents whose earlier rows the run may change, the places by content; None if they are nowhere any more.

        Args:
            read: the contents that the run read.
        """
        seen = contents(
            self._documents.filter(pc.is_in(self._documents["uri"], self._presence["uri"].combine_chunks()))
        )
        reread = pc.filter(read, pc.is_in(read, self._known_contents.combine_chunks()))
        certain = {*self._moved_away.to_pylist(), *self._moved_here.to_pylist(), *pc.unique(reread).to_pylist()}
        touched = certain | set(seen.to_pylist())
        places = self._places_of(touched)
        return {
            content: _place(places[content]) for content in touched if content in certain or len(places[content]) > 1
        }

    def of_copies(self) -> dict[str, Place | None]:
        """Of documents that the run opened at several places, the places by content: not all rows may name them."""
        counts = self._opened_contents.value_counts()
        several = set(counts.field("values").filter(pc.greater(counts.field("counts"), 1)).to_pylist())
        return {content: _place(places) for content, places in self._places_of(several).items()}

    def _places_of(self, wanted: set[str]) -> defaultdict[str, list[tuple[bool, str, str | None]]]:
        """For each content, whether it has vanished from each of its places, the place, and the id of it."""
        documents = self._documents.select(["uri", "sha256", "vanished", "input_id"])
        documents = documents.filter(pc.is_in(contents(documents), pa.array(sorted(wanted), pa.string())))
        places: defaultdict[str, list[tuple[bool, str, str | None]]] = defaultdict(list)
        for row, content in zip(documents.to_pylist(), contents(documents).to_pylist(), strict=True):
            places[content].append((row["vanished"] is not None, row["uri"], row["input_id"]))
        return places

    def documents(self, facts: pa.Table) -> pa.Table:
        """The documents after the run, in the order of their places; those of which no page was read are left out.

        Args:
            facts: a row for each document whose rows changed: ``content``, and what follows from all of its rows.
        """
        index = pc.index_in(contents(self._documents), facts["content"].combine_chunks())
        documents = self._documents
        for position, name in enumerate(DOCUMENTS.names):
            if name in ATTRIBUTES:
                changed = pc.take(facts[name], index)
                column = pc.if_else(pc.is_valid(index), changed, documents[name])
                documents = documents.set_column(position, DOCUMENTS.field(name), column)
        return documents.filter(pc.is_valid(documents["pages_read"])).sort_by("uri")


def _place(places: list[tuple[bool, str, str | None]]) -> Place | None:
    """The first place where a document is, or was if it has vanished from all, the others, and the first id of one."""
    if not places:
        return None
    _, first, first_id = min(places, key=lambda place: place[:2])
    others = sorted((uri, input_id) for _, uri, input_id in places if uri != first)
    ids = [input_id for input_id in (first_id, *(input_id for _, input_id in others)) if input_id is not None]
    return first, [uri for uri, _ in others], ids[0] if ids else None


def _is_unreadable(known: pa.Table, opened: pa.Table) -> pa.ChunkedArray:
    """Which of the opened documents can't be read now, but could before."""
    before = pc.take(known["sha256"], pc.index_in(opened["uri"], known["uri"].combine_chunks()))
    return pc.and_(pc.is_null(opened["sha256"]), pc.is_valid(before))


def _to_hash_again(documents: pa.Table, uris: list[str]) -> pa.Table:
    """The documents, in which these places have no stamp that the next run could trust."""
    position = DOCUMENTS.names.index("modified_ns")
    is_one = pc.is_in(documents["uri"], pa.array(uris, pa.string()))
    times = pc.if_else(is_one, pa.scalar(None, pa.int64()), documents["modified_ns"])
    return documents.set_column(position, DOCUMENTS.field("modified_ns"), times)


def _note_presence(documents: pa.Table, presence: pa.Table, time: str) -> pa.Table:
    """The documents with those marked that vanished, and those unmarked that returned."""
    is_there = pc.take(presence["is_there"], pc.index_in(documents["uri"], presence["uri"].combine_chunks()))
    vanished = pc.if_else(
        pc.is_null(is_there),
        documents["vanished"],
        pc.if_else(is_there, pa.scalar(None, pa.string()), pa.scalar(time, pa.string())),
    )
    position = DOCUMENTS.names.index("vanished")
    return documents.set_column(position, DOCUMENTS.field("vanished"), vanished)


def _count(mask: pa.ChunkedArray) -> int:
    return pc.sum(mask).as_py() or 0
