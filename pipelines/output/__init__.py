"""Output folders: data sets that grow run by run, in which readers see each page once.

Start with ``commit.py``: it says what is in an output folder, and how a run's rows become part of it.
"""
