from __future__ import annotations

import json

import numpy as np

from ocr_models.reports.html_report import Picture
from ocr_models.training.checkpoints import Progress
from ocr_models.training.config import TrainingConfig
from ocr_models.training.run_log import RunLog, draw_caption, read_history
from ocr_models.training.run_report import write_report
from ocr_models.training.task import Validation


def test_history_is_kept_up_to_where_a_run_goes_on(tmp_path):
    with RunLog(tmp_path, 0) as log:
        log.training(50, {"loss": 2.0})
        log.validation(60, Validation({"score": 0.5}))
        log.training(100, {"loss": 1.0})
    path = tmp_path / "history.jsonl"
    path.write_text(path.read_text() + '{"step": 150, "lo')  # cut off by a kill
    with RunLog(tmp_path, 60) as log:
        log.training(70, {"loss": 1.5})
        assert log.history == read_history(path)
    assert read_history(path) == [
        {"step": 50, "loss": 2.0},
        {"step": 60, "validation/score": 0.5},
        {"step": 70, "loss": 1.5},
    ]


def test_caption_is_written_below_its_picture():
    gray = np.full((40, 50), 7, np.uint8)
    drawn = draw_caption(Picture(gray, "read: ab\ntruth: abc"))
    assert drawn.shape == (40 + 2 * 26, 360, 3)  # two lines; wide enough for a few words
    assert (drawn[:40, :50] == 7).all()
    for line in (drawn[40:66], drawn[66:]):
        assert (line < 100).any()  # ink


def test_report_has_all_that_a_run_was(tmp_path):
    progress = Progress(
        step=200, seconds=7200, waiting_seconds=72, best_score=0.75, best_scores={"score": 0.75}, best_step=100
    )
    history = [json.loads(line) for line in ('{"step": 50, "loss": 2.0}', '{"step": 100, "validation/score": 0.75}')]
    picture = Picture(np.zeros((4, 4), np.uint8), "read: <b>\ntruth: d")
    validation = Validation({"score": 0.5}, [], [picture])
    config = TrainingConfig("recognition", "crnn-light", {})
    page = write_report(tmp_path, config, "pagebeam train x", progress, history, validation, None).read_text()
    assert "200 steps in 2.00 hours. Best score 0.7500 at step 100." in page
    assert "No batch was ready for 1.0% of the time." in page  # 72 of 7,200 seconds
    assert 'alt="loss by step"' in page and 'alt="validation: score by step"' in page
    assert "read: &lt;b&gt;" in page and "pagebeam train x" in page and "crnn-light" in page
