"""From choices to the table that is handed out: its rows, and every sentence of warning."""
