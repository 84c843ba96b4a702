"""The gateway is killed with -9 while devices speak: BlueZ, which lives on, keeps the link that the dead process had."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from devices.virtual.glucometer import Glucometer
from devices.virtual.peripherals import BloodPressureCuff
from tests.bluez_vm.bluetoothd import until
from tests.bluez_vm.conftest import Figure
from tests.bluez_vm.home import EAGER, Home

#: Python starts slowly in an emulated machine.
START_S_MAX = 90.0
STOP_S_MAX = 30.0


@asynccontextmanager
async def program(home: Home) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`rpm-gateway run`, as systemd would start it; killed at the end of the block where it still runs."""
    home.settings()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", "run", str(home.config))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait_for(process.wait(), STOP_S_MAX)


async def test_kill_9_in_the_middle_of_two_sessions(home: Home, figure: Figure) -> None:
    """Records of the meter are asked for again; the cuff's record that was on its way may be lost, and no other."""
    cuff = await home.add(BloodPressureCuff, "blood_pressure", habits=replace(EAGER, gap_s=1.0))
    meter = await home.add(Glucometer, "glucose", habits=replace(EAGER, gap_s=0.5))
    for number in range(12):
        cuff.measure(110 + number, 80)
        meter.prick(mg_dl=90 + number)
    async with program(home):
        await until(lambda: cuff.confirmed >= 3, within_s=START_S_MAX)
    confirmed = cuff.confirmed
    await asyncio.sleep(5)
    figure(f"in the 5 s after a kill -9 BlueZ confirmed {cuff.confirmed - confirmed} more readings that nobody heard")
    async with program(home) as process:
        await until(lambda: cuff.pending == 0 and meter.pending == 0, within_s=START_S_MAX)
        await home.kept(meter, 12)
        await asyncio.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), STOP_S_MAX) == 0
    assert len({row["sequence_number"] for row in home.rows(meter)}) == 12
    lost = home.lost()
    figure(f"kill -9: {len(lost)} of {cuff.confirmed + meter.confirmed} records lost")
    assert len(lost) <= 1
