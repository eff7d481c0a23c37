"""The precision that TensorFlow computes in on a CPU."""

from __future__ import annotations

_BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


def use_bfloat16() -> None:
    """Lets oneDNN compute in bfloat16 on processors with AVX-512 BF16 or AMX; does nothing elsewhere.

    The option holds for the whole process, because TensorFlow has no narrower scope for it: graphs of the host
    program that run after this call compute their convolutions and matrix products in bfloat16, too.
    """
    import tensorflow as tf

    if _cpu_has_bfloat16():
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})


def _cpu_has_bfloat16() -> bool:
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            return any(flag in line for line in cpuinfo if line.startswith("flags") for flag in _BFLOAT16_FLAGS)
    except OSError:
        return False
