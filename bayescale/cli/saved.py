"""Load a fit for a decision or a forecast; refuse one with a failed check or a different kind of params."""

from typing import Any

from ..errors import InputError
from .output import print_notes


class CheckFailed(Exception):
    """The sampling of the fit failed, so it cannot be used: exit 1."""


def check_fit_targets(out: str) -> None:
    """Raise ValueError, before any sampling, if a fit could be kept neither at `out` nor, with a failed check, beside it."""
    from ..posterior.store import check_replaceable, failed_path

    check_replaceable(out)
    check_replaceable(failed_path(out))


def keep_fit(idata: Any, out: str) -> tuple[str, bool]:
    """Save a fit at `out`, or beside it if its check failed; return its path and whether it passed. A fit that it replaces is noted."""
    from pathlib import Path

    from ..posterior import failed_checks, save_fit
    from ..posterior.store import failed_path

    passed = not failed_checks(idata)
    path = out if passed else str(failed_path(out))
    replaced = Path(path).exists()
    save_fit(idata, path)
    if replaced:
        print_notes([f"The earlier fit in {path} was replaced; --out keeps both."])
    return path, passed


def say_kept(path: str, out: str, text: str) -> str:
    """Return the sentence about where a fit was saved; `text` says the rest."""
    beside = "" if path == out else f" (not to {out}, because its check failed)"
    return f"Saved to {path}{beside} {text}"


def load_passed(path: str, *, force: bool, params_kind: str = "unknown", everything: bool = False) -> Any:
    """Return the fit at `path`, or raise an error that says why it cannot be used."""
    from ..posterior import failure, load_fit
    from ..posterior.store import DECIDING
    from ..runs.columns import PARAMS_KINDS

    if params_kind not in PARAMS_KINDS:
        raise InputError(f"--params-kind must be one of {', '.join(PARAMS_KINDS)}. Got '{params_kind}'.")
    idata = load_fit(path, groups=None if everything else DECIDING)
    if not force and (why := failure(idata, f"'{path}'")):
        raise CheckFailed(f"{why}\n`bayescale check {path}` shows all checks; --force uses the fit nevertheless.")
    kind = idata.attrs["params_kind"]
    if "unknown" not in (kind, params_kind) and kind != params_kind:
        raise InputError(
            f"Plans count {params_kind} params, but the runs of '{path}' count {kind} ones, and the law holds only for its own count. "
            f"Give plans in {kind} params, or fit again with the other count."
        )
    return idata


def grouped_by(idata: Any) -> str | None:
    """Return the column of the groups of a fit or of the fits of an average, or None."""
    from ..posterior import fits_of

    groups = [fit.spec.groups for fit in fits_of(idata)]
    return next((group.by for group in groups if group), None)
