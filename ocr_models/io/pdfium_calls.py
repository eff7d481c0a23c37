"""Functions of PDFium for what a page has by the thousand, its characters and its objects.

pypdfium2 makes a Python object of each pointer, and lets other threads in at each call. Here, pointers are addresses,
plain numbers, and arrays receive what PDFium writes: a call takes half of the time or less.
"""

from __future__ import annotations

import collections
import ctypes
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

_MAX_DEPTH = 15  # of forms within forms, as pypdfium2 has it
_INT, _POINTER, _ADDRESS = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t


def address_of(pointer: Any) -> int:
    """The address that a pointer of pypdfium2 points to; 0 if it is null."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _function(of: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(result, *arguments)(address_of(of))


def _of_characters(of: Any, result: Any, pointers: int = 0) -> Callable[..., Any]:
    return _function(of, result, _POINTER, _INT, *[_POINTER] * pointers)


char_code = _of_characters(raw.FPDFText_GetUnicode, ctypes.c_uint)
char_box = _of_characters(raw.FPDFText_GetCharBox, _INT, 4)
char_origin = _of_characters(raw.FPDFText_GetCharOrigin, _INT, 2)
char_font_size = _of_characters(raw.FPDFText_GetFontSize, ctypes.c_double)
char_matrix = _of_characters(raw.FPDFText_GetMatrix, _INT, 1)
char_object = _of_characters(raw.FPDFText_GetTextObject, _ADDRESS)
object_render_mode = _function(raw.FPDFTextObj_GetTextRenderMode, _INT, _POINTER)
object_mark_count = _function(raw.FPDFPageObj_CountMarks, _INT, _POINTER)
activate_object = _function(raw.FPDFPageObj_SetIsActive, _INT, _POINTER, _INT)
_object_kind = _function(raw.FPDFPageObj_GetType, _INT, _POINTER)
_page_object = _function(raw.FPDFPage_GetObject, _ADDRESS, _POINTER, _INT)
_form_object = _function(raw.FPDFFormObj_GetObject, _ADDRESS, _POINTER, _INT)
_form_count = _function(raw.FPDFFormObj_CountObjects, _INT, _POINTER)


def numbers_of(function: Callable[..., Any], layer: int, characters: Sequence[int], kind: Any) -> np.ndarray:
    """What a function returns for each of N characters of a text layer, at this address: (N,) of this kind."""
    return np.fromiter(map(function, repeat(layer), characters), kind, len(characters))


def fill(
    function: Callable[..., Any], layer: int, characters: Sequence[int], rows: np.ndarray, columns: Sequence[int]
) -> None:
    """Calls a function for each of N characters with pointers to these columns of its row (N, K), which is filled."""
    start, step = rows.ctypes.data, rows.shape[1] * rows.itemsize
    stop = start + step * len(rows)
    pointers = [range(start + column * rows.itemsize, stop, step) for column in columns]
    collections.deque(map(function, repeat(layer), characters, *pointers), maxlen=0)


def page_objects(page: pdfium.PdfPage, kinds: Collection[int]) -> list[int]:
    """The addresses of a page's objects of these kinds (``FPDF_PAGEOBJ_…``), also of those in forms, as drawn."""
    at, count = address_of(page.raw), raw.FPDFPage_CountObjects(page)
    return list(_objects(map(_page_object, repeat(at), range(count)), kinds, _MAX_DEPTH))


def _objects(items: Iterator[int], kinds: Collection[int], depth: int) -> Iterator[int]:
    for item in items:
        kind = _object_kind(item)
        if kind in kinds:
            yield item
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth:
            yield from _objects(map(_form_object, repeat(item), range(_form_count(item))), kinds, depth - 1)
