"""The closed set of laws that a model file may name."""

from ..errors import InputError
from . import batch, chinchilla, power, repeated, rising
from .approaches import APPROACHES
from .broken import BROKEN
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
    "repeated": Law(
        name="repeated",
        inputs=("params", "tokens", "unique_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_R_D", "log_R_N"),
        loss=repeated.loss,
        anchors=repeated.anchors,
        constants=repeated.constants,
        reach=repeated.reach,
        optimum=repeated.optimum,
        compute_saved=repeated.compute_saved,
        repeats=True,
    ),
    "repeated-rising": Law(
        name="repeated-rising",
        inputs=("params", "tokens", "unique_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_share", "log_bend", "log_kappa", "log_R_D"),
        loss=rising.loss,
        anchors=rising.anchors,
        constants=rising.constants,
        reach=repeated.reach,
        optimum=rising.optimum,
        most_tokens=rising.most_tokens,
        repeats=True,
    ),
    "batch": Law(
        name="batch",
        inputs=("params", "tokens", "batch_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_critical"),
        loss=batch.loss,
        anchors=batch.anchors,
        constants=batch.constants,
        reach=batch.reach,
        optimum=batch.optimum,
        compute_saved=chinchilla.compute_saved,
    ),
    "batch-growing": Law(
        name="batch-growing",
        inputs=("params", "tokens", "batch_tokens"),
        sampled=("T", "u1", "u2", "log_alpha", "log_beta", "log_critical", "growth"),
        loss=batch.growing_loss,
        anchors=batch.anchors,
        constants=batch.growing_constants,
        reach=batch.reach,
        optimum=batch.growing_optimum,
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
    **BROKEN,
}


def get_law(name: str) -> Law:
    """Return the law of that name, or raise ValueError with the names that exist."""
    if name not in LAWS:
        raise InputError(f"`law` must be one of {', '.join(sorted(LAWS))}. Got {name!r} instead.")
    return LAWS[name]
