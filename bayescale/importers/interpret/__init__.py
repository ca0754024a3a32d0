"""From what was read, whatever format it was in, and what a person answered, to rows of a table: one interpretation for all."""
