"""EAST: finds the words of a page (Zhou et al. 2017)."""
