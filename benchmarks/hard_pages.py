"""Prints forms, tables, charts and slides with a browser, a development set of hard layouts with its truth.

    python benchmarks/hard_pages.py TEXTS --output DIR [--pages 30] [--seed 1] [--browser chromium]

TEXTS is a folder of NAME.json, {"words": [{"text": ...}, ...]}, as other development sets have: its words, in their
order, fill the pages. They are laid out in HTML, each in other fonts, sizes and colors, and printed to PDF by a browser
of the Chromium family; poppler's ``pdftoppm`` draws them at 150, 200 and 300 dpi in turn, and its ``pdftotext`` tells
their words and boxes. DIR/clean/NAME.png has the pages, DIR/scan/NAME.png the same as a scanner leaves them, and
DIR/NAME.json the truth, with "scan_affine", a matrix (2, 3) from the clean page to the scan.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

_DPI = (150, 200, 300)
# Debian's names; where one isn't installed, the browser takes another.
_FACES = (
    *("Liberation Sans", "Liberation Serif", "Liberation Sans Narrow", "DejaVu Sans", "DejaVu Serif", "Cantarell"),
    *("Noto Sans", "Noto Serif", "Linux Libertine O", "PT Sans", "Comfortaa", "Nimbus Sans", "C059", "FreeSans"),
)
_DARK = ("#000", "#16324f", "#123", "#5a1020", "#1b4d2b", "#3a2a66", "#444", "#0a0a40")
_PALE = ("#fff", "#f3f1e6", "#e4edf7", "#fff4c2", "#e6f4e6", "#f0f0f0", "#f9e3e3", "#d8d8d8")
_STYLE = """*{box-sizing:border-box;-webkit-print-color-adjust:exact} body{margin:0;padding:14mm}
table{border-collapse:collapse;width:100%%} td,th{padding:%(pad)spt;text-align:left} h1{font-size:1.9em;margin:.3em 0}
.r{text-align:right} .c{text-align:center} .grid td,.grid th{border:%(rule)spt solid %(dark)s}
.dark{background:%(dark)s;
color:#fff} .pale{background:%(pale)s} .box{border:%(rule)spt solid %(dark)s;padding:%(pad)spt} .row{display:flex;
gap:4mm} .row>*{flex:1} .small{font-size:.75em} p{margin:.4em 0} svg text{font-family:inherit}"""
_WORD = re.compile(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>')


class _Maker:
    """Draws the words, numbers and looks of one page."""

    def __init__(self, words: Iterator[str], rng: Generator) -> None:
        self.words, self.rng = words, rng
        self.dark, self.pale = rng.choice(_DARK), rng.choice(_PALE)

    def text(self, least: int, most: int | None = None) -> str:
        count = int(self.rng.integers(least, (most or least) + 1))
        return html.escape(" ".join(next(self.words) for _ in range(count)))

    def title(self, least: int, most: int | None = None) -> str:
        return self.text(least, most).title() if self.rng.random() < 0.6 else self.text(least, most).upper()

    def below(self, most: int, least: int = 0) -> int:
        return int(self.rng.integers(least, most))

    def number(self) -> str:
        """A cell of a table of figures: what stands there alone, too."""
        whole, part = self.below(10 ** self.below(6, 1)), self.below(100)
        cells = ("-", "0", "–", f"{part}%", f"{whole:,}", f"{whole:,}.{part:02d}", str(part % 10), f"({whole})", "n/a")
        cells += (
            f"{part / 10:.1f}",
            f"-{part}.{part % 10}",
            f"+{part}",
            f"±{part / 100:.2f}",
            f"{part}.{whole % 10} %",
        )
        shares = np.array([5, 6, 2, 6, 9, 9, 8, 2, 1, 8, 3, 1, 1, 2], float)
        return str(self.rng.choice(cells, p=shares / shares.sum()))

    def money(self) -> str:
        return f"{self.below(10 ** self.below(5, 1)):,}.{self.below(100):02d}"

    def day(self) -> str:
        day, month, year = self.below(29, 1), self.below(13, 1), self.below(2027, 1985)
        return str(
            self.rng.choice([f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day}.{month}."])
        )

    def code(self) -> str:
        return (
            "".join(self.rng.choice(list("ABCDEFGHKLMNPRSTUVWXYZ0123456789-/"), self.below(9, 4))).strip("-/") or "A1"
        )


def _form(m: _Maker) -> str:
    fields = []
    for number in range(1, m.below(17, 11)):
        label = f"<span class=small>{number}. {m.title(1, 3)}</span>"
        answer = m.rng.choice([m.day(), m.code(), m.title(1, 3), m.money(), str(m.below(10)), "X", ""])
        ticks = "".join(f"<td>{'☒☐'[m.below(2)]} {m.title(1)}</td>" for _ in range(m.below(5, 2)))
        combs = "".join(f"<td class=c style='width:7mm'>{char}</td>" for char in str(m.below(10**8, 10**5)))
        kinds = (
            f"<div class=box>{label}<br>{answer}</div>",
            f"<p>{label} <span style='border-bottom:1px solid;display:inline-block;width:60%'>{answer}</span></p>",
            f"<p>{label}</p><table><tr>{ticks}</tr></table>",
            f"<p>{label}</p><table class=grid style='width:auto'><tr>{combs}</tr></table>",
            f"<div class=row><div class=box>{label}<br>{answer}</div>"
            f"<div class='box pale'>{label}<br>{m.day()}</div></div>",
        )
        fields.append(str(m.rng.choice(kinds)))
    head = f"<div class=dark style='padding:3mm'><h1>{m.title(2, 4)}</h1>{m.text(4, 9)}</div>"
    return head + "".join(fields) + f"<p class=small>{m.text(30, 60)}</p>"


def _table(m: _Maker, is_ruled: bool) -> str:
    columns, rows = m.below(11, 4), m.below(34, 20)
    head = "".join(f"<th class=r>{m.title(1)}</th>" for _ in range(columns))
    style = m.rng.choice(["", "dark", "pale"])
    body = "".join(
        f"<tr class='{'pale' if row % 2 and not is_ruled else ''}'><td>{m.text(1, 2)}</td>"
        + "".join(f"<td class={'r' if is_ruled else 'c'}>{m.number()}</td>" for _ in range(columns))
        + "</tr>"
        for row in range(rows)
    )
    kind = "grid" if is_ruled else ""
    table = f"<table class='{kind}'><tr class='{style}'><th>{m.title(1, 2)}</th>{head}</tr>{body}</table>"
    return f"<p><b>Table {m.below(20, 1)}.</b> {m.text(6, 14)}</p>{table}<p class=small>{m.text(10, 30)}</p>"


def _chart(m: _Maker) -> str:
    charts = []
    for _ in range(2):
        count, top = m.below(12, 5), m.below(10) + 2
        heights = m.rng.uniform(10, 190, count)
        step = 500 / count
        bars = "".join(
            f"<rect x={60 + i * step:.0f} y={210 - h:.0f} width={0.6 * step:.0f} height={h:.0f} fill='{m.dark}' />"
            f"<text x={60 + (i + 0.3) * step:.0f} y={206 - h:.0f} text-anchor=middle font-size=10>{m.number()}</text>"
            for i, h in enumerate(heights)
        )
        line = " ".join(f"{60 + (i + 0.3) * step:.0f},{210 - h:.0f}" for i, h in enumerate(heights[::-1]))
        turn = m.rng.choice([0, 0, -90])
        labels = "".join(
            f"<text font-size=11 text-anchor={'middle' if turn == 0 else 'end'} transform='translate("
            f"{60 + (i + 0.3) * step:.0f},226) rotate({turn})'>{1990 + i if turn == 0 else m.title(1)}</text>"
            for i in range(count)
        )
        ticks = "".join(
            f"<path d='M52 {210 - 200 * i / top:.0f}H560' stroke='#999' stroke-width=.6 />"
            f"<text x=46 y={214 - 200 * i / top:.0f} text-anchor=end font-size=11>{i * 5}</text>"
            for i in range(top + 1)
        )
        side = f"<text font-size=11 text-anchor=middle transform='translate(12,110) rotate(-90)'>{m.title(2, 3)}</text>"
        legend = (
            f"<rect x=440 y=4 width=10 height=10 fill='{m.dark}' /><text x=456 y=13 font-size=10>{m.text(1, 2)}</text>"
        )
        drawn = (
            bars if m.rng.random() < 0.6 else f"<polyline points='{line}' fill=none stroke='{m.dark}' stroke-width=2 />"
        )
        charts.append(
            f"<h1>{m.title(2, 4)}</h1>"
            f"<svg viewBox='0 0 600 300' width='100%'>{ticks}{drawn}{labels}{side}{legend}</svg>"
            f"<p class=small><b>Figure {m.below(30, 1)}:</b> {m.text(10, 25)}</p>"
        )
    return "".join(charts)


def _slide(m: _Maker) -> str:
    points = "".join(f"<li>{m.text(3, 8)}</li>" for _ in range(m.below(6, 3)))
    boxes = "".join(
        f"<div class={kind} style='padding:6mm;color:{color}'>"
        f"<div style='font-size:2.4em;font-weight:bold'>{m.number()}"
        f"</div>{m.text(1, 3)}</div>"
        for kind, color in (("pale", m.dark), ("dark", "#fff"), ("pale", "#000"))[: m.below(4, 2)]
    )
    return (
        f"<h1 style='font-size:2.2em'>{m.title(2, 5)}</h1><ul>{points}</ul><div class=row>{boxes}</div>"
        f"<p class=small>{m.text(3, 6)} <span style='float:right'>{m.below(60, 1)}</span></p>"
    )


def _invoice(m: _Maker) -> str:
    lines = "".join(
        f"<tr><td>{i}</td><td>{m.code()}</td><td>{m.text(2, 5)}</td><td class=r>{m.below(30, 1)}</td>"
        f"<td class=r>{m.money()}</td><td class=r>{m.below(26)}%</td><td class=r>{m.money()}</td></tr>"
        for i in range(1, m.below(20, 6))
    )
    sums = "".join(f"<tr><td class=r>{m.title(1, 2)}:</td><td class=r>€ {m.money()}</td></tr>" for _ in range(4))
    head = "".join(f"<th>{name}</th>" for name in ("#", "Item", "Description", "Qty", "Unit price", "VAT", "Amount"))
    kind = m.rng.choice(["grid", ""])
    return (
        f"<div class=row><div><h1>{m.title(1, 2)}</h1>"
        f"<p>{m.title(2)} {m.below(200, 1)}<br>{m.code()} {m.title(1)}</p></div>"
        f"<div class=r><b style='font-size:2em;color:{m.dark}'>INVOICE</b>"
        f"<p>No. {m.code()}<br>Date: {m.day()}<br>Tel. +"
        f"{m.below(99, 1)} ({m.below(9)}) {m.below(9999, 1000)} {m.below(999, 100)}"
        f"</p></div></div><p>{m.text(5, 12)}</p>"
        f"<table class='{kind}'><tr class=dark>{head}</tr>{lines}</table>"
        f"<table style='width:45%;margin-left:55%'>{sums}"
        f"</table><p class='small c'>{m.text(12, 25)}</p>"
    )


def _timetable(m: _Maker) -> str:
    columns, start = m.below(13, 7), m.below(600, 300)

    def time(stop: int, train: int) -> str:
        minutes = start + 9 * stop + 37 * train
        return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"

    rows = "".join(
        f"<tr class={'pale' if stop % 2 else ''}><td><b>{m.title(1, 2)}</b></td>"
        + "".join(
            f"<td class=c>{time(stop, i) if m.below(9) else m.rng.choice(['–', '…'])}</td>" for i in range(columns)
        )
        + "</tr>"
        for stop in range(m.below(30, 18))
    )
    trains = "".join(
        f"<th class=c>{m.rng.choice(['IC', 'RE', 'S', 'R'])} {m.below(90, 1)}</th>" for _ in range(columns)
    )
    return (
        f"<div class='dark row' style='padding:3mm'><h1>{m.title(1)} – {m.title(1)}</h1>"
        f"<h1 class=r>{m.below(99, 1)}</h1></div>"
        f"<table class='{m.rng.choice(['grid', ''])} small'><tr><th></th>{trains}</tr>{rows}</table>"
        f"<p class=small>{m.text(15, 30)}</p>"
    )


def _statement(m: _Maker) -> str:
    rows = "".join(
        f"<tr><td>{m.day()}</td><td>{m.title(1, 4)} {m.code()}</td><td class=r>{m.money() if m.below(2) else ''}</td>"
        f"<td class=r>{m.rng.choice(['-', '', '0.00'])}</td>"
        f"<td class=r>{m.money()}{m.rng.choice(['', ' CR', '-'])}</td></tr>"
        for _ in range(m.below(34, 20))
    )
    return (
        f"<h1>{m.title(2, 3)}</h1><div class=row><div class=box>{m.title(3, 5)}<br>{m.code()}</div><div class='box r'>"
        f"IBAN {m.code()} {m.below(9999)} {m.below(9999)}<br>{m.day()} – {m.day()}"
        f"<br>Page {m.below(9, 1)} of 9</div></div>"
        f"<table style='border-top:1pt solid;margin-top:4mm'><tr><th>Date</th><th>Details</th><th class=r>Paid out</th>"
        f"<th class=r>Paid in</th><th class=r>Balance</th></tr>{rows}</table>"
    )


def _datasheet(m: _Maker) -> str:
    parameters = "".join(
        f"<tr><td>{m.title(1, 2)}</td><td class=c>{m.rng.choice(['V', 'I', 'T', 'f', 'R'])}</td>"
        f"<td class=r>{m.number()}</td>"
        f"<td class=r>{m.number()}</td><td>{m.rng.choice(['V', 'mA', 'kHz', 'Ω', '°C', 'ns', '%'])}</td></tr>"
        for _ in range(m.below(15, 8))
    )
    head = "<tr class=pale><th>Parameter</th><th></th><th>Min</th><th>Max</th><th>Unit</th></tr>"
    table = f"<table class='grid small'>{head}{parameters}</table>"
    items = "".join(f"<li>{m.text(3, 8)}</li>" for _ in range(m.below(9, 4)))
    return (
        f"<div class=dark style='padding:2mm'><h1>{m.code()} {m.title(1, 3)}</h1></div>"
        f"<div style='columns:2;gap:8mm'><h3>"
        f"{m.title(1)}</h3><ul>{items}</ul><p>{m.text(50, 90)}</p>"
        f"{table}<h3>{m.title(2)}</h3><p>{m.text(60, 110)}</p></div>"
    )


def _cards(m: _Maker) -> str:
    cards = "".join(
        f"<div class='box {m.rng.choice(['', 'pale', 'dark'])}' style='height:40mm;overflow:hidden'>"
        f"<b>{m.title(1, 2)}</b>"
        f"<span style='float:right'>{m.below(99)}</span><p class=small>{m.text(8, 16)}</p>"
        f"<span class=small>{m.code()}</span></div>"
        for _ in range(10)
    )
    return f"<div style='display:grid;grid-template-columns:1fr 1fr;gap:5mm'>{cards}</div>"


_KINDS: dict[str, Callable[[_Maker], str]] = {
    "form": _form,
    "ruled": lambda m: _table(m, is_ruled=True),
    "plain": lambda m: _table(m, is_ruled=False),
    "chart": _chart,
    "slide": _slide,
    "invoice": _invoice,
    "timetable": _timetable,
    "statement": _statement,
    "datasheet": _datasheet,
    "cards": _cards,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--browser", default="chromium")
    arguments = parser.parse_args()
    for folder in ("clean", "scan", "pdf"):
        (arguments.output / folder).mkdir(parents=True, exist_ok=True)
    words = _words_of(arguments.texts)
    for i in range(arguments.pages):
        rng = np.random.default_rng([arguments.seed, i])
        kind, dpi = list(_KINDS)[i % len(_KINDS)], _DPI[(i + i // len(_KINDS)) % len(_DPI)]
        name = f"{i:02d}_{kind}_{dpi}"
        pdf = arguments.output / "pdf" / f"{name}.pdf"
        _print(_page(kind, _Maker(words, rng)), pdf, arguments.browser)
        truth, image = _words_on(pdf, dpi), _draw(pdf, dpi)
        scan, matrix = _scan(image, rng)
        cv2.imwrite(str(arguments.output / "clean" / f"{name}.png"), image)
        cv2.imwrite(str(arguments.output / "scan" / f"{name}.png"), scan)
        truth_path = arguments.output / f"{name}.json"
        truth_path.write_text(json.dumps({"dpi": dpi, "words": truth, "scan_affine": matrix.tolist()}))
        print(f"{name}: {len(truth)} words")


def _words_of(folder: Path) -> Iterator[str]:
    """The words of a folder, over and over: letters and what stands after them, without what a font may lack."""
    files = sorted(folder.glob("*.json"))
    texts = [word["text"] for file in files for word in json.loads(file.read_text())["words"]]
    return cycle([text for text in texts if re.fullmatch(r"[\w'&/()-]{2,18}[.,;:]?", text, re.ASCII)])


def _page(kind: str, m: _Maker) -> str:
    """The HTML of a page: what it shows, in a size and face of its own."""
    is_slide = kind == "slide"
    size = m.rng.uniform(15, 22) if is_slide else m.rng.uniform(7, 11)
    style = _STYLE % {
        "dark": m.dark,
        "pale": m.pale,
        "pad": m.rng.uniform(0.8, 4),
        "rule": m.rng.choice([0.5, 0.75, 1.5]),
    }
    sides = "254mm 190mm" if is_slide else m.rng.choice(["A4", "A4", "letter"])
    look = ("dark", "pale")[m.below(2)] if is_slide else ("", "pale")[m.below(4) // 3]
    height = "190mm" if is_slide else "270mm"
    return (
        f"<!doctype html><meta charset=utf-8><style>@page{{size:{sides};margin:0}}{style}</style>"
        f"<body class='{look}' style='font:{size:.1f}pt \"{m.rng.choice(_FACES)}\",sans-serif;height:{height};"
        f"overflow:hidden'>{_KINDS[kind](m)}"
    )


def _print(page: str, pdf: Path, browser: str) -> None:
    source = pdf.with_suffix(".html")
    source.write_text(page, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer")
    subprocess.run(
        [browser, *options, f"--print-to-pdf={pdf.resolve()}", source.resolve().as_uri()],
        check=True,
        capture_output=True,
    )


def _words_on(pdf: Path, dpi: int) -> list[dict]:
    """The words of the first page, with boxes in pixels."""
    command = ["pdftotext", "-bbox", "-f", "1", "-l", "1", str(pdf), "-"]
    page = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    words: list[dict] = []
    for *sides, text in _WORD.findall(page):
        word = {"text": html.unescape(text), "box": [float(side) * dpi / 72 for side in sides]}
        if words and _follow_upward(words[-1], word):
            x0, y0, x1, _ = words[-1]["box"]
            words[-1] = {"text": word["text"] + words[-1]["text"], "box": [x0, y0, x1, word["box"][3]]}
        else:
            words.append(word)
    return words


def _follow_upward(word: dict, letter: dict) -> bool:
    """Whether a letter stands under a word that is read upward: of some fonts, pdftotext tells each letter alone."""
    (x0, _, x1, y1), (left, y0, right, _) = word["box"], letter["box"]
    is_close = max(abs(left - x0), abs(right - x1), abs(y0 - y1)) < 0.2 * (x1 - x0)
    return is_close and len(letter["text"]) == 1


def _draw(pdf: Path, dpi: int) -> np.ndarray:
    command = ["pdftoppm", "-r", str(dpi), "-gray", "-png", "-singlefile", "-f", "1", "-l", "1", str(pdf)]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def _scan(image: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """A slight turn, blur, paper, noise and JPEG; the page, uint8 (H, W), and the matrix (2, 3) of its turn."""
    rows, columns = image.shape
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-1.5, 1.5), 1)
    page = cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_CUBIC, borderValue=255).astype(np.float32)
    page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.5, 1.1))
    black, paper = rng.uniform(10, 70), rng.uniform(205, 250)
    shade = cv2.resize(rng.normal(0, 6, (4, 4)).astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    page = black + page / 255 * (paper - black) + shade + rng.normal(0, rng.uniform(2, 9), page.shape)
    quality = int(rng.integers(40, 80))
    _, data = cv2.imencode(".jpg", page.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), matrix


if __name__ == "__main__":
    main()
