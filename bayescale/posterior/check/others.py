"""Other laws that an advice may name: only those that a table can support, and that are freer than the one that was fitted."""

from ...laws import LAWS
from ...spec.spec import ModelSpec

RUNS_PER_PARAMETER = 2.0
_NOISE = 2  # sigma and nu
BREAKS = "bnsl"
_ONE, _BOTH = (BREAKS,), ("skaling", "farseer")  # laws of one input, and of params and tokens; simplest first


def supports(law: str, runs: int) -> bool:
    """Whether a table of so many runs passes `runs_per_parameter` with a law."""
    return runs >= RUNS_PER_PARAMETER * (len(LAWS[law].sampled) + _NOISE)


def freer_laws(spec: ModelSpec, runs: int) -> tuple[list[str], bool]:
    """Return the laws that may follow what the fitted one cannot, and whether there are some for which the runs are too few.

    Parameters
    ----------
    spec : ModelSpec
        The fitted model.
    runs : int
        Number of its runs.

    Returns
    -------
    list of str
        Models to compare with, simplest first.
    bool
        Whether the runs are too few for others.
    """
    law = spec.get_law()
    known: tuple[str, ...] = ()
    if law.gives_loss:
        known = _ONE if len(law.inputs) == 1 else _BOTH if set(law.inputs) == {"params", "tokens"} else ()
    freer = [name for name in known if len(LAWS[name].sampled) > len(law.sampled)]
    found = [name for name in freer if supports(name, runs)]
    return found, len(found) < len(freer)


def instead(spec: ModelSpec, runs: int) -> str:
    """Return a sentence on what to compare a fit with that leaves a pattern; "" if no freer law is known."""
    found, too_few = freer_laws(spec, runs)
    if not found:
        return f" {runs} runs are too few for a law with more parameters: add runs." if too_few else ""
    options = ", ".join(f"--model {name}" for name in found)
    if len(spec.inputs) == 1:
        return f" Compare with '{found[0]}' ({options}), which may bend and turn."
    return f" Compare with {'laws that couple' if len(found) > 1 else 'a law that couples'} both inputs ({options})."
