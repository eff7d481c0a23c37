"""What all pipelines need: a runner, storage, progress and a quick start. Start with ``runner.py``."""
