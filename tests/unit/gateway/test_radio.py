"""The radio's one rule, always disconnect, and bleak's errors in the words of `devices.gatt`.

On real BlueZ a client that skips disconnect() after a hang-up makes the *next* readings vanish; no virtual radio shows
that, so a backend that counts disconnects stands in for it here.
"""

import asyncio

import pytest
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError

from devices.gatt import AttError, LinkLost
from gateway.radio import NotConnectable, PairingFailed, RadioFault
from tests.unit.gateway.fake_bleak import FakeClient, Peripheral, radio
from tests.unit.gateway.frames import CUFF


async def test_disconnect_is_called_after_the_device_hung_up() -> None:
    cuff = Peripheral(CUFF, says=[b"\x00"])
    async with radio(cuff).connected(cuff.heard()) as link:
        await link.subscribe("2A35", lambda _: None)
        await asyncio.wait_for(link.gone.wait(), 30)
        assert cuff.disconnects == 0
    assert cuff.disconnects == 1


async def test_disconnect_is_called_when_the_block_raises() -> None:
    cuff = Peripheral(CUFF)
    with pytest.raises(ZeroDivisionError):
        async with radio(cuff).connected(cuff.heard()):
            raise ZeroDivisionError
    assert cuff.disconnects == 1


async def test_disconnect_is_called_when_the_program_is_told_to_stop() -> None:
    cuff = Peripheral(CUFF, hangs_up=False)

    async def session() -> None:
        async with radio(cuff).connected(cuff.heard()):
            await asyncio.sleep(60)

    task = asyncio.create_task(session())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cuff.disconnects == 1


async def test_disconnect_is_called_when_connecting_failed() -> None:
    cuff = Peripheral(CUFF, refuses_connection=1)
    with pytest.raises(RadioFault, match="cannot connect: BleakError"):
        async with radio(cuff).connected(cuff.heard()):
            pytest.fail("there is no connection")
    assert cuff.disconnects == 1


async def test_a_bonded_device_that_hangs_up_again_and_again_is_not_connected_to_for_ever() -> None:
    """It has perhaps lost its bond. bleak itself goes on until the time is up: 115 connections, on BlueZ 5.66."""
    cuff = Peripheral(CUFF, drops_connection=1000, bonded=True)
    with pytest.raises(NotConnectable, match="hung up 3 times at once: it has perhaps lost its bond"):
        async with radio(cuff).connected(cuff.heard()):
            pytest.fail("there is no connection")
    assert cuff.connections <= 5
    assert cuff.disconnects == 1


async def test_a_device_without_a_bond_is_at_the_edge_of_reach_and_tried_on() -> None:
    cuff = Peripheral(CUFF, drops_connection=10)
    async with radio(cuff).connected(cuff.heard()) as link:
        assert not link.gone.is_set(), "that it hung up before does not end the session"
    assert cuff.connections == 11


@pytest.mark.parametrize(
    "code, drops, told",
    [
        # BlueZ reports a drop in the middle of a read as 0x0E, Unlikely Error (devices.md 4.5).
        (0x0E, True, LinkLost),
        (0x0E, False, AttError),
        (0x05, False, AttError),
    ],
)
async def test_att_errors_are_told_from_hang_ups(*, code: int, drops: bool, told: type[Exception]) -> None:
    def fail(client: FakeClient) -> None:
        if drops:
            client.hang_up()
        raise BleakGATTProtocolError(code)

    cuff = Peripheral(CUFF, values={"2A29": b"A&D"}, read_fails=fail)
    async with radio(cuff).connected(cuff.heard()) as link:
        with pytest.raises(told):
            await link.read("2A29")


async def test_a_driver_fault_is_neither() -> None:
    def fail(_client: FakeClient) -> None:
        raise BleakError("org.bluez.Error.NotPermitted")

    cuff = Peripheral(CUFF, values={"2A29": b"A&D"}, read_fails=fail)
    async with radio(cuff).connected(cuff.heard()) as link:
        with pytest.raises(RadioFault):
            await link.read("2A29")
        assert link.characteristics == {"2A29", "2A35"}


@pytest.mark.parametrize(
    "name, told",
    [
        ("org.bluez.Error.NotConnected", LinkLost),
        ("org.freedesktop.DBus.Error.UnknownObject", LinkLost),
        ("org.bluez.Error.InProgress", RadioFault),
        ("org.bluez.Error.AuthenticationFailed", PairingFailed),
    ],
)
async def test_what_bluez_says_of_a_link_that_has_gone_is_a_drop(name: str, told: type[Exception]) -> None:
    """Its answer to a read comes before its word that the device is no longer connected."""

    def fail(_client: FakeClient) -> None:
        raise BleakDBusError(name, [])

    cuff = Peripheral(CUFF, values={"2A29": b"A&D"}, read_fails=fail)
    async with radio(cuff).connected(cuff.heard()) as link:
        with pytest.raises(told):
            await link.read("2A29")


async def test_a_disconnect_that_fails_or_hangs_ends_the_session_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.radio.DISCONNECT_S_MAX", 0.05)

    async def hangs(_client: FakeClient) -> None:
        await asyncio.Event().wait()

    async def fails(_client: FakeClient) -> None:
        raise BleakError("org.bluez.Error.Failed")

    for way in (hangs, fails):
        monkeypatch.setattr(FakeClient, "disconnect", way)
        cuff = Peripheral(CUFF)
        async with asyncio.timeout(5):
            async with radio(cuff).connected(cuff.heard()):
                pass
