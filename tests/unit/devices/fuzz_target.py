"""A fuzz target per decoder: `python -m tests.unit.devices.fuzz_target 2A35 -runs=100000 [corpus folder]`.

`all` in place of a characteristic takes the first byte for which one it is, so that one short run visits each.

Any bytes are described, as JSON, or are a MalformedFrame whose byte lies within the frame; anything else is a finding,
which atheris writes down as a `crash-…` file. Other options are libFuzzer's own (`-help=1`).
"""

# atheris tells no types.
# pyright: reportAttributeAccessIssue=false, reportUnknownMemberType=false

import json
import sys

import atheris

with atheris.instrument_imports(include=["devices"], enable_loader_override=False):
    from devices import decode
    from devices.encoding import MalformedFrame

EVERY = "all"


def main() -> None:
    wanted = sys.argv.pop(1)

    def target(data: bytes) -> None:
        uuid = wanted
        if wanted == EVERY:
            choice, data = data[:1], data[1:]
            uuid = decode.CHARACTERISTICS[int.from_bytes(choice) % len(decode.CHARACTERISTICS)]
        try:
            found = decode.describe(uuid, data)
        except MalformedFrame as refused:
            if not 0 <= refused.offset <= len(data) or "\n" in str(refused):
                raise RuntimeError("refused outside the frame, or in more than one line") from refused
        else:
            json.dumps(found, allow_nan=False)

    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
