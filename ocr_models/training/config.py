"""What a training run is made of: one JSON-able record, kept in the run's folder and in the bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ocr_models.data.training_examples import DataConfig


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        task: "detection" or "recognition".
        arch: "east-fast" or "east-vgg16"; "crnn-light" or "crnn-vgg".
        data: where the examples come from.
        batch_size: words or windows a step.
        steps: the run ends after so many steps ...
        hours: ... or, where it isn't None, after so many hours of training, whichever comes first.
        learning_rate: at its peak, after the warm-up; it falls to a hundredth along a cosine.
        warmup_steps: steps of linear warm-up.
        weight_decay: of AdamW.
        seed: of the weights, the data and their order.
        validate_every: steps between two validations.
        patience: validations without a better score before the run stops early; 0 for never.
        checkpoint_minutes: minutes between two checkpoints.
        data_workers: processes that make batches.
        window_px: side of a detection window, a multiple of 32.
        shrink_ratio: of EAST's score map.
        score_loss: "balanced" or "dice".
        freeze_stem: head-tune: only EAST's merge branch and head learn.
        init: a bundle whose weights the run starts from (fine-tune), or None.
    """

    task: str
    arch: str
    data: DataConfig = field(default_factory=DataConfig)
    batch_size: int = 64
    steps: int = 100_000
    hours: float | None = None
    learning_rate: float = 2e-3
    warmup_steps: int = 300
    weight_decay: float = 1e-2
    seed: int = 1
    validate_every: int = 1000
    patience: int = 0
    checkpoint_minutes: float = 3.0
    data_workers: int = 1
    window_px: int = 384
    shrink_ratio: float = 0.2
    score_loss: str = "balanced"
    freeze_stem: bool = False
    init: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
