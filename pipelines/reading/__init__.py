"""``pagebeam run`` and ``pagebeam caption``: pages in, Parquet shards and a manifest out. Start with ``run.py``."""
