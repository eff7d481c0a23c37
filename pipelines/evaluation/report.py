"""The files of an evaluation: ``pages.jsonl``, ``report.html`` and, last, ``evaluation.json``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ocr_models.metrics.bleu import BLEU_ORDER
from ocr_models.records import Task
from ocr_models.reports.html_report import Chart, Code, EncodedPicture, Gallery, Section, Table, render_report
from pipelines.evaluation.evidence import Evidence
from pipelines.evaluation.scores import Rules, Scores
from pipelines.evaluation.summary import EvaluationDescription, Summary, summarize
from pipelines.runtime.storage import atomic_writer, join

SUMMARY, REPORT, ROWS = "evaluation.json", "report.html", "pages.jsonl"
_SHOWN_CONFUSIONS = 20
_SHOWN_NAMES = 50


def write_evaluation(
    rows: Iterable[dict[str, Any]],
    output: str,
    description: EvaluationDescription,
    rules: Rules,
    scores: Scores,
    worst: Sequence[Evidence],
) -> Summary:
    """Writes all files; returns the content of ``evaluation.json``.

    Raises:
        PagebeamError: a tool's output can't be matched, because two pictures have the same name.
    """
    rows = sorted(rows, key=lambda row: row["name"])
    summary = summarize(rows, description, rules, scores)
    report = render_report(f"Evaluation: {description.source}", report_sections(summary, rows, worst))
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    texts = {SUMMARY: json.dumps(summary, indent=2, ensure_ascii=False), REPORT: report, ROWS: lines}
    with contextlib.ExitStack() as files:  # which get their names when all have been written, the first one last
        for name, text in texts.items():
            file = files.enter_context(atomic_writer(join(output, name)))
            file.write(text.encode())
            file.flush()
    return summary


def report_sections(summary: Summary, rows: Sequence[dict[str, Any]], worst: Sequence[Evidence]) -> list[Section]:
    """The sections of the report, from the content of ``evaluation.json`` and ``pages.jsonl``."""
    sections = [_overview(summary), *_score_sections(summary["scores"])]
    if summary["calibration"]:
        sections.append(_calibration_section(summary))
    sections += _worst_sections(summary["task"], worst)
    failed = [[row["name"], row["stage"], row["reason"]] for row in rows if row["status"] == "failed"]
    if failed:
        sections.append(Section("Pictures that could not be scored", [Table(["name", "stage", "why"], failed)]))
    sections += _unmatched_sections(summary)
    return [*sections, Section("To get this again", [Code(summary["command"])])]


def _overview(summary: Summary) -> Section:
    pictures = summary["pictures"]
    rows: list[list[str | int | float | None]] = [
        ["task", summary["task"]],
        ["data", f"{summary['source']} ({summary['format']}, sha256 {summary['data_digest'][:12]})"],
        *[["split", split] for split in summary["splits"]],
        *[[role, f"{model['name']} ({model['id']})"] for role, model in summary["models"].items()],
    ]
    if summary["predictions"]:
        rows.append(["predictions", f"{summary['predictions']['path']} ({summary['predictions']['format']})"])
    rows += [["pictures scored", pictures["scored"]], ["pictures that failed", pictures["failed"]]]
    if summary["predictions"]:
        rows.append(["scored as empty, as there is no prediction", pictures["missing"]])
    if pictures["unplaced"]:
        rows.append(["scored by text alone, as the places of words are not known", pictures["unplaced"]])
    if pictures["of_lines"]:
        rows.append(["labelled by lines, so that words can't be scored by box", pictures["of_lines"]])
    if summary["rejected_labels"]:
        rows.append(["labels left out, being of no use", summary["rejected_labels"]])
    if summary["options"]["casefold"]:
        rows.append(["upper and lower case", "the same"])
    return Section("What was scored", [Table(["", ""], rows)])


def _score_sections(scores: Mapping[str, Any]) -> list[Section]:
    sections = []
    if "bag_of_words" in scores:
        text = scores["page_text"]
        rows = [_match_row("words as a bag", scores["bag_of_words"])]
        if "words_by_box" in scores:
            rows.append(_match_row("words by box: IoU above 0.5, equal text", scores["words_by_box"]))
        errors = f"Character error rate of whole pages in reading order: {text['cer']:.4f} "
        errors += f"({text['edits']:,} edits of {text['characters']:,} characters)."
        sections.append(Section("Pages read", [_match_table(rows), errors]))
    if "detection" in scores:
        found = scores["detection"]
        groups = [
            _match_table(
                [_match_row(name, counts) for name, counts in found[f"by_{kind}"].items() if any(counts.values())],
                title,
            )
            for kind, title in (("height", "height of the word"), ("angle", "angle"))
        ]
        whole = _match_table([_match_row("all", found)])
        sections.append(Section("Words found (ICDAR 2015: IoU above 0.5, one to one)", [whole, *groups]))
    if "recognition" in scores:
        sections += _recognition_sections(scores["recognition"])
    if "captions" in scores:
        bleu = [[f"BLEU-{order}", scores["captions"][f"bleu_{order}"]] for order in range(1, BLEU_ORDER + 1)]
        sections.append(Section("Captions", [Table(["score", "value"], bleu)]))
    return sections


def _match_table(rows: list[list[str | int | float | None]], title: str = "") -> Table:
    return Table([title, "precision", "recall", "F1", "right", "found", "true"], rows)


def _match_row(name: str, counts: Mapping[str, Any]) -> list[str | int | float | None]:
    return [name, *(counts[column] for column in ("precision", "recall", "f_score", "matched", "predicted", "true"))]


def _recognition_sections(words: Mapping[str, Any]) -> list[Section]:
    rows: list[list[str | int | float | None]] = [
        ["words read without a fault", words["accuracy"], words["words"]],
        ["the same of [0-9a-z] alone, in lower case", words["alphanumeric_accuracy"], words["alphanumeric_words"]],
        ["character error rate", words["cer"], words["characters"]],
        ["word error rate", words["wer"], None],
        ["label error rate", words["label_error_rate"], words["characters"]],
    ]
    confusions = [
        [_visible(true) or "nothing", _visible(read) or "nothing", times]
        for true, read, times in words["confusions"][:_SHOWN_CONFUSIONS]
    ]
    return [
        Section("Words read", [Table(["score", "value", "of"], rows)]),
        Section("What was taken for what", [Table(["true", "read as", "times"], confusions)]),
    ]


def _visible(character: str) -> str:
    return character if character.strip() or not character else f"U+{ord(character):04X}"


def _calibration_section(summary: Summary) -> Section:
    calibration = summary["calibration"]
    curves = {"as read": calibration}
    parts: list[str | Table | Chart] = [
        f"Expected calibration error {calibration['expected_calibration_error']:.4f} over {calibration['words']:,} "
        "words: how far confidence and the share that was right are apart, on average.",
    ]
    if "temperature" in summary:
        fitted, after = summary["temperature"]["fitted"], summary["temperature"]["calibration"]
        curves = {"temperature 1": calibration, f"temperature {fitted:.3f}": after}
        error = after["expected_calibration_error"]
        parts.append(
            f"Words were read with a temperature of 1, to fit one to them: with {fitted:.4f} the expected calibration "
            f"error on these data is {error:.4f}."
        )
    series = {
        name: ([point["confidence"] for point in of["curve"]], [point["accuracy"] for point in of["curve"]])
        for name, of in curves.items()
    }
    points = [[point["confidence"], point["accuracy"], point["count"]] for point in calibration["curve"]]
    chart = Chart("confidence", "share read right", series, diagonal=True)
    return Section(
        "Can confidences be believed?", [*parts, chart, Table(["confidence", "read right", "words"], points)]
    )


def _worst_sections(task: str, worst: Sequence[Evidence]) -> list[Section]:
    if not worst:
        return []
    if task in (Task.OCR, Task.DETECTION):
        parts: list[str | Gallery] = ["Red: missed. Orange: found, but read wrong. Blue: found, but not there."]
        for evidence in worst:
            page, *crops = [EncodedPicture(shown.data, shown.caption) for shown in evidence.pictures]
            page = replace(page, caption=f"{page.caption}; F1 {1 - evidence.badness:.4f}")
            parts += [Gallery([page]), *([Gallery(crops)] if crops else [])]
        return [Section("The worst pages", parts)]
    sections = [
        Section("The worst", [Gallery([EncodedPicture(of.data, of.caption) for e in worst for of in e.pictures])])
    ]
    attention = [EncodedPicture(e.attention, e.pictures[0].caption) for e in worst if e.attention]
    if attention:
        explained = "A row for each character read: the redder, the more attention was there."
        sections.append(Section("Where the attention was", [explained, Gallery(attention)]))
    return sections


def _unmatched_sections(summary: Summary) -> list[Section]:
    if not summary["predictions"]:
        return []
    missing, unused = summary["predictions"]["missing"], summary["predictions"]["unused"]
    return [
        Section(title, [Table([""], [[name] for name in names[:_SHOWN_NAMES]]), *_more(names)])
        for title, names in (("Pictures without a prediction", missing), ("Predictions without a picture", unused))
        if names
    ]


def _more(names: Sequence[str]) -> list[str]:
    left = len(names) - _SHOWN_NAMES
    return [f"… and {left:,} more, which {SUMMARY} and {ROWS} name."] if left > 0 else []
