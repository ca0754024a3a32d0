"""A law of one's own, written as a formula, and priors of one's own: what the rest of a model follows from.

A model file with a formula needs no more than its `law`: inputs are the known columns that it names, and priors follow from the role of
each parameter (`laws.formula.roles`). They are the own wide priors of the built-in laws of the same shape: nothing is learnt from other
suites, and noise and drift are those that held for a law of any form, a HalfNormal scale, 6% of fade at every number of runs, and drift of
2% per decade in the loss and 15% in the best size. So a fit of ``E + A / params**alpha + B / tokens**beta`` has the posterior of
`chinchilla` with vague priors and these.
No prior looks at the response.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError, suggest
from ..laws import LAWS, Law
from ..laws.formula.law import formula_law, formula_names, formula_roles, is_formula
from ..laws.formula.roles import AMPLITUDE, EXPONENT, LEVEL, MIDDLE, OTHER, POWER, ROLES
from ..runs.columns import NUMERIC
from .prior import POSITIVE, Prior, read_prior

_SIZES = ("params", "tokens")
_NOISE = ("sigma", "nu")


def law_of(name: str, inputs: Iterable[str], priors: Mapping[str, Prior], options: Mapping[str, Any]) -> Law:
    """Return the law of a spec: a built-in one, or that of a formula, with the parameters that have priors of their own."""
    if name in LAWS:
        return _with_own_priors(LAWS[name].with_options(options), priors)
    inputs = tuple(inputs)
    own = frozenset({*formula_names(name, inputs)} & {*priors} - {*inputs})
    return formula_law(name, inputs, own, frozenset(one for one in own if not priors[one].is_positive))


def check_law(name: Any) -> None:
    """Raise InputError if `law` is neither the name of a law nor a formula."""
    if not isinstance(name, str) or (name not in LAWS and not is_formula(name)):
        raise InputError(
            f"`law` must be one of {', '.join(sorted(LAWS))}, or a formula such as 'E + A * tokens**-alpha'. Got {name!r}."
            f"{suggest(name, LAWS)}"
        )


def _with_own_priors(law: Law, priors: Mapping[str, Prior]) -> Law:
    """Return a law that samples alpha instead of log_alpha, if the priors name alpha."""
    own = [name[4:] for name in law.sampled if name.startswith("log_") and name[4:] in priors and name not in priors]
    if not own or law.moves or law.surface or law.profile:
        return law
    for name in own:
        if not priors[name].is_positive:
            raise InputError(
                f"Prior `{name}`: it must be positive, so take {', '.join(POSITIVE)} or Uniform with lower >= 0, or give the prior of "
                f"log_{name}. Got {priors[name]}."
            )

    def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
        return law.constants({**sampled, **{f"log_{name}": np.log(sampled[name]) for name in own}}, anchors)

    sampled = tuple(name[4:] if name.startswith("log_") and name[4:] in own else name for name in law.sampled)
    return replace(law, sampled=sampled, constants=constants)


def completed(table: dict[str, Any], changed: Iterable[str]) -> dict[str, Any]:
    """Return the table of a model with what its own priors replace left out and, for a formula, what it does not say filled in.

    Parameters
    ----------
    table : dict
        The table of a model file, with its changes.
    changed : iterable of str
        Priors that the changes name: they replace those of the file that mean the same.

    Returns
    -------
    dict
    """
    law, priors = table.get("law"), table.get("priors") or {}
    if not isinstance(law, str) or not isinstance(priors, Mapping):
        return table
    check_law(law)
    changed = set(changed)
    if law in LAWS:
        return (
            table
            if not changed
            else {**table, "priors": {k: v for k, v in priors.items() if k[:4] != "log_" or k[4:] not in changed}}
        )
    response, inputs = str(table.get("response", "loss")), table.get("inputs")
    if inputs is None:
        inputs = formula_inputs(law, response)
    if not isinstance(inputs, Mapping):
        return table
    filled = {**_defaults(law, tuple(inputs), response), **table, "inputs": dict(inputs)}
    return {**filled, "priors": _all_priors(law, tuple(inputs), response, priors, changed)}


def formula_inputs(
    law: str, response: str = "loss", columns: Iterable[str] = (), given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the inputs of a formula, name -> column: names that are given, columns of the table, or columns that bayescale knows."""
    given = dict(given or {})
    known = {*NUMERIC, *map(str, columns)} - {response}
    names = formula_names(law, tuple(given))
    for name in given:
        if name not in names:
            raise InputError(f"The law '{law}' has no input {name!r}; it has {', '.join(names)}.{suggest(name, names)}")
    if response in names and response not in given:
        raise InputError(
            f"The law '{law}' names its own response, '{response}': rename the parameter, or give another response."
        )
    return {name: given.get(name, name) for name in names if name in given or name in known}


