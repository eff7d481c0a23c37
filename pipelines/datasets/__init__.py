"""``pagebeam prepare`` makes data sets, and review sheets for corrections; ``pagebeam inspect`` reads data sets back.

Start with ``prepare.py``.
"""
