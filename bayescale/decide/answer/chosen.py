"""`Chosen`: one choice, with what its question knows about it."""

from dataclasses import dataclass
from math import exp

from ..plans.choose import Choice
from ..plans.feasible import Feasible
from ..plans.loss import LossDraws
from ..plans.shapes import Shapes


@dataclass(frozen=True)
class Chosen:
    """A choice and its context.

    Attributes
    ----------
    draws : LossDraws
        The loss of plans, with the drift that they all share.
    feasible : Feasible
        What could be spent.
    choice : Choice
        The plan and each draw's own best.
    flat : tuple of float, optional
        Natural logs of the sizes that cost little more, if the cost was minimised: such a plan has no budget.
    shapes : Shapes, optional
        The available sizes; `shape` is the row that was chosen, the best in a share `probability_best` of the draws.
    pool : float, optional
        Unique tokens, including those bought for `data_usd` dollars.
    said : str
        Warnings about the choice.
    limits_cost : str, optional
        What the limits cost, from a question without a budget, which finds that itself.
    """

    draws: LossDraws
    feasible: Feasible
    choice: Choice
    flat: tuple[float, float] | None = None
    shapes: Shapes | None = None
    shape: int = 0
    probability_best: float = float("nan")
    pool: float | None = None
    data_usd: float = 0.0
    said: str = ""
    limits_cost: str | None = None

    @property
    def money(self) -> Feasible:
        """The budget of the chosen shape, or the budget itself."""
        return self.feasible if self.shapes is None else self.shapes.feasible_of(self.shape, self.feasible)

    @property
    def params(self) -> float:
        """The size, from the list of shapes if there is one."""
        return exp(self.choice.log_params) if self.shapes is None else float(self.shapes.params[self.shape])
