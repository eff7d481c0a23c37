"""HTML reports: one file that contains its pictures and charts."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import jinja2
import numpy as np
from matplotlib.figure import Figure as _Plot

from ocr_models.reports.templating import template_environment

# 72 points per inch of SVG, so that letters have their size: as wide as the page of report.html, or nearly square.
_CHART_INCHES, _DIAGONAL_CHART_INCHES = (11.4, 3.6), (5.4, 4.8)


@dataclass(frozen=True)
class Table:
    """A table. Numbers are aligned to the right; floats have four decimals."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]


@dataclass(frozen=True)
class Chart:
    """Curves, each a pair of x and y values by name. ``diagonal`` adds x = y, which a calibrated model follows."""

    x_label: str
    y_label: str
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    diagonal: bool = False


@dataclass(frozen=True)
class Picture:
    """An image, uint8 (H, W) gray or (H, W, 3) RGB, with a caption below."""

    image: np.ndarray
    caption: str = ""


@dataclass(frozen=True)
class EncodedPicture:
    """A PNG or JPEG with a caption below."""

    data: bytes
    caption: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side."""

    pictures: Sequence[Picture | EncodedPicture]


@dataclass(frozen=True)
class Code:
    """A command or the text of a file, shown verbatim."""

    text: str


@dataclass(frozen=True)
class Section:
    """A heading and the parts below it; a str is a paragraph."""

    title: str
    parts: Sequence[str | Table | Chart | Gallery | Code]


def render_report(title: str, sections: Sequence[Section]) -> str:
    """Renders a report as HTML. All text is escaped: what was read on a page can't become markup."""
    return _environment().get_template("report.html").render(title=title, sections=sections)


def _environment() -> jinja2.Environment:
    environment = template_environment()
    environment.filters |= {"cell": _cell, "chart": _draw_chart, "src": _src, "kind": lambda part: type(part).__name__}
    environment.tests["number"] = lambda value: isinstance(value, int | float)
    return environment


def _cell(value: str | int | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else value or ""


def _src(picture: Picture | EncodedPicture) -> str:
    """Encodes the image for a ``src`` attribute."""
    if isinstance(picture, EncodedPicture):
        data = picture.data
    else:
        pixels = picture.image if picture.image.ndim == 2 else picture.image[..., ::-1]  # OpenCV writes BGR
        data = cv2.imencode(".png", pixels)[1].tobytes()
    kind = "jpeg" if data.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def _draw_chart(chart: Chart) -> str:
    """Draws the chart as SVG for a ``src`` attribute."""
    plot = _Plot(figsize=_DIAGONAL_CHART_INCHES if chart.diagonal else _CHART_INCHES, layout="constrained")
    axes = plot.subplots()
    if chart.diagonal:
        axes.axline((0, 0), slope=1, color="lightgray", zorder=0)
    for name, (x, y) in chart.series.items():
        axes.plot(x, y, label=name, marker="o" if len(x) < 30 else "", markersize=3)
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    axes.grid(alpha=0.3)
    if len(chart.series) > 1:
        axes.legend()
    file = io.StringIO()
    plot.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue().encode()).decode()
