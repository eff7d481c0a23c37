"""The ``pagebeam`` command: each sub-command's module parses arguments and prints results. Start with ``main.py``."""
