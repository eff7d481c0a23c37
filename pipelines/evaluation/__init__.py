"""``pagebeam evaluate``: models, or any tool's output, against labelled data."""
