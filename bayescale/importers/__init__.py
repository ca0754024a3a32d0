"""From training logs to a table of runs: one file per format, one interpretation for all."""
