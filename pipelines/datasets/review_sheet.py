"""The sheet on which a person types what doubtful words really say: one HTML file, which needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2

COLUMNS = ("crop", "text", "read", "confidence", "source_uri", "page_index", "quad")
"""Of ``words.csv`` and of the CSV that the sheet saves."""


@dataclass(frozen=True)
class DoubtfulWord:
    """A word for review.

    Attributes:
        crop: its picture's path below the review's folder.
        png: its picture.
        read: what was read.
        confidence: 0 to 1.
        source_uri: the document it is in.
        page_index: from 0.
        quad: 8 numbers, x and y of 4 corners in pixels of the page as given, with spaces between them.
        before: the words before it in its line.
        after: the words after it.
    """

    crop: str
    png: bytes
    read: str
    confidence: float
    source_uri: str
    page_index: int
    quad: str
    before: str
    after: str

    @property
    def image_src(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    def cells(self) -> tuple[str, ...]:
        """Its row, with no text yet, in the order of ``COLUMNS``."""
        confidence = f"{self.confidence:.4f}"
        return self.crop, "", self.read, confidence, self.source_uri, str(self.page_index), self.quad


def render_sheet(words: Sequence[DoubtfulWord], notes: Sequence[str], sheet_id: str, folder: str) -> str:
    """The sheet as HTML. All text is escaped: what was read on a page can't become markup.

    Args:
        words: in the order in which they are shown at first.
        notes: lines for the person, such as pages that couldn't be opened.
        sheet_id: tells this sheet's progress, which the browser keeps, from that of other sheets.
        folder: where the sheet and its crops are.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    in_place = sorted(range(len(words)), key=lambda i: (words[i].source_uri, words[i].page_index, words[i].crop))
    places = {index: place for place, index in enumerate(in_place)}
    return environment.from_string(_TEMPLATE).render(
        words=words, notes=notes, sheet_id=sheet_id, folder=folder, columns=COLUMNS, places=places
    )


_TEMPLATE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Review of {{ words | length }} words</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 0 1rem 4rem; color: #222; }
  h1 { font-size: 1.4rem; margin-bottom: .2rem; } p, ul { margin: .3rem 0; }
  code, kbd { background: #f0f0f0; padding: 0 .25rem; border-radius: 3px; }
  #bar { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #ccc; padding: .5rem 0; z-index: 1;
    display: flex; gap: 1.2rem; align-items: center; }
  #count { flex: 1; font-variant-numeric: tabular-nums; } button, select { font: inherit; padding: .2rem .7rem; }
  .word { display: grid; grid-template-columns: 20rem 1fr 7rem 3.5rem; gap: .1rem 1rem; align-items: center;
    padding: .5rem .4rem; border-bottom: 1px solid #eee; border-left: 4px solid transparent; scroll-margin: 8rem; }
  .word:focus-within { background: #f4f8ff; }
  .done { border-left-color: #2a9d4a; } .skipped { border-left-color: #999; }
  .word img { height: 2.6rem; max-width: 20rem; object-fit: contain; object-position: left; background: #ddd; }
  .word input[type=text] { font: 1.15rem ui-monospace, monospace; padding: .2rem .4rem; min-width: 0; }
  .skipped input[type=text] { text-decoration: line-through; color: #999; }
  .confidence { text-align: right; color: #777; font-variant-numeric: tabular-nums; }
  .context { grid-column: 2 / -1; font-size: .85rem; color: #777; overflow-wrap: anywhere; } .context b { color: #222; }
</style>
<body data-sheet="{{ sheet_id }}" data-columns="{{ columns | join(' ') }}">
<h1>Which words are these?</h1>
<p>Correct what was read, or leave it where it is right, and press <kbd>Enter</kbd>; <kbd>Shift</kbd>+<kbd>Enter</kbd>
says that the picture shows no whole word. Only words that are done this way become training data. Your work is kept in
this browser.</p>
<p>Save at the end, put <code>review.csv</code> into <code>{{ folder }}</code>, beside <code>crops</code>, and run
<code>pagebeam prepare {{ folder }}/review.csv --format review --output DATA</code></p>
{% if notes %}
<ul>
{% for note in notes %}
<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
<div id="bar">
<span id="count"></span>
<label>Order <select id="order"><option value="rank">least sure first</option><option value="place">by page</option>
</select></label>
<button id="save">Save CSV</button>
</div>
<div id="words">
{% for word in words %}
<div class="word" data-cells="{{ word.cells() | tojson | forceescape }}" data-rank="{{ loop.index0 }}"
  data-place="{{ places[loop.index0] }}">
<img alt="" src="{{ word.image_src }}">
<input type="text" value="{{ word.read }}" aria-label="text" autocomplete="off" autocapitalize="off" spellcheck="false">
<label><input type="checkbox"> not text</label>
<span class="confidence">{{ "%.2f" | format(word.confidence) }}</span>
<span class="context" title="{{ word.source_uri }}, page {{ word.page_index + 1 }}">
{{ word.before }} <b>{{ word.read }}</b> {{ word.after }}</span>
</div>
{% endfor %}
</div>
<script>
"use strict";
const {sheet, columns} = document.body.dataset, key = "pagebeam-review-" + sheet;
const list = document.getElementById("words"), rows = [...list.children];
const done = JSON.parse(localStorage.getItem(key) || "{}");  // crop -> {text, skip}
const cells = row => JSON.parse(row.dataset.cells), crop = row => cells(row)[0];
const text = row => row.querySelector("[type=text]"), skip = row => row.querySelector("[type=checkbox]");

function show() {
  let skipped = 0;
  for (const row of rows) {
    const state = done[crop(row)];
    row.classList.toggle("done", Boolean(state));
    row.classList.toggle("skipped", Boolean(state && state.skip));
    if (state && state.skip) skipped++;
  }
  document.getElementById("count").textContent =
    `${Object.keys(done).length} of ${rows.length} words done, ${skipped} of them not text`;
}

function finish(row) {
  done[crop(row)] = {text: text(row).value, skip: skip(row).checked};
  localStorage.setItem(key, JSON.stringify(done));
  show();
}

function csv() {
  const quote = cell => '"' + cell.replaceAll('"', '""') + '"';
  const lines = rows.map(row => {
    const values = cells(row), state = done[values[0]];
    values[1] = state && !state.skip ? state.text.trim() : "";
    return values.map(quote).join(",");
  });
  return [columns.replaceAll(" ", ","), ...lines, ""].join("\\r\\n");
}

for (const row of rows) {
  const state = done[crop(row)];
  if (state) { text(row).value = state.text; skip(row).checked = state.skip; }
}
list.addEventListener("input", event => finish(event.target.closest(".word")));
list.addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  const row = event.target.closest(".word"), next = row.nextElementSibling;
  skip(row).checked ||= event.shiftKey;
  finish(row);
  if (next) { text(next).focus(); text(next).select(); next.scrollIntoView({block: "nearest"}); }
});
document.getElementById("order").addEventListener("change", event => {
  const by = event.target.value;
  list.append(...rows.toSorted((a, b) => a.dataset[by] - b.dataset[by]));
});
document.getElementById("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\\ufeff" + csv()], {type: "text/csv"}));
  link.download = "review.csv";
  link.click();
});
show();
</script>
</html>
"""
