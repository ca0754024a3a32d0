"""The spec of a model: law, inputs, priors, noise and drift, read from TOML and checked."""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from ..errors import InputError, given, named, suggest
from ..laws import LAWS, Law
from .covariates import check_covariates
from .learnt import Learnt, check_learnt, learnt_part
from .own import check_law, completed, law_of
from .parts import Drift, Groups, Noise, Table
from .prior import Prior, read_prior

PRIORS = ("learnt", "vague")
_VAGUE_SIGMA = {"dist": "HalfNormal", "sigma": 0.02}
_BLOCKS = re.compile(r"exact_match_(\d+)")


def _read_priors(entries: Any) -> dict[str, Prior]:
    if not isinstance(entries, Mapping):
        raise InputError("`priors` must be a table with one entry per sampled parameter.")
    return {name: read_prior(name, entry) for name, entry in entries.items()}


class ModelSpec(Table):
    """A model as data, as in `models/*.toml`.

    Attributes
    ----------
    title, reference : str
        For display only.
    law : str
        Name in `bayescale.laws.LAWS`, or a formula such as ``E + A * tokens**-alpha``.
    response : str
        Column that the law explains, modelled on the scale of `noise.link`.
    inputs : dict of str to str
        Law argument -> column.
    priors : dict of str to Prior
        One for each parameter that the law samples.
    noise : Noise
        Scatter of runs around the law.
    learnt : str
        Priors learnt from public suites that count jointly with `priors` and that of sigma, such as ``suites-2/chinchilla``
        (`published.priors`); a prior that is changed replaces both. Empty: none.
    drift : Drift
        Error of the law beyond the runs.
    options : dict
        Options of the law, such as the number of breaks.
    groups : Groups, optional
        Column of groups and the parameters that differ between them.
    covariates : dict of str to tuple of str
        Constant -> columns that move its log by a slope per sd of the column; the slope's prior is Normal(0, 1). In a law of sweeps T,
        the level, is that of the loss of a run.
    text : str
        The file, verbatim; `changes` is the overlay of later changes.
    """

    title: str
    law: str
    reference: str
    response: str = "loss"
    inputs: dict[str, str]
    priors: Annotated[dict[str, Prior], BeforeValidator(_read_priors)]
    noise: Noise
    learnt: str = ""
    drift: Drift = Drift()
    options: dict[str, Any] = Field(default_factory=dict)
    groups: Groups | None = None
    covariates: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    text: str = Field(default="", repr=False)
    changes: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_its_law(self) -> "ModelSpec":
        check_law(self.law)
        self._check_options()
        law = self.get_law()
        for what, held, wanted in (("inputs", self.inputs, law.inputs), ("priors", self.priors, law.sampled)):
            for name in held:
                if name not in wanted:
                    raise InputError(
                        f"`{what}.{name}`: law '{self.law}' has no such name; it has {', '.join(wanted)}.{suggest(name, wanted)}"
                    )
            missing = [name for name in wanted if name not in held]
            if missing:
                raise InputError(f"`{what}` lacks {', '.join(missing)}, which law '{self.law}' needs.")
        for name in self.groups.partial if self.groups else ():
            if name not in law.sampled:
                raise InputError(f"`groups.partial`: law '{self.law}' samples {', '.join(law.sampled)}. Got {name!r}.")
            if name in law.loss_constants:
                raise InputError(
                    f"`groups.partial`: {name} is sampled as it is, and a group would leave its range; pool log_{name}."
                )
            if self.priors[name].dist not in ("Normal", "StudentT", "LogNormal"):
                raise InputError(
                    f"`groups.partial`: {name} has a {self.priors[name].dist} prior, and a group would leave its range; pool parameters "
                    "with Normal, StudentT or LogNormal priors."
                )
        refused = ["`groups`"] * bool(self.groups) + ["`covariates`"] * bool(self.covariates and law.profile)
        if refused and not law.gives_loss:
            raise InputError(
                f"Law '{self.law}' takes no {' or '.join(refused)}: fit each group separately, with {named('where')}."
            )
        check_covariates(law, self.covariates, self.inputs)
        if self.learnt:
            if law.moves or not law.gives_loss:
                raise InputError(f"`learnt` is for laws of a loss without breaks. Got it with law '{self.law}'.")
            check_learnt(self.learnt, self.law, law.sampled, self.changes.get("priors", {}))
        if self.noise.misfit and not law.surface:
            raise InputError(
                f"`noise.misfit` is only for laws that have cells. Got {self.noise.misfit} with '{self.law}'."
            )
        if self.drift.spread < 1 and (self.groups or self.covariates or law.moves or not law.gives_loss):
            raise InputError(
                "`drift.spread` below 1 is for laws of a loss without breaks, groups and covariates. "
                f"Got {self.drift.spread:g} with law '{self.law}'."
            )
        level = law.level
        if level and self.priors[level].dist != "LogNormal":
            raise InputError(
                f"Prior `{level}`, the level of the loss, must be LogNormal. Got {self.priors[level].dist}."
            )
        return self

    @property
    def sampled(self) -> tuple[str, ...]:
        """Names of all sampled parameters: those of the law and of the noise."""
        grouped = [
            f"{kind}_{name}" for name in (self.groups.partial if self.groups else ()) for kind in ("spread", "z")
        ]
        slopes = [f"{name}_{column}" for name, columns in self.covariates.items() for column in columns]
        return (*self.priors, *grouped, *slopes, "sigma", *(("nu",) if self.noise.dist == "StudentT" else ()))

    @property
    def covariate_columns(self) -> list[str]:
        """Columns of all covariates, each once."""
        return list(dict.fromkeys(column for columns in self.covariates.values() for column in columns))

    @property
    def local_columns(self) -> list[str]:
        """Columns that a plan needs in addition to the law's inputs."""
        return [*([self.groups.by] if self.groups else []), *self.covariate_columns]

    def get_law(self) -> Law:
        """Return the law itself."""
        return law_of(self.law, self.inputs, self.priors, self.options)

    def for_runs(self, n: int) -> "ModelSpec":
        """Return this spec with the fade that it has at this number of runs; a fade that was changed stays as it is.

        The noise of many small runs averages out, while the error of a law does not, so what stands for that error must grow with the runs.
        """
        noise = self.noise
        if not noise.fade_runs or "fade" in (self.changes.get("noise") or {}):
            return self
        fade = float(f"{noise.fade * min(1.0, n / noise.fade_runs):.3g}")
        return self.changed({"noise": {"fade": fade, "fade_runs": None}})

    def get_learnt(self) -> Learnt | None:
        """Return the learnt part of the priors, without the parameters whose prior was changed; None if nothing is left, or with groups."""
        if self.groups or not self.learnt:  # what was learnt is about one suite, not about the middle of several
            return None
        changed = {*self.changes.get("priors", {}), *(self.changes.get("noise") or {})}
        return learnt_part(self.learnt, {**self.priors, "sigma": self.noise.sigma}, changed, self.get_law())

    def with_priors(self, kind: str) -> "ModelSpec":
        """Return this spec with the priors that its file says, or without what was learnt from other suites.

        Parameters
        ----------
        kind : str
            "learnt", or "vague": the model's own wide priors alone, and a HalfNormal(0.02) prior of sigma unless it was changed. A model
            that learnt nothing stays as it is.

        Returns
        -------
        ModelSpec

        Examples
        --------
        >>> load_spec("chinchilla").with_priors("vague").get_learnt() is None  # doctest: +SKIP
        True
        """
        if kind not in PRIORS:
            raise InputError(f"{named('priors')} must be {' or '.join(PRIORS)}. Got {kind!r}.")
        if kind == "learnt" or not self.learnt:
            return self
        given_sigma = "sigma" in (self.changes.get("noise") or {})
        return self.changed({"learnt": None, "noise": {} if given_sigma else {"sigma": _VAGUE_SIGMA}})

    def _check_options(self) -> None:
        known = LAWS[self.law].options if self.law in LAWS else {}
        for name in self.options:
            if name not in known:
                takes = f"takes {', '.join(known)}" if known else "takes none"
                raise InputError(f"`options.{name}`: law '{self.law}' {takes}.{suggest(name, known)}")
        # Names of columns such as exact_match_10 give the length of their blocks.
        tokens, said = {**known, **self.options}.get("tokens"), _BLOCKS.fullmatch(self.response)
        if isinstance(tokens, int) and said and int(said[1]) != tokens:
            raise InputError(
                f"`options.tokens` is {tokens}, but the response '{self.response}' is for blocks of {said[1]}: give "
                f"`options.tokens = {said[1]}` (--option tokens={said[1]}), or {given(response=f'exact_match_{tokens}')}."
            )

    def changed(self, overlay: Mapping[str, Any]) -> "ModelSpec":
        """Return this spec with some values of the model's table changed.

        Parameters
        ----------
        overlay : mapping of str to object
            In the form of a model file: a key of a table such as `noise`, `drift`, `options`, `inputs` or `priors` replaces only that
            key, anything else the whole entry; None removes it.

        Returns
        -------
        ModelSpec
            Its `changes` hold this overlay on top of earlier changes.

        Raises
        ------
        ValueError
            As for a model file.

        Examples
        --------
        >>> load_spec("chinchilla").changed({"noise": {"fade": 0}, "drift": {"per_decade": 0.03}})  # doctest: +SKIP
        """
        return parse_spec(self.text, changes=_laid_over(self.changes, overlay))


