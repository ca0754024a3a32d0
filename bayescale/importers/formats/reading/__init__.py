"""What readers share: files read within limits, text logs, tables, databases, workbooks, and the steps of W&B's histories."""
