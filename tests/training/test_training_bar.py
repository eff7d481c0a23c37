from __future__ import annotations

import pytest

from ocr_models.training.checkpoints import Progress
from ocr_models.training.config import TrainingConfig
from ocr_models.training.training_bar import TrainingBar, describe_earlier


def shown(capsys, config: TrainingConfig, progress: Progress, *steps: tuple[int, float]) -> str:
    """The last state of the bar after steps, each given with the seconds of training until its end."""
    with TrainingBar(config, progress, shown=True) as bar:
        for progress.step, progress.seconds in steps:
            bar.update()
    return capsys.readouterr().err.split("\r")[-1].strip()


def test_what_is_left_is_told_by_the_limit_that_ends_the_run(capsys):
    by_hours = TrainingConfig("recognition", "crnn-fast", None, hours=0.05)  # of 180 seconds, with 100,000 steps
    steps = (1, 9.0), (2, 9.1), (101, 19.0)  # the first takes 9 seconds, then 10 come in a second

    assert "step 101, 00:19 of 03:00, 02:41 left" in shown(capsys, by_hours, Progress(), *steps)

    by_steps = TrainingConfig("recognition", "crnn-fast", None, steps=201, hours=0.05)
    assert "step 101, 00:19 of 03:00, 00:10 left" in shown(capsys, by_steps, Progress(), *steps)

    without_hours = TrainingConfig("recognition", "crnn-fast", None, steps=1001)
    last = shown(capsys, without_hours, Progress(), *steps)
    assert last.startswith("10%") and "step 101 of 1,001, 00:19, 01:30 left" in last


def test_nothing_is_promised_before_there_is_evidence(capsys):
    config = TrainingConfig("recognition", "crnn-fast", None)

    assert "left" not in shown(capsys, config, Progress(), (1, 9.0), (2, 9.1))


def test_a_resumed_run_says_and_counts_what_was_done_before(capsys):
    config = TrainingConfig("recognition", "crnn-fast", None, hours=2)
    progress = Progress(step=4000, seconds=5400.0, best_score=0.5, best_scores={"score": 0.5}, best_step=3000)

    earlier = "resuming at step 4,000 of 100,000, after 1.5 of 2 hours; best score 0.5000 at step 3,000"
    assert describe_earlier(config, progress) == earlier
    last = shown(capsys, config, progress, (4001, 5409.0))
    assert last.startswith("75%") and "1:30:09 of 2:00:00, 29:51 left" in last


@pytest.mark.parametrize(("step", "seconds", "share"), [(5, 0.0, 0.5), (5, 2700.0, 0.75), (99, 9999.0, 1.0)])
def test_the_share_that_is_done_is_the_larger_one(step, seconds, share):
    assert TrainingConfig("recognition", "crnn-fast", None, steps=10, hours=1).part_done(step, seconds) == share
