"""The public PTransforms, named by verbs; ``pipelines.run`` puts them together."""
