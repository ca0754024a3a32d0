"""Readers: one file per format of a logger, an export or a table; each returns logs and interprets nothing."""
