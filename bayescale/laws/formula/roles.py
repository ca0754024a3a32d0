"""The role of each parameter of a formula, from the place where it stands.

A term such as ``A / params**alpha`` at N = D = 1 lies many decades outside any runs, so its amplitude is not sampled: its size in the
middle of the runs is, relative to the floor (`ratio_A`), and the response there (`middle`). Exponents are sampled in logs. A parameter
with a prior of its own is sampled as it is, and counts as known in what follows.

| role | stands | sampled as |
|---|---|---|
| level | alone in a sum: a floor | `middle`, the response in the middle of the runs |
| amplitude | as a factor of a term | `ratio_NAME`, ln of the term over the floor (or the first term) there |
| exponent | in the exponent of an input, or times the log of one | `log_NAME` |
| power | in the exponent of a sum | `log_NAME` |
| other | elsewhere: added to an input, inside exp | `NAME`; a prior must be given |
"""

from collections import Counter
from dataclasses import dataclass

from ...errors import InputError
from .parse import Call, Name, Node, Number, Power, Product, Sum, children, names_in, written

LEVEL, AMPLITUDE, EXPONENT, POWER, OTHER = "level", "amplitude", "exponent", "power", "other"
ROLES = (LEVEL, AMPLITUDE, EXPONENT, POWER, OTHER)
MIDDLE = "middle"


@dataclass(frozen=True)
class Roles:
    """Roles of the parameters of a formula.

    Attributes
    ----------
    of : dict of str to str
        Parameter -> role, in the order of the formula.
    ratios : tuple of str
        Amplitudes that are sampled as a ratio.
    has_middle : bool
        Whether the response in the middle of the runs is sampled.
    floor : bool
        Whether ratios are relative to a floor, not to another term.
    """

    of: dict[str, str]
    ratios: tuple[str, ...]
    has_middle: bool
    floor: bool


def find_roles(node: Node, inputs: frozenset[str], own: frozenset[str]) -> Roles:
    """Return the roles of a formula's parameters.

    Parameters
    ----------
    node : Node
        The formula.
    inputs : frozenset of str
        Names that are inputs.
    own : frozenset of str
        Parameters with a prior of their own, which are sampled as they are.

    Returns
    -------
    Roles

    Raises
    ------
    ValueError
        If a parameter stands where the runs cannot determine it, or has two roles.
    """
    used = names_in(node)
    if not inputs & set(used):
        raise InputError(
            f"The law '{written(node)}' has no input: none of {', '.join(dict.fromkeys(used)) or 'its numbers'} is a column of the table. "
            "Name the column (--input NAME=COLUMN)."
        )
    finder = _Finder(inputs, own, Counter(used))
    finder.walk(node, "")
    free = finder.is_free(node)
    of = {name: finder.of.get(name, OTHER) for name in dict.fromkeys(used) if name not in inputs}
    return Roles(of, tuple(finder.ratios), free, finder.floor)


def is_constant(node: Node, inputs: frozenset[str]) -> bool:
    """Whether a formula contains no input."""
    return not inputs & set(names_in(node))


def is_pure(node: Node, inputs: frozenset[str]) -> bool:
    """Whether a formula is a product of powers: its log is linear in the logs of the inputs."""
    match node:
        case Number() | Name():
            return True
        case Product(factors):
            return all(is_pure(factor, inputs) for _, factor in factors)
        case Power(base, exponent):
            return is_pure(base, inputs) and is_constant(exponent, inputs)
    return is_constant(node, inputs)


def base_of(terms: tuple[tuple[int, Node], ...], inputs: frozenset[str]) -> int:
    """Return the place of the term to which the others of a sum are relative: its floor, otherwise the first that is added."""
    added = [i for i, (sign, _) in enumerate(terms) if sign > 0]
    return next((i for i in added if is_constant(terms[i][1], inputs)), added[0])


