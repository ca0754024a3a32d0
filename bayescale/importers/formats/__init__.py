"""Readers: a file for each format of a logger, an export or a table; each gives logs, and interprets nothing."""
