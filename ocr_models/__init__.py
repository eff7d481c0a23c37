"""Pagebeam's models: EAST text detection and CRNN word recognition on Keras 3, without Beam.

Importing this package loads neither TensorFlow nor Beam; the modules inside load what they need.
"""

__version__ = "0.1.0"
