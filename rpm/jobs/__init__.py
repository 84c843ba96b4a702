"""Loops that ask what is due: one `run_once(database, now, limit)` per file."""
