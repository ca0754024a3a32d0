"""How all pictures look: the colours of Okabe and Ito, each with a line style and a marker, the region beyond the runs, legend and caption.

Nothing global is changed. Legend and caption stand below the axes, so that they hide no run; a figure needs a layout that makes room for
them, `layout="constrained"`, which `new_axes` gives.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

BLACK, BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#000000",
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
GREY, PALE = "#595959", "#ECECEC"
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
SLIDE, PHONE = 1280, 390  # pixels
_BEYOND = "beyond the fitted runs"
_GROWS = "grows"  # label of a figure of ours
_LINE, _SMALL_LINE = 0.2, 0.135  # inches, of a legend and of a caption
_UNDER = 0.55  # inches below the axes: ticks and the label of the axis
_MANY = 1000  # points: more are drawn as one image in a vector file, smaller and paler


def new_figure(width: int = SLIDE) -> Any:
    """Return an empty figure that is saved at a width in pixels: letters keep their size, so a narrow one has less room, not smaller text.

    A figure with one picture grows by the height of its legend and caption, so that these take nothing from the axes.

    Parameters
    ----------
    width : int
        Pixels; from 1,000 on as for a slide, where letters are half as large again.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure  # no pyplot: nothing global, no display needed

    dpi = 150 if width >= 1000 else 100
    inches = width / dpi
    height = inches * (0.52 if inches > 6 else 0.8)
    return Figure(figsize=(inches, height), dpi=dpi, layout="constrained", label=_GROWS)


def axes(ax: Any = None) -> Any:
    """Return the axes to draw on: those given, or those of a new figure."""
    return new_figure().subplots() if ax is None else ax


def width_of(ax: Any) -> float:
    """Return the width of axes, inches, before labels take their room."""
    return float(ax.get_position(original=True).width * ax.figure.get_figwidth())


def scatter_runs(
    ax: Any, x: Any, y: Any, *, label: str, marker: str = "o", colour: str = BLACK, zorder: float = 3
) -> Any:
    """Draw runs: large points if they are few; small, pale ones in one image if they are thousands."""
    n = len(x)
    size = 26.0 if n <= 100 else 12.0 if n <= _MANY else 5.0
    return ax.scatter(
        x, y, s=size, marker=marker, facecolors="none" if n <= 100 else colour, edgecolors=colour, linewidths=1.0 if n <= 100 else 0,
        alpha=1.0 if n <= 100 else 0.6 if n <= _MANY else 0.35, rasterized=n > _MANY, label=label, zorder=zorder,
    )  # fmt: skip


def band(ax: Any, x: Any, lower: Any, upper: Any, *, colour: str = BLUE, label: str = "", zorder: float = 1.5) -> Any:
    """Fill the band between two curves; its thin edges remain where a printer or a copier loses the fill."""
    return ax.fill_between(
        x, lower, upper, facecolor=colour, alpha=0.22, edgecolor=colour, lw=0.6, label=label or None, zorder=zorder
    )


def shade_beyond(ax: Any, edge: float, *, named: bool = True) -> None:
    """Shade the part of the horizontal axis beyond the largest fitted run. Call it when the limits are set."""
    low, high = ax.get_xlim()
    if edge < high:
        ax.axvspan(max(edge, low), high, facecolor=PALE, edgecolor="none", zorder=0, label=_BEYOND if named else None)
        ax.axvline(max(edge, low), color="0.6", lw=0.8, zorder=0.5)
    ax.set_xlim(low, high)


def finish(ax: Any, caption: str = "", *, title: str = "", lowest: Any = None, columns: int | None = None) -> Any:
    """Set the title, the legend below the axes, and the caption below the legend; return the axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With labelled artists.
    caption : str
        Law, data and probability.
    title : str
        Title of the axes; none by default.
    lowest : matplotlib.axes.Axes, optional
        Axes of the same picture below these, which then carry legend and caption.
    columns : int, optional
        Of the legend; by default as many as fit.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.transforms import ScaledTranslation

    width, under, figure = width_of(ax), lowest or ax, ax.figure
    if title:
        ax.set_title(textwrap.fill(title, max(int(width * 10.5), 20)), loc="left", fontsize="large", parse_math=False)
    below = under.transAxes + ScaledTranslation(-0.35, -_UNDER, figure.dpi_scale_trans)
    anchor, rows = _legend(under, ax.get_legend_handles_labels(), below, width, columns)
    text = textwrap.fill(caption, max(int((width + 0.35) * 18.5), 24))
    if caption:
        # A legend has no place of its own until it is drawn, so the caption hangs on it, and not on a number.
        under.annotate(
            text, xy=(0, 0), xycoords=anchor or below, xytext=(0, -5), textcoords="offset points", ha="left", va="top", fontsize="x-small",
            color=GREY, annotation_clip=False, parse_math=False, gid="caption",
        )  # fmt: skip
    if figure.get_label() == _GROWS:
        figure.set_figheight(figure.get_figheight() + rows * _LINE + len(text.splitlines()) * _SMALL_LINE)
        figure.set_label("")
    return ax


def _legend(ax: Any, named: tuple[Any, Any], below: Any, width: float, columns: int | None) -> tuple[Any, int]:
    """Draw the legend, if anything is labelled, in as many columns as fit; return it and its number of lines."""
    handles, labels = named
    if not handles:
        return None, 0
    labels = [textwrap.fill(label, max(int((width - 0.2) * 12.5), 20)) for label in labels]
    longest = max(len(line) for label in labels for line in label.splitlines())
    fitting = max(int((width + 0.45) / (0.55 + 0.077 * longest)), 1)
    columns = min(columns or fitting, fitting, len(labels))
    legend = ax.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, borderaxespad=0, borderpad=0, ncols=columns,
        fontsize="small", frameon=False, handlelength=2.2, columnspacing=1.4,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    lines = sum(label.count("\n") + 1 for label in labels)
    return legend, -(-lines // columns)


def caption_of(ax: Any) -> str:
    """Return the caption of axes in one line; empty if there is none."""
    return next((" ".join(text.get_text().split()) for text in ax.texts if text.get_gid() == "caption"), "")


def look(index: int) -> dict[str, Any]:
    """Return colour and line style of the n-th of several lines."""
    return {"color": COLOURS[index % len(COLOURS)], "ls": LINES[index % len(LINES)]}


def listed(names: Sequence[str]) -> str:
    """Write names as a list: a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
