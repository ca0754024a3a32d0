"""From draws to choices: which size, on how much data, at what cost, how sure, and what the choice depends on.

`question/` holds what is asked (budgets, limits, demand, targets, prices, rules), `plans/` the mathematics on arrays, `problem/` the only
entry point from a fit and a request to what can be chosen, and `answer/` the table with its warnings. Above them is one short file per
question: `allocate`, `cheapest`, `net_value`, `pareto`, `overhead`, `explain` and `sensitivity` (with leave_one_out).

Nothing is imported here, so that a command loads only what it needs; the public names are those of `bayescale`.
"""
