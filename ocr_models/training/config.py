"""What a training run is made of: one JSON-able record, kept in the run's folder and in the bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        task: a name in ``options.TASK_OPTIONS``, "detection" for example.
        arch: one of the task's architectures.
        options: what only this task has, the dataclass of its own in ``options``.
        init: a bundle whose weights the run starts from, or None.
        batch_size: examples a step.
        steps: the run ends after so many steps ...
        hours: ... or, where it isn't None, after so many hours of training, whichever comes first.
        learning_rate: at its peak, after the warm-up.
        schedule: how the rate falls: "cosine", to a hundredth at the end of the run; "plateau", to a half whenever
            two validations in a row bring no better score; "staircase", to a half after every few epochs (captions).
        warmup_steps: steps of linear warm-up.
        weight_decay: of AdamW.
        seed: of the weights, the data and their order.
        validate_every: steps between two validations.
        patience: validations without a better score before the run stops early; 0 for never.
        checkpoint_minutes: minutes between two checkpoints.
        keep_checkpoints: how many of them are kept, the newest.
        data_workers: processes that make batches.
        mixed_precision: "bfloat16" or "float16" to compute in, but for weights and loss; None for float32 alone.
        deterministic: the same command gives the same weights, on the same machine, at some cost.
    """

    task: str
    arch: str
    options: Any
    init: str | None = None
    batch_size: int = 64
    steps: int = 100_000
    hours: float | None = None
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warmup_steps: int = 300
    weight_decay: float = 1e-2
    seed: int = 1
    validate_every: int = 1000
    patience: int = 0
    checkpoint_minutes: float = 3.0
    keep_checkpoints: int = 5
    data_workers: int = 1
    mixed_precision: str | None = None
    deterministic: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
