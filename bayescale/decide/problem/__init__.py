"""From fits and a request to a problem that plans can be chosen in: `open_problem` is the only door."""
