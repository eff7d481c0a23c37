"""Labelled sources, one module per format. They import neither TensorFlow nor Keras nor Beam."""