def check_prior_names(law: str, inputs: tuple[str, ...], names: Iterable[str]) -> None:
    """Raise InputError if a prior is neither of a parameter of a formula, in any of its forms, nor of a role."""
    own = [name for name in formula_names(law, inputs) if name not in inputs]
    known = [*own, MIDDLE, *ROLES]
    for name in names:
        if name not in known and name.removeprefix("log_") not in own and name.removeprefix("ratio_") not in own:
            raise InputError(
                f"--prior {name}: the law '{law}' has no such parameter; it has {', '.join(known)}.{suggest(name, known)}"
            )


def _defaults(law: str, inputs: tuple[str, ...], response: str) -> dict[str, Any]:
    sizes = set(_SIZES) <= set(inputs)
    sigma = {"dist": "HalfNormal", "sigma": 0.02}
    if response != "loss":  # learning rates, sizes or errors scatter more than losses
        sigma = {"dist": "HalfStudentT", "nu": 2, "sigma": 0.02}
    return {
        "title": f"Formula {law}",
        "reference": "a formula of one's own",
        "noise": {
            "dist": "StudentT",
            "sigma": sigma,
            "nu": {"dist": "Gamma", "alpha": 2, "beta": 0.1},
            "fade": 0.06 if sizes else 0.0,
        },
        "drift": {"per_decade": 0.02, "best_size": 0.15 if sizes else 0.0},
    }


def _all_priors(
    law: str, inputs: tuple[str, ...], response: str, priors: Mapping[str, Any], changed: set[str]
) -> dict[str, Any]:
    """Return one prior for each parameter that a formula samples, with those of roles given to each parameter of the role."""
    given = _by_name(law, inputs, priors, changed)
    own = {name for name in formula_names(law, inputs) if name in given and name not in inputs}
    replaced = {stale for name in own & changed for stale in (f"log_{name}", f"ratio_{name}")}
    signed = frozenset(name for name in own if not read_prior(name, given[name]).is_positive)
    made = formula_law(law, inputs, frozenset(own), signed)
    if own & changed and MIDDLE not in made.sampled:
        replaced.add(MIDDLE)
    given = {name: entry for name, entry in given.items() if name not in replaced}
    defaults = {
        name: _default(name, law, inputs, frozenset(own), response) for name in made.sampled if name not in given
    }
    return {**{name: {**defaults, **given}[name] for name in made.sampled}, **given}


