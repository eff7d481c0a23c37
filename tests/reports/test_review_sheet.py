"""Tests the review sheet in Chromium with a script appended to it; skipped if there is no Chromium."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
import subprocess

import pytest

from ocr_models.io.spreadsheets import restore
from ocr_models.reports.review_sheet import DoubtfulWord, render_sheet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

READ = ["lst", 'comma, "quote"', "_-", "<b>", "right"]
WORDS = [
    DoubtfulWord(f"crops/{9 - i}.png", b"png", read, 0.5 + i / 10, "/a.pdf", 0, "0 0 9 0 9 9 0 9", "before", "after")
    for i, read in enumerate(READ)
]

# Answers with what the button saved, as the page's only text; a click on a link would start a download.
ANSWER = """
let saved;
URL.createObjectURL = blob => { saved = blob; return "blob:review"; };
HTMLAnchorElement.prototype.click = function () { saved.name = this.download; };
document.getElementById("save").click();
const state = {
  name: saved.name, kept: localStorage.getItem(key), count: document.getElementById("count").textContent,
  shown: [...list.children].map(row => text(row).value), focused: rows.indexOf(document.activeElement.closest(".word")),
};
saved.arrayBuffer().then(bytes => {
  state.csv = new TextDecoder("utf-8", {ignoreBOM: true}).decode(bytes);
  const answer = document.createElement("pre");
  answer.textContent = JSON.stringify(state);
  document.body.replaceChildren(answer);
});
"""
PRESS = """
const press = (i, keys) =>
  text(rows[i]).dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, ...keys}));
const type = (i, value) => {
  text(rows[i]).value = value;
  text(rows[i]).dispatchEvent(new InputEvent("input", {bubbles: true}));
};
"""


@pytest.fixture
def browse(tmp_path):
    """Opens the sheet, runs a script in it and saves; returns the state of the page with the rows of the CSV.

    Chromium without a window forgets what pages keep when it ends: ``kept`` gives it back.
    """

    def browse(script="", kept="{}"):
        path = tmp_path / "review.html"
        page = render_sheet(WORDS, ["a note"], "sheet", "REVIEW")
        page = page.replace(
            "<script>", f"<script>localStorage['pagebeam-review-sheet'] = {kept!r};</script><script>", 1
        )
        path.write_text(page.replace("</html>", f"<script>{PRESS}{script}{ANSWER}</script></html>"))
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        command = [CHROMIUM, *options, "--virtual-time-budget=3000", "--dump-dom", path.as_uri()]
        page = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        state = json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)[1]))
        assert state["csv"].startswith("\ufeffcrop,text,read")
        state["rows"] = list(csv.DictReader(io.StringIO(state["csv"][1:], newline="")))
        return state

    return browse


def test_only_words_that_were_done_get_a_text(browse):
    state = browse('type(0, " 1st "); press(1); press(2, {shiftKey: true});')

    assert state["name"] == "review.csv"
    assert [row["text"] for row in state["rows"]] == ["1st", 'comma, "quote"', "", "", ""]
    assert [row["read"] for row in state["rows"]] == READ
    assert [row["crop"] for row in state["rows"]] == [word.crop for word in WORDS]
    assert state["count"] == "3 of 5 words done, 1 of them not text"
    assert state["focused"] == 3  # after the third word


def test_progress_is_kept_when_the_sheet_is_opened_again(browse):
    kept = browse('type(0, "1st"); press(2, {shiftKey: true});')["kept"]

    state = browse(kept=kept)

    assert state["shown"][0] == "1st"
    assert [row["text"] for row in state["rows"]] == ["1st", "", "", "", ""]
    assert state["count"] == "2 of 5 words done, 1 of them not text"


def test_words_are_shown_by_page_if_wanted_and_saved_all_the_same(browse):
    order = 'const order = document.getElementById("order"); order.value = "place";'
    state = browse(f'{order} order.dispatchEvent(new Event("change")); press(0);')

    assert state["shown"] == READ[::-1]  # the crops' names go the other way
    assert [row["text"] for row in state["rows"]] == ["lst", "", "", "", ""]


def test_typed_formulas_are_saved_so_that_no_spreadsheet_computes_them_and_read_back_as_typed(browse):
    typed = ["=1+1", "a;=1+1", "'@SUM(A1)", "-2,-3", "no-formula=1"]
    state = browse("".join(f"type({i}, {json.dumps(text)});" for i, text in enumerate(typed)))

    assert [row["text"] for row in state["rows"]] == ["'=1+1", "a;'=1+1", "''@SUM(A1)", "'-2,'-3", "no-formula=1"]
    assert [restore(row["text"]) for row in state["rows"]] == typed
