"""Scores as mergeable counts: pages and words are counted anywhere, the counts are added, and ratios come last.

Each class has ``of``, which counts one item, ``+``, whose sums don't depend on the order, and ratios as properties;
without arguments it is the empty count. The truth is always the first argument, the prediction the second.
"""