def _by_name(law: str, inputs: tuple[str, ...], priors: Mapping[str, Any], changed: set[str]) -> dict[str, Any]:
    """Return the priors by parameter: that of a role belongs to each parameter of the role that has no prior of its own."""
    by_role = {name: entry for name, entry in priors.items() if name in ROLES}
    named = {name: entry for name, entry in priors.items() if name not in ROLES}
    own = frozenset(name for name in formula_names(law, inputs) if name in named and name not in inputs)
    roles = formula_roles(law, inputs, own)
    for role, entry in by_role.items():
        members = {
            LEVEL: [MIDDLE] if roles.has_middle else [],
            AMPLITUDE: [f"ratio_{name}" for name in roles.ratios],
        }.get(role, [name for name, one in roles.of.items() if one == role and name not in own])
        if not members or role == OTHER:
            there = dict.fromkeys(one for one in roles.of.values() if one != OTHER)
            raise InputError(
                f"Prior `{role}`: the law '{law}' has no parameter that takes it by role; its roles are {', '.join(there)}."
            )
        in_logs = role in (EXPONENT, POWER) and not read_prior(role, entry).is_positive
        for name in members:
            full = f"log_{name}" if in_logs else name
            if full not in named or role in changed:
                named[full] = entry
                named.pop(f"log_{full}", None)
    return named


def _default(name: str, law: str, inputs: tuple[str, ...], own: frozenset[str], response: str) -> dict[str, Any]:
    """Return the prior of a sampled parameter from its role; the reasons stand in chinchilla.toml and power.toml."""
    roles = formula_roles(law, inputs, own)
    if name == MIDDLE:
        median, sigma = (2.5, 0.8) if response == "loss" else (1, 15)
        return {"dist": "LogNormal", "median": median, "sigma": sigma}
    if name.startswith("ratio_"):
        if not roles.floor:  # two terms of a like size
            return {"dist": "Normal", "mu": 0, "sigma": 1.25}
        mu, sigma = (-1.0, 1.25) if len(roles.ratios) == 1 else (-1.5, 1.0)
        return {"dist": "Normal", "mu": mu, "sigma": sigma}
    if roles.of[name[4:]] == POWER:
        return {"dist": "Normal", "mu": 0, "sigma": 0.5}
    mu, sigma = (-1.0498, 0.4) if set(inputs) <= set(_SIZES) else (-1.6094, 0.7)
    return {"dist": "Normal", "mu": mu, "sigma": sigma}


def prior_changes(law: Law, entries: Mapping[str, Any], own_law: bool) -> dict[str, Any]:
    """Return an overlay with these priors; `sigma` and `nu` are those of the noise.

    Parameters
    ----------
    law : Law
        The law before the change.
    entries : mapping of str to mapping
        Name -> prior, as in a model file; for a formula a name may be a role.
    own_law : bool
        Whether the law is a formula.

    Returns
    -------
    dict
        For `ModelSpec.changed`.

    Raises
    ------
    ValueError
        If a built-in law has no parameter of a name.
    """
    logs = [name[4:] for name in law.sampled if name.startswith("log_")]
    known = [*law.sampled, *logs, *_NOISE, *(law.loss_constants if own_law else ()), *(ROLES if own_law else ())]
    for name in entries:
        if name not in known:
            raise InputError(
                f"--prior {name}: the model has no such parameter; it has {', '.join(known)}.{suggest(name, known)}"
            )
    noise = {name: entry for name, entry in entries.items() if name in _NOISE}
    return {"priors": {k: v for k, v in entries.items() if k not in noise}, "noise": noise}


def sampled_roles(law: str, inputs: tuple[str, ...], priors: Mapping[str, Prior]) -> list[tuple[str, str, str, str]]:
    """Return name, role, prior and meaning of each sampled parameter of a formula."""
    own = frozenset(name for name in formula_names(law, inputs) if name in priors and name not in inputs)
    roles = formula_roles(law, inputs, own)
    over = "the floor" if roles.floor else "the first term"
    rows = []
    for name, prior in priors.items():
        base = name.partition("_")[2]
        if name == MIDDLE:
            role, means = LEVEL, "the response in the middle of the runs"
        elif name.startswith("ratio_"):
            role, means = AMPLITUDE, f"ln of the term of {base} over {over}, there"
        elif name in own:
            role, means = roles.of[name], "as it stands"
        else:
            role, means = roles.of[base], f"ln {base}"
        rows.append((name, role, str(prior), means))
    return rows
