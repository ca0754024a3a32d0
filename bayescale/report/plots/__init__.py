"""Pictures, one a file: matplotlib, an Axes in (or none), the same Axes out; every axis has a unit, every line a band.

If no Axes is given, a new figure is made, which `ax.figure` shows in a notebook; letters, legend and caption fit a slide. `new_figure`
makes one for a telephone. Your own figure needs `layout="constrained"`, or legend and caption, which stand below the axes, are cut off.
"""

from .best_sizes import plot_best_sizes
from .forecast import plot_forecast
from .isoflop import plot_isoflop
from .loss import plot_loss
from .pareto import plot_pareto
from .style import PHONE, SLIDE, new_figure
from .svg import to_svg

__all__ = [
    "PHONE",
    "SLIDE",
    "new_figure",
    "plot_best_sizes",
    "plot_forecast",
    "plot_isoflop",
    "plot_loss",
    "plot_pareto",
    "to_svg",
]
