"""The closed set of laws that a model file may name."""

from . import chinchilla, power
from .approaches import APPROACHES
from .law import Law, compute
from .rate_surface import SURFACES
from .sizes import SIZES
from .tasks import TASKS

LAWS: dict[str, Law] = {
    "chinchilla": Law(
        name="chinchilla",
        inputs=("params", "tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta"),
        loss=chinchilla.loss,
        anchors=chinchilla.anchors,
        constants=chinchilla.constants,
        reach=compute,
        optimum=chinchilla.optimum,
        compute_saved=chinchilla.compute_saved,
    ),
    "power": Law(
        name="power",
        inputs=("x",),
        sampled=("T", "u1", "log_alpha"),
        loss=power.loss,
        anchors=power.anchors,
        constants=power.constants,
        reach=power.reach,
    ),
    **SIZES,
    **APPROACHES,
    **SURFACES,
    **TASKS,
}


def get_law(name: str) -> Law:
    """Return the law of that name, or raise ValueError with the names that exist."""
    if name not in LAWS:
        raise ValueError(f"`law` must be one of {', '.join(sorted(LAWS))}. Got {name!r} instead.")
    return LAWS[name]
