"""How fast: ingest, judgement, and the time from a message to an alert. `python -m tests.bench` or `make bench`."""
