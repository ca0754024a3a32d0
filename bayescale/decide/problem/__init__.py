"""From fits and a request to a problem in which plans can be chosen: `open_problem` is the only entry point."""
