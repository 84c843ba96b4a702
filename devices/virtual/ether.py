"""The air of one home: bumble's `LocalLink` and `Controller` with the gaps closed that matter to a gateway.

Seen in bumble 0.0.236, each closed here and held closed by `tests/radio/test_ether.py`:

1. LE Create Connection Cancel never completed, so a connect to a silent device hung for ever.
2. A scan response repeated the advertisement's payload, so a name put there was lost.
3. ACL data bore the sender's *random* address, so a peripheral with a public address was deaf.
4. HCI Reset left links, scans and advertisements alive, and one controller served every TCP client in turn, so a
   restarted gateway found a "busy" cuff. `devices.virtual.hci_port` gives each client a fresh controller.
5. A control PDU to a vanished peer raised.
6. The advertising interval, counted in slots of 0.625 ms, was slept in milliseconds.
7. LL_PRIVACY and extended advertising are masked: home devices use neither, and BlueZ trips over the virtual ones.
8. A link never timed out. Here silence kills it after the supervision time-out, at both ends.
9. Two centrals answering one advertisement both believed themselves connected.
"""

# bumble's command classes are made by a decorator that hides their type arguments.
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bumble import core, hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.link import LocalLink
from bumble.transport.common import TransportSink
from typing_extensions import override

#: What BlueZ asks for by default (`conn_supervision_timeout` 42 × 10 ms).
SUPERVISION_S: Final = 0.42
#: One unit of the advertising interval (Core 5.4, Vol 4, Part E, 7.8.5), and the shortest interval it allows.
ADVERTISING_SLOT_S: Final = 0.000625
ADVERTISING_INTERVAL_S_MIN: Final = 0.02
RSSI_DBM: Final = -50

_MASKED_FEATURES: Final = (
    hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING | hci.LeFeatureMask.LL_PRIVACY
)
_ACTIVE_SCAN: Final = 1


@dataclass(frozen=True, slots=True)
class _Pair:
    """One link, as seen from one of its ends."""

    near: Connection
    far: Connection


def _alive(half: Connection) -> bool:
    """Whether this very half of a link is up: a later link to the same address is another object."""
    return half.controller.le_connections.get(half.peer_address) is half


