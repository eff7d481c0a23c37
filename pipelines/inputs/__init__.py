"""What pipelines read: documents and labelled sources are listed, opened, hashed and split into page ranges.

Start with ``transforms.py``.
"""