class _Finder:
    def __init__(self, inputs: frozenset[str], own: frozenset[str], uses: Counter[str]) -> None:
        self.inputs, self.own, self.uses = inputs, own, uses
        self.of: dict[str, str] = {}
        self.ratios: list[str] = []
        self.floor = False

    def give(self, name: str, role: str) -> None:
        """Record a role; InputError if the name has another."""
        if name in self.inputs:
            return
        before = self.of.setdefault(name, role)
        if {before, role} == {EXPONENT, POWER}:
            self.of[name] = EXPONENT
        elif before != role and name not in self.own:
            raise InputError(
                f"The parameter {name} is used as {before} and as {role}: write two names, or give its prior "
                f'(--prior "{name}=LogNormal(MEDIAN, SIGMA)").'
            )

    def walk(self, node: Node, role: str) -> None:
        """Find exponents, powers and others: all names that are not a level or an amplitude."""
        if isinstance(node, Name):
            if role:
                self.give(node.name, role)
            return
        if isinstance(node, Power):
            self._walk_power(node, role)
        elif isinstance(node, Call):
            self._walk_inside(node.argument)
        else:
            for part in children(node):
                self.walk(part, role)

    def _walk_power(self, node: Power, role: str) -> None:
        base, exponent = node.base, node.exponent
        if role or is_constant(base, self.inputs) or not is_constant(exponent, self.inputs):
            mine = OTHER
        else:
            mine = EXPONENT if is_pure(base, self.inputs) else POWER
        simple = all(isinstance(part, Name | Number) for part in _leaves(exponent))
        self.walk(exponent, mine if simple else OTHER)
        if mine == EXPONENT:
            self._check_alone(exponent)
        self.walk(base, OTHER if role else "")

    def _check_alone(self, exponent: Node) -> None:
        """Raise InputError for two parameters that appear only together, as in params**-(alpha * beta)."""
        free = [name for name in names_in(exponent) if name not in self.own and self.uses[name] == 1]
        if len(free) > 1:
            raise InputError(
                f"The exponent '{written(exponent)}' has {' and '.join(free)}, which runs cannot tell apart: write one parameter, or give "
                f'a prior of one (--prior "{free[1]}=LogNormal(MEDIAN, SIGMA)").'
            )

    def _walk_inside(self, argument: Node) -> None:
        """Walk the argument of exp or log: a factor of the log of an input is an exponent, anything else needs a prior."""
        terms = argument.terms if isinstance(argument, Sum) else ((1, argument),)
        for _, term in terms:
            factors = term.factors if isinstance(term, Product) else ((1, term),)
            logs = [one for _, one in factors if self._is_log_of_input(one)]
            for power, one in factors:
                if isinstance(one, Name):
                    self.give(one.name, EXPONENT if logs and power > 0 else OTHER)
                elif one not in logs:
                    self.walk(one, OTHER)

    def _is_log_of_input(self, node: Node) -> bool:
        if not (isinstance(node, Call) and node.function == "log" and is_pure(node.argument, self.inputs)):
            return False
        return set(names_in(node)) <= self.inputs

    def is_free(self, node: Node) -> bool:
        """Whether the parameters of a formula give it any size; find those that do, and the ratios of terms."""
        match node:
            case Number():
                return False
            case Name(name):
                return self._is_free_name(name)
            case Product(factors):
                return self._is_free_product(node, factors)
            case Power(base, exponent):
                free = self.is_free(base)
                if free and not is_constant(exponent, self.inputs):
                    self._needs_prior(base, f"the base of '{written(node)}'")
                return free
            case Sum(terms):
                return self._is_free_sum(node, terms)
        assert isinstance(node, Call)
        self._check_no_free(node.argument, node)
        return False

    def _is_free_name(self, name: str) -> bool:
        if name in self.inputs or name in self.own:
            return False
        if name in self.of and self.of[name] not in (LEVEL, AMPLITUDE):
            self.give(name, AMPLITUDE)
        if self.uses[name] > 1:
            raise InputError(
                f"The parameter {name} scales more than one part of the law: write two names, or give its prior "
                f'(--prior "{name}=LogNormal(MEDIAN, SIGMA)").'
            )
        return True

    def _is_free_product(self, node: Node, factors: tuple[tuple[int, Node], ...]) -> bool:
        free = [factor for _, factor in factors if self.is_free(factor)]
        if len(free) > 1:
            first, second = written(free[0], True), written(free[1], True)
            raise InputError(
                f"The term '{written(node)}' has two amplitudes, {first} and {second}, which runs cannot tell apart: leave one out, or "
                "give a prior of one (--prior NAME=...)."
            )
        if free:
            for name in self._free_names(free[0]):
                self.of.setdefault(name, AMPLITUDE if not is_constant(node, self.inputs) else LEVEL)
        return bool(free)

    def _is_free_sum(self, node: Node, terms: tuple[tuple[int, Node], ...]) -> bool:
        free = [self.is_free(term) for _, term in terms]
        constant = [is_constant(term, self.inputs) for _, term in terms]
        for (_, term), is_free, alone in zip(terms, free, constant, strict=True):
            for name in self._free_names(term) if is_free else ():
                self.of.setdefault(name, LEVEL if alone else AMPLITUDE)
        if not any(free):
            return False
        if sum(one and alone for one, alone in zip(free, constant, strict=True)) > 1:
            raise InputError(
                f"'{written(node)}' has several constants that are added, which runs cannot tell apart: leave one in."
            )
        added = [i for i, (sign, _) in enumerate(terms) if sign > 0]
        if all(free):
            if not added:
                raise InputError(f"'{written(node)}' is negative, but a law is positive: write its terms with +.")
            base = base_of(terms, self.inputs)
        else:
            fixed = [i for i in added if not free[i] and constant[i]]
            if not fixed or any(one and alone for one, alone in zip(free, constant, strict=True)):
                place = next(i for i, one in enumerate(free) if one)
                known = next(i for i, one in enumerate(free) if not one)
                self._needs_prior(
                    terms[place][1], f"added to '{written(terms[known][1])}', which has no free amplitude"
                )
            base = fixed[0]
        self.floor = self.floor or constant[base]
        for i, (_, term) in enumerate(terms):
            if i != base and free[i]:
                self.ratios.append(self._free_names(term)[0])
        return all(free)

    def _free_names(self, node: Node) -> list[str]:
        known = {*self.inputs, *self.own, *(name for name, role in self.of.items() if role not in (LEVEL, AMPLITUDE))}
        return [name for name in names_in(node) if name not in known]

    def _check_no_free(self, node: Node, whole: Node) -> None:
        names = self._free_names(node)
        if names:
            self._needs_prior(Name(names[0]), f"inside '{written(whole)}'")

    def _needs_prior(self, node: Node, where: str) -> None:
        name = self._free_names(node)[0]
        raise InputError(needs_prior(name, where))


def needs_prior(name: str, where: str) -> str:
    """Return the refusal of a parameter for which no prior follows from its place."""
    return (
        f"The parameter {name} is {where}, so no prior follows from its place: give one "
        f'(--prior "{name}=LogNormal(MEDIAN, SIGMA)" or, if it may be negative, "{name}=Normal(MU, SIGMA)").'
    )


def _leaves(node: Node) -> list[Node]:
    """Return the parts of sums and products."""
    if isinstance(node, Sum | Product):
        return [leaf for part in children(node) for leaf in _leaves(part)]
    return [node]
