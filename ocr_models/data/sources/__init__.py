"""Labelled sources, one module a format. No TensorFlow, Keras or Beam in here."""
