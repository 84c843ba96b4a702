"""The coverage-guided half: `python -m tests.fuzz.target -max_total_time=60 CORPUS`; options are libFuzzer's own.

The first byte says on which topic the rest came. A finding is written down by atheris as a `crash-…` (`oom-…`, `timeout-…`) file.
"""

# atheris tells no types.
# pyright: reportAttributeAccessIssue=false, reportUnknownMemberType=false

import sys

import atheris

with atheris.instrument_imports(include=["rpm.ingest", "schemas"], enable_loader_override=False):
    from tests.fuzz.check import TOPICS, check


def target(data: bytes) -> None:
    """One message."""
    check(TOPICS[int.from_bytes(data[:1]) % len(TOPICS)], data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
