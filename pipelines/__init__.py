"""Pagebeam's Apache Beam pipelines and the ``pagebeam`` command: documents in, one Parquet row per page out.

Start with ``reading/run.py``, which defines the OCR pipeline; the command starts in ``cli/main.py``.
"""
