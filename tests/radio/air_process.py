"""The air as a process of its own, and its control port."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_S_MAX = 60.0


@dataclass
class AirProcess:
    """A running `python -m devices.virtual air`."""

    process: Process
    ready: dict[str, Any]
    ledger_file: Path

    @property
    def hci_port(self) -> int:
        return self.ready["homes"]["a"]["hci"]

    def address(self, device: str) -> str:
        return self.ready["homes"]["a"]["devices"][device]

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ledger_file.read_text().splitlines()]

    async def ask(self, **request: Any) -> dict[str, Any]:
        """One request to the control port, and its answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ready["control"])
        writer.write(json.dumps(request).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return answer

    async def do(self, device: str, do: str, **arguments: Any) -> dict[str, Any]:
        """Ask a device of home a for something it must be able to do."""
        answer = await self.ask(home="a", device=device, do=do, **arguments)
        assert answer.pop("ok"), answer
        return answer


@asynccontextmanager
async def air_process(scenario: str, folder: Path) -> AsyncGenerator[AirProcess]:
    """Start the air, wait until it is ready, and end it as Ctrl-C does."""
    path, ledger = folder / "scenario.toml", folder / "ledger"
    path.write_text(scenario)
    arguments = ("-m", "devices.virtual", "air", "--scenario", str(path), "--ledger", str(ledger))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S_MAX)
        yield AirProcess(process, json.loads(line), ledger / "ledger.jsonl")
    finally:
        if process.returncode is None:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), READY_S_MAX) == 0


@asynccontextmanager
async def reader_process(air: AirProcess, device: str, kept: Path, *options: str) -> AsyncGenerator[Process]:
    """Start a reader of one device; killed with -9 at the end of the block if it still runs."""
    arguments = ("-m", "tests.radio.reader", str(air.hci_port), air.address(device), str(kept), *options)
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: Process) -> str:
    """The next line a reader says."""
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), READY_S_MAX)).decode().strip()
