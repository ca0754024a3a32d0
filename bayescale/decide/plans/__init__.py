"""The mathematics of choosing plans, on arrays: the loss in every draw, what is feasible, the search, risks and regrets.

It uses only NumPy and scipy.special, no xarray, pandas, spec or fit: all inputs are numbers and arrays.
"""
