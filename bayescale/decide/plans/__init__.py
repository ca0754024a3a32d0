"""The mathematics of choosing plans, on arrays: the loss in every draw, what is feasible, the search, risks and regrets.

NumPy and scipy.special alone: no xarray, no pandas, no spec and no fit; everything enters as numbers and arrays.
"""
