"""From logs in any format, and the answers of the user, to rows of a table: one interpretation for all."""
