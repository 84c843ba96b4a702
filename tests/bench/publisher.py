"""Simulated gateways in a process of their own, some to a connection, messages ready before the clock starts.

Standard input: one JSON line that says what to send and to whom, then a line to begin, then nothing more until the
process may go (whoever measures reads its CPU time first). Standard output: one JSON line when ready, one at the end.
Times are CLOCK_MONOTONIC in seconds, the same clock in every process of a machine.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rpm.broker.roles import LOAD
from rpm.load import mqtt
from rpm.load.connection import Account, Connection
from rpm.load.messages import Run, gateway_id, messages, number_of
from schemas.messages import Channel, topic

HOST: Final = "127.0.0.1"
CONNECT_S_MAX: Final = 20.0
#: No receipt for this long: what has none now is lost.
SILENCE_S_MAX: Final = 20.0
#: A thousand connections would take the processor from what is measured; one is a line that nobody has.
CONNECTIONS_MAX: Final = 20


@dataclass(slots=True)
class Gateway:
    """One gateway: its connection, and what it was told of its readings."""

    name: str
    line: Connection
    settled: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    receipted_at: dict[int, float] = field(default_factory=dict[int, float])
    heard_at: float = 0.0

    def note(self, receipt: dict[str, Any]) -> None:
        """Remember what a receipt says."""
        self.heard_at = time.monotonic()
        for outcome in ("stored", "duplicate", "unassigned"):
            self.settled.setdefault(outcome, set()).update(receipt[outcome])
        self.settled.setdefault("quarantined", set()).update(row["seq"] for row in receipt["quarantined"])
        for seq in receipt["stored"]:
            self.receipted_at.setdefault(seq, self.heard_at)


def gateways_of(load: Run, password: str) -> tuple[list[Connection], list[Gateway]]:
    """The connections of a run, under the account that speaks as any gateway, and its gateways, dealt out to them."""
    gateways: list[Gateway] = []
    lines: list[Connection] = []

    def heard(receipt: dict[str, Any]) -> None:
        gateways[number_of(receipt["gateway_id"])].note(receipt)

    count = min(CONNECTIONS_MAX, load.gateways)
    for number in range(count):
        names = [gateway_id(gateway) for gateway in range(number, load.gateways, count)]
        lines.append(Connection(Account(f"bench-{number}", LOAD, password), names, heard))
    gateways += [Gateway(gateway_id(number), lines[number % count]) for number in range(load.gateways)]
    return lines, gateways


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Connect, say so, wait for the word, publish, wait for what is to come back."""
    load = Run(**plan["run"])
    lines, gateways = gateways_of(load, plan["password"])
    packets: list[tuple[Gateway, bytes]] = []
    size = 0
    sent = dict.fromkeys(lines, 0)
    for number, payload in messages(load, now=datetime.fromisoformat(plan["now"])):
        gateway = gateways[number]
        name = topic(gateway.name, Channel.READINGS)
        packets.append((gateway, mqtt.publish(mqtt.packet_id(sent[gateway.line]), name, payload)))
        sent[gateway.line] += 1
        size += len(payload)
    loop = asyncio.get_running_loop()
    for line in lines:
        await loop.create_connection(lambda line=line: line, HOST, plan["port"])
    async with asyncio.timeout(CONNECT_S_MAX):
        for line in lines:
            await line.ready.wait()
            if line.failed is not None:
                raise line.failed
    _say({"bytes_per_message": round(size / max(1, len(packets)))})
    await loop.run_in_executor(None, sys.stdin.readline)
    began = time.monotonic()
    if plan["per_second"]:
        published = await _at_a_rate(packets, plan["per_second"])
    else:
        published = []
        for gateway, packet in packets:
            gateway.line.outgoing.append(packet)
        for line in lines:
            line.flush()
    missing = await _receipts(load, lines, gateways, wanted=plan["receipts"])
    for line in lines:
        line.close()
    told = {
        outcome: sum(len(gateway.settled.get(outcome, ())) for gateway in gateways)
        for outcome in ("stored", "duplicate", "unassigned", "quarantined")
    }
    return {
        "began": began,
        "ended": max(gateway.heard_at for gateway in gateways),
        "told": told,
        "missing": missing,
        "published": published,
        "receipted": _receipt_times(load, gateways) if plan["per_second"] else [],
    }


async def _at_a_rate(packets: list[tuple[Gateway, bytes]], per_second: float) -> list[float]:
    """Publish one by one with exponentially distributed pauses (a fixed seed); when each was sent."""
    draw = random.Random(1)
    published: list[float] = []
    due = time.monotonic()
    for gateway, packet in packets:
        due += draw.expovariate(per_second)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        gateway.line.outgoing.append(packet)
        published.append(time.monotonic())
        gateway.line.flush()
    return published


async def _receipts(
    load: Run, lines: list[Connection], gateways: list[Gateway], *, wanted: bool
) -> dict[str, list[int]]:
    """Wait until every reading is receipted as stored, or (not `wanted`) every message is with the broker.

    What has no receipt when nothing has come for SILENCE_S_MAX, by gateway.
    """
    quiet_since = time.monotonic()
    progress = -1
    while True:
        waiting = [line for line in lines if line.outgoing or line.unacknowledged]
        done = sum(len(gateway.receipted_at) for gateway in gateways)
        if not waiting and (not wanted or done >= load.readings):
            return {}
        if done + len(waiting) != progress:
            progress, quiet_since = done + len(waiting), time.monotonic()
        if time.monotonic() - quiet_since > SILENCE_S_MAX:
            break
        await asyncio.sleep(0.005)
    return {
        gateway.name: sorted(set(range(1, load.sent_by(number) + 1)) - gateway.receipted_at.keys())
        for number, gateway in enumerate(gateways)
    }


def _receipt_times(load: Run, gateways: list[Gateway]) -> list[float | None]:
    """When each reading was receipted, in the order of sending (one reading to a message)."""
    return [
        gateways[index % load.gateways].receipted_at.get(index // load.gateways + 1) for index in range(load.readings)
    ]


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do as standard input says."""
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    _say(asyncio.run(run(plan)))
    sys.stdin.read()


if __name__ == "__main__":
    main()
