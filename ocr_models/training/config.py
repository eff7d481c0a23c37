"""The configuration of a training run, which can be written as JSON to the folder of the run and to the bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a training run.

    Attributes:
        task: a name in ``options.TASK_OPTIONS``, such as "detection".
        arch: one of the architectures of the task.
        options: the options of this task only, one of the dataclasses in ``options`` and ``caption_options``.
        init: a bundle whose weights the run starts from, or None.
        batch_size: examples per step.
        steps: the run ends after this number of steps ...
        hours: ... or, unless None, after this number of hours of training, whichever comes first. Hours before a
            resume count.
        learning_rate: at its peak, after the warm-up.
        schedule: how the learning rate falls: "cosine", to a hundredth at the end of the run; "plateau", by half after
            two validations in a row without a better score; "staircase", by half after every few epochs (captions).
        warmup_steps: steps of linear warm-up, which takes at most a tenth of the run.
        weight_decay: of the optimizer.
        seed: of the weights, the data and their order.
        validate_every: steps between two validations.
        patience: number of validations without a better score after which the run stops early; 0 for never.
        checkpoint_minutes: minutes between two checkpoints.
        keep_checkpoints: number of newest checkpoints that are kept.
        average: the mean of the weights at so many of the newest checkpoints is validated, too, and goes into the
            bundle when it is better than the weights themselves (Izmailov et al. 2018, arXiv 1803.05407); 0 for never.
            After a resume, the checkpoints since then count.
        init_share: the share of the weights of ``init`` in that mean, which keeps more of what they read (Wortsman et
            al. 2021, arXiv 2109.01903); 0 for none.
        data_workers: number of processes that make batches.
        mixed_precision: "bfloat16" or "float16", the type of all computations except weights and loss; None for
            float32.
        deterministic: whether the same command gives the same weights on the same machine, which is slower.
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
    average: int = 0
    init_share: float = 0.0
    data_workers: int = 1
    mixed_precision: str | None = None
    deterministic: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
