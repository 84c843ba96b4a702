"""Fuzzing of what gateways send: `python -m tests.fuzz` for a minute, a few seconds of it in `make test`."""
