"""The public PTransforms, named by verbs; ``pipelines.ocr`` puts them together."""
