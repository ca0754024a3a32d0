"""Loading a fit that is to decide or forecast: a failed check refuses, another kind of params refuses."""

from typing import Any

from ..errors import InputError


class CheckFailed(Exception):
    """A fit whose sampling failed was to decide something: exit 1."""


def load_passed(path: str, *, force: bool, params_kind: str = "unknown", everything: bool = False) -> Any:
    """Return the fit at `path`, or say why it may not be used."""
    from ..posterior import failed_checks, load_fit
    from ..posterior.store import DECIDING
    from ..runs.columns import PARAMS_KINDS

    if params_kind not in PARAMS_KINDS:
        raise InputError(f"--params-kind must be one of {', '.join(PARAMS_KINDS)}. Got '{params_kind}'.")
    idata = load_fit(path, groups=None if everything else DECIDING)
    failed = failed_checks(idata)
    if failed and not force:
        raise CheckFailed(
            f"The check of '{path}' failed ({', '.join(failed)}), so its draws decide nothing.\n"
            f"See `bayescale check {path}`; fit again with more draws, or insist with --force."
        )
    kind = idata.attrs["params_kind"]
    if "unknown" not in (kind, params_kind) and kind != params_kind:
        raise InputError(
            f"Plans count {params_kind} params, the runs of '{path}' count {kind} ones: the count is part of the law. Give plans in {kind} "
            "params, or fit again with the other count."
        )
    return idata


def grouped_by(idata: Any) -> str | None:
    """Column of the groups of a fit, or of the fits of an average; None for one without."""
    from ..posterior import fits_of

    groups = [fit.spec.groups for fit in fits_of(idata)]
    return next((group.by for group in groups if group), None)
