"""Picture of a simulation-based calibration: how far the ranks of each quantity are from uniform ones."""

from typing import Any

import xarray as xr

_COLUMNS = 4


def plot_sbc(found: xr.DataTree) -> Any:
    """Draw the distribution of ranks of each quantity minus the uniform one, and mark where it departs from it.

    Parameters
    ----------
    found : xarray.DataTree
        From `bayescale.sbc`.

    Returns
    -------
    matplotlib.figure.Figure
        An Axes per quantity, by `plot_ecdf_pit` of ArviZ: a curve above zero on the left says that the posterior lies too high, a
        hump that it is too narrow to one side; points are marked if the whole departs with a probability below 0.01.
    """
    import arviz_plots as azp
    from matplotlib import pyplot

    n = len(found["prior_sbc"].data_vars)
    size = 3.0 * min(n, _COLUMNS), 2.3 * -(-n // _COLUMNS) + 0.6
    drawn = azp.plot_ecdf_pit(
        found,
        sample_dims=["replication"],
        backend="matplotlib",
        envelope_prob=0.99,
        col_wrap=_COLUMNS,
        visuals={"xlabel": False},
        figure_kwargs={"figsize": size, "layout": "constrained"},
    )
    figure = drawn.viz["figure"].item()
    figure.supxlabel("share of the posterior below the true value")
    figure.supylabel("share of tables below that, minus the expected one")
    pyplot.close(figure)  # ArviZ draws with pyplot, which would keep it
    return figure
