"""Pictures, one a file: matplotlib, an Axes in (or none), the same Axes out; every axis has a unit, every line a band.

If no Axes is given, a new figure is made, which `ax.figure` shows in a notebook; letters, legend and caption fit a slide. `new_figure`
makes one for a telephone. Your own figure needs `layout="constrained"`, or legend and caption, which stand below the axes, are cut off.
"""

from .best_sizes import plot_best_sizes
from .calibration import plot_calibration
from .curve import plot_curve
from .forecast import plot_forecast
from .isoflop import plot_isoflop
from .known import PICTURES, Drawing, draw, pictures_for
from .laws import plot_laws
from .loss import plot_loss
from .overhead import plot_overhead
from .pareto import plot_pareto
from .parts import plot_band_parts
from .prior import plot_prior
from .style import PHONE, SLIDE, new_figure
from .surface import plot_surface
from .svg import to_svg

__all__ = [
    "PHONE",
    "PICTURES",
    "SLIDE",
    "Drawing",
    "draw",
    "new_figure",
    "pictures_for",
    "plot_band_parts",
    "plot_best_sizes",
    "plot_calibration",
    "plot_curve",
    "plot_forecast",
    "plot_isoflop",
    "plot_laws",
    "plot_loss",
    "plot_overhead",
    "plot_pareto",
    "plot_prior",
    "plot_surface",
    "to_svg",
]
