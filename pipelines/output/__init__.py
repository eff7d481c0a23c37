"""Output folders: data sets that grow run by run, in which readers see each page once.

Start with ``output_folder.py``, which says what is in an output folder, and ``commit.py``: how a run's rows get there.
"""