class EtherLink(LocalLink):
    """What every controller in one home hears, in order, and with a one-way latency if one is wanted.

    A link is up while both its halves are in `_pairs`. A half without its pair hears nothing, and dies of it.
    """

    def __init__(self, *, latency_s: float = 0.0, supervision_s: float = SUPERVISION_S) -> None:
        super().__init__()
        self.latency_s = latency_s
        self.supervision_s = supervision_s
        self._pairs: dict[int, _Pair] = {}

    def silence(self, controller: Controller) -> None:
        """Nothing passes over this controller's links any more; both ends notice after `supervision_s`."""
        for near in tuple(controller.le_connections.values()):
            far = self._far_end(near)
            for half in (near,) if far is None else (near, far):
                self._pairs.pop(id(half), None)
                asyncio.get_running_loop().call_later(self.supervision_s, _expire, half)

    def forget(self, near: Connection) -> None:
        """Strike a link off, once both its halves are down."""
        far = self._far_end(near)
        if far is not None and not _alive(far):
            self._pairs.pop(id(near), None)
            self._pairs.pop(id(far), None)

    def _far_end(self, near: Connection) -> Connection | None:
        pair = self._pairs.get(id(near))
        return pair.far if pair else None

    def _later(self, deliver: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if self.latency_s:
            loop.call_later(self.latency_s, deliver)
        else:
            loop.call_soon(deliver)

    # What bumble's controllers call ----------------------------------------------------------------------------------

    @override
    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        near = sender_controller.le_connections.get(destination_address)
        if near is not None:
            self._later(partial(self._deliver_acl_data, near, transport, data))

    def _deliver_acl_data(self, near: Connection, transport: core.PhysicalTransport, data: bytes) -> None:
        far = self._far_end(near)
        if far is not None and _alive(far):
            far.controller.on_link_acl_data(far.peer_address, transport, data)

    @override
    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        for pair in tuple(self._pairs.values()):
            if pair.near.self_address == sender_address and pair.near.peer_address == receiver_address:
                self._later(partial(self._deliver_control_pdu, pair, packet))

    def _deliver_control_pdu(self, pair: _Pair, packet: ll.ControlPdu) -> None:
        # A peer that vanished, or fell silent, since the PDU was sent hears nothing.
        if self._far_end(pair.near) is pair.far and _alive(pair.far):
            pair.far.controller.on_ll_control_pdu(pair.far.peer_address, packet)

    @override
    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if not isinstance(sender_controller, EtherController) or sender_controller.silent:
            return
        if isinstance(packet, ll.ConnectInd):
            central = sender_controller.le_connections.get(packet.advertiser_address)
            if central is not None:
                self._later(partial(self._deliver_connect_ind, central, packet))
        elif isinstance(packet, ll.AdvInd):
            for controller in tuple(self.controllers):
                if isinstance(controller, EtherController) and controller is not sender_controller:
                    self._later(partial(controller.hear_advertisement, sender_controller, packet))

    def _deliver_connect_ind(self, central: Connection, packet: ll.ConnectInd) -> None:
        for controller in tuple(self.controllers):
            advertiser = controller.le_legacy_advertiser
            hears = isinstance(controller, EtherController) and not controller.silent
            if hears and advertiser.enabled and advertiser.address == packet.advertiser_address:
                controller.on_le_connect_ind(packet)
                peripheral = controller.le_connections[packet.initiator_address]
                self._pairs[id(central)] = _Pair(central, peripheral)
                self._pairs[id(peripheral)] = _Pair(peripheral, central)
                return
        if _alive(central):  # somebody else was quicker, or the advertiser is gone
            failed = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            central.controller.on_le_disconnected(central, failed)


def _expire(half: Connection) -> None:
    """The supervision time-out of a half that has heard nothing."""
    if _alive(half):
        half.controller.on_le_disconnected(half, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


class EtherController(Controller):
    """One radio chip. `silent` while it is out of everybody's range."""

    def __init__(
        self,
        name: str,
        *,
        link: EtherLink,
        host_sink: TransportSink | None = None,
        public_address: str | None = None,
    ) -> None:
        super().__init__(name, host_sink=host_sink, link=link, public_address=public_address)
        self.ether = link
        self.silent = False
        self.le_features = self.le_features & ~_MASKED_FEATURES
        self.le_legacy_advertiser = _Advertiser(self)

    def radio_silence(self) -> None:
        """Out of range, or the battery is pulled: nothing passes, and every link dies of its supervision time-out."""
        self.silent = True
        self.ether.silence(self)

    def back_in_range(self) -> None:
        """Advertise, scan and connect again. Links that were cut stay cut."""
        self.silent = False

    def vanish(self) -> None:
        """The chip's host is gone for good: its peers notice by silence, nobody hears of it again."""
        self.host = None
        self._fall_quiet()
        self.ether.remove_controller(self)

    def hear_advertisement(self, advertiser_controller: "EtherController", pdu: ll.AdvInd) -> None:
        """Report an advertisement, with the scan response if one was asked for; connect where that is awaited."""
        advertiser = advertiser_controller.le_legacy_advertiser
        if self.silent or not advertiser.enabled:
            return
        if self.le_scan_enable:
            self._report(hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND, pdu, pdu.data)
            if self.le_scan_type == _ACTIVE_SCAN:
                scan_response = advertiser.scan_response_data
                self._report(hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP, pdu, scan_response)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(self, event_type: "hci.HCI_LE_Advertising_Report_Event.EventType", pdu: ll.AdvInd, data: bytes) -> None:
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=event_type,
            address_type=pdu.advertiser_address.address_type,
            address=pdu.advertiser_address,
            data=bytes(data),
            rssi=RSSI_DBM,
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def _fall_quiet(self) -> None:
        self.ether.silence(self)
        self.le_connections.clear()
        self.pending_le_connection = None
        self.le_scan_enable = False
        self.le_legacy_advertiser.stop()

    # What bumble's controller leaves undone --------------------------------------------------------------------------

    @override
    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        self._fall_quiet()
        return super().on_hci_reset_command(_command)

    @override
    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        result = super().on_hci_le_create_connection_cancel_command(_command)
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is not None:
            cancelled = hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
            # After the command's own answer, as Vol 4, Part E, 7.8.13 orders them.
            asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return result

    @override
    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        super().on_le_disconnected(connection, reason)
        self.ether.forget(connection)


class _Advertiser(LegacyAdvertiser):
    """Advertises at the interval that was asked for."""

    @override
    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval_s = max(self.advertising_interval_min * ADVERTISING_SLOT_S, ADVERTISING_INTERVAL_S_MIN)
        self.timer_handle = asyncio.get_running_loop().call_later(interval_s, self._on_timer_fired)
