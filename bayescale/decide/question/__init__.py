"""What is asked: budgets, limits, demand, targets, prices and rules. Imports nothing else from `decide`."""
