"""The parts of the scoreboard: tasks, our forecasts, those of others, decisions, the file of finished cells, the tables."""
