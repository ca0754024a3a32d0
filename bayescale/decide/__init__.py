"""From draws to choices: which size on how much data, at what cost, how sure, and what it hangs on.

`question/` says what is asked (budgets, limits, demand, targets, prices, rules), `plans/` is the mathematics on arrays, `problem/` the one
door from a fit and a request to what can be chosen, `answer/` the table with its warnings. Above them stands a short file a question:
`allocate`, `cheapest`, `net_value`, `pareto`, `overhead`, `explain` and `sensitivity` (with leave_one_out).

Nothing is imported here, so that a command loads what it needs and no more; the public names are those of `bayescale`.
"""
