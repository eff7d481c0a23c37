"""Decoding in child processes, ahead of the models that use the pixels. Start with ``stream.py``."""
