"""Logs as JSON lines on stderr: event names, device slots, counts and row numbers. Never a value, a name or an address."""

import logging
import sys

import structlog


def configure(*, verbose: bool = False) -> None:
    """Send structlog to stderr as one JSON object a line, in UTC."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries may print addresses and values: they are heard only when something breaks.
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)