def _laid_over(table: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Merge an overlay into a table: tables key by key, other entries as a whole; an empty table changes nothing."""
    found = dict(table)
    for key, value in deepcopy(dict(overlay)).items():
        if value == {}:
            continue
        known = found.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        found[key] = {**known, **value} if both else value  # type: ignore[dict-item]
    return found


def _check_taken_out(name: str, table: Mapping[str, Any], overlay: Mapping[str, Any]) -> None:
    """Raise InputError if an overlay removes a key that neither the table nor any model has: a misspelt key would do nothing."""
    for key, value in overlay.items():
        known = [*table, *ModelSpec.model_fields]
        if value is None and key not in known:
            raise InputError(f"{name}: unknown key `{key}`.{suggest(key, known)}")
        if not isinstance(value, Mapping):
            continue
        fields = _TABLES[key].model_fields if key in _TABLES else {}
        there = table.get(key, {})
        known = [*fields, *(there if isinstance(there, Mapping) else ())]
        for inner, what in value.items():
            if what is None and inner not in known:
                raise InputError(f"{name}: unknown key `{key}.{inner}`.{suggest(inner, known)}")


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table without the entries that an overlay removed."""
    kept = {key: value for key, value in table.items() if value is not None}
    return {
        key: {name: one for name, one in value.items() if one is not None} if isinstance(value, Mapping) else value
        for key, value in kept.items()
    }


def parse_spec(text: str, *, changes: Mapping[str, Any] | None = None, name: str = "model file") -> ModelSpec:
    """Read a spec from TOML text.

    Parameters
    ----------
    text : str
        The file's text.
    changes : mapping, optional
        An overlay, as in `ModelSpec.changed`.
    name : str
        Name of the file in errors.

    Returns
    -------
    ModelSpec

    Raises
    ------
    ValueError
        With one line per problem.

    Examples
    --------
    >>> load_spec("power").changed({"inputs": {"x": "params"}}).inputs  # doctest: +SKIP
    {'x': 'params'}
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not TOML: {error}.") from None
    changes = dict(changes or {})
    _check_taken_out(name, table, changes)
    table = _without_none(_laid_over(table, changes))
    if {"text", "changes"} & set(table):
        raise InputError(f"{name}: `text` and `changes` are not keys of a model file.")
    table["priors"] = _each_numbered(table)
    try:
        table = completed(table, changes.get("priors") or ())
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    try:
        return ModelSpec.model_validate({**table, "text": text, "changes": changes})
    except ValidationError as error:
        raise InputError("\n".join(_problem(name, item) for item in error.errors())) from None


def _each_numbered(table: Mapping[str, Any]) -> Any:
    """Return the priors that the law has with its options: without those that the options take out, and `c` as `c_1`, `c_2`, ..."""
    priors, law = table.get("priors"), LAWS.get(str(table.get("law")))
    if not isinstance(priors, Mapping) or law is None or law.configured is None:
        return priors
    given = table.get("options", {})
    if not isinstance(given, Mapping):
        return priors
    options = {name: value for name, value in given.items() if name in law.options}
    sampled = law.with_options(options).sampled
    numbered = {name: name.rpartition("_")[0] for name in sampled if name.rpartition("_")[2].isdigit()}
    usual = law.with_options({}).sampled
    templates = {*numbered.values(), *(name.rpartition("_")[0] for name in usual)}
    templates |= {name for name in usual if not name.rpartition("_")[2].isdigit()}  # that these options take out
    written = {name: priors[base] for name, base in numbered.items() if base in priors and name not in priors}
    return {**{name: entry for name, entry in priors.items() if name in sampled or name not in templates}, **written}


_TABLES: dict[str, type[BaseModel]] = {"noise": Noise, "drift": Drift, "groups": Groups}


def _problem(name: str, item: Any) -> str:
    """Return one of pydantic's errors in our form."""
    where = ".".join(str(part) for part in item["loc"] if part != "function-before")
    if item["type"] == "extra_forbidden":
        known = _TABLES.get(where.split(".")[0], ModelSpec).model_fields
        keys = [key for key in known if key not in ("text", "changes")]
        return f"{name}: unknown key `{where}`; known keys are {', '.join(keys)}.{suggest(where.split('.')[-1], keys)}"
    message = item["msg"].removeprefix("Value error, ")
    got = "" if item["type"] in ("value_error", "missing") else f" Got {item['input']!r}."
    head = "" if not where or message.startswith(("`", "Prior")) else f"`{where}`: "
    return f"{name}: {head}{message}{'' if message.endswith('.') else '.'}{got}"
