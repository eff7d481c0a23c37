"""``pagebeam evaluate``: scores models, or any tool's output, against labelled data. Start with ``evaluate.py``."""
