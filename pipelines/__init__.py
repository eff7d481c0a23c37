"""Pagebeam's Apache Beam pipelines: documents in, one Parquet row a page out."""
