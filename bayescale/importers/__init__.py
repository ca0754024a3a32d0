"""From the logs that people have to a table of runs: a format a file, one interpretation for all."""
