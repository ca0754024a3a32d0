"""Comparisons of several fits: the three approaches to the best size."""
