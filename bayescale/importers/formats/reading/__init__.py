"""Code shared by the readers: reading within limits, text logs, tables, databases, workbooks, and steps of W&B histories."""
