#!/usr/bin/env bash
# Keras' CTC loss of a label that can't fit into its steps is finite, differs by backend, and has a gradient.
#
# Versions:  Keras 3.15.1 on tensorflow-cpu 2.21.0 and on JAX 0.10.2.
# Behavior:  a label of 4 equal characters needs 7 steps, as blanks stand between equal neighbors. In 4 steps, ctc_loss is
#            some 708 on TensorFlow and 100,000 on JAX, plus the loss of a partial path. Neither is infinite, and both
#            have gradients of the size that those of real labels have, so that training goes on with them, and one such
#            label in a batch hides the loss of all others.
# Expected:  infinity, as the probability is 0, or an error.
# Pagebeam:  leaves such labels out of the mean (ocr_models/recognition/ctc_loss.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0 jax==0.10.2

cat >"$folder/show.py" <<'PYTHON'
import keras
import numpy as np
from keras import ops

labels = np.array([[1, 2, 0, 0], [1, 1, 1, 1]])  # 0 is the blank and pads
lengths, steps = np.array([2, 4]), np.array([4, 4])
logits = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)


def losses(x):
    return ops.ctc_loss(labels, x, lengths, steps, mask_index=0)


backend = keras.backend.backend()
if backend == "jax":
    import jax

    gradient = jax.grad(lambda x: losses(x).sum())(logits)
else:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        x = tf.Variable(logits)
        total = tf.reduce_sum(losses(x))
    gradient = tape.gradient(total, x)
fits, does_not = np.array(losses(logits)).tolist()
sizes = ", ".join(f"{size:.1f}" for size in np.abs(np.array(gradient)).max(axis=(1, 2)))
print(f"Keras {keras.__version__} on {backend}: losses {fits:.2f} and {does_not:.0f}, greatest gradients {sizes}")
PYTHON
cat >"$folder/expected" <<'TEXT'
Keras 3.15.1 on tensorflow: losses 2.13 and 708, greatest gradients 0.5, 0.4
Keras 3.15.1 on jax: losses 2.13 and 100001, greatest gradients 0.5, 0.4
TEXT

export TF_CPP_MIN_LOG_LEVEL=3
for backend in tensorflow jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/show.py" 2>>"$folder/log"
done | tee "$folder/output"
diff "$folder/expected" "$folder/output"
