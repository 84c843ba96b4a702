"""The whole gateway: one outbox, one watch on the devices, one uplink, until told to stop."""

import asyncio
import contextlib
import os
import signal
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.bonds import KnownDevices
from gateway.clock import Clock
from gateway.display import displays
from gateway.enrolment import Enrolment
from gateway.errors import OutboxFailed
from gateway.health import Shown, patient_state, status
from gateway.identity import way_of
from gateway.intake import settle_unfinished
from gateway.ladder import Step
from gateway.machine import Machine
from gateway.outbox import Outbox
from gateway.outbox.room import NEARLY_FULL_AT
from gateway.outbox_key import read_key
from gateway.pulse import Helped, Pulse, PulseSocket, Sighting, socket_of
from gateway.radio import Radio
from gateway.recovery import Recovery, RestartWanted, boot_id
from gateway.requests import Requests
from gateway.settings import Settings
from gateway.systemd import Systemd
from gateway.turns import END, Part, Turns
from gateway.uplink import Uplink
from gateway.watch import Watch
from gateway.watchdog import LastWords, Watchdog, last_words
from schemas.messages import ClockState, Event, EventName, Status, StatusKind

log = structlog.get_logger()

#: Between two looks at what may go: the ring, and how full the file is.
HOUSEKEEPING_S: Final = 15.0
#: Between two looks at whether the clock was set.
CLOCK_LOOK_S: Final = 1.0
#: The end of a process that wants to be started again (sysexits.h: EX_TEMPFAIL).
RESTART_STATUS: Final = 75
#: systemd's own way down: services stop, the outbox is closed.
REBOOT_COMMAND: Final = ("systemctl", "reboot")


class Gateway:
    """The parts of a running gateway, put together."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        radio: Radio,
        systemd: Systemd,
        machine: Machine,
        turns: Turns | None = None,
    ) -> None:
        self._turns = turns = turns or Turns()
        self._settings = settings
        self.clock = Clock(
            boot_id=machine.boot_id(), look=machine.look, boots=outbox.boots, on_moved=self._tell_clock_moved
        )
        outbox.stamp_by(self.clock.stamp)
        utc_now = self._utc_now = self.clock.utc_now
        outbox.tell_set_aside(now=utc_now())
        self._outbox = outbox
        self._systemd = systemd
        self._enrolment = Enrolment(settings.device)
        self._radio = radio
        self._shown: Shown | None = None
        self._displays = displays(settings.display)
        self._began_at = asyncio.get_running_loop().time()
        self._nearly_full = False
        self._clock_moved = asyncio.Event()
        self._last_recovery: Helped | None = None
        self._pulse_socket = PulseSocket(socket_of(settings.outbox), lambda: self._pulse(now=utc_now()))
        self.recovery = Recovery(
            control=radio.control,
            memory_file=settings.outbox.with_name(settings.outbox.name + ".radio.json"),
            tell=self._tell_recovery,
            may_restart=systemd.present,
            reboot_command=REBOOT_COMMAND if settings.radio.reboot else (),
        )
        self.requests = Requests(
            gateway_id=settings.gateway_id,
            outbox=outbox,
            file=settings.outbox.with_name(settings.outbox.name + ".requests.json"),
            measures={device.kind for device in settings.device},
            on_change=self._changed,
        )
        self.watch = Watch(
            gateway_id=settings.gateway_id,
            radio=radio,
            enrolment=self._enrolment,
            outbox=outbox,
            recovery=self.recovery,
            zone=settings.zone,
            utc_now=utc_now,
            on_change=self._changed,
            on_fresh=lambda readings: self.requests.measured(readings, now=utc_now()),
            when=self.clock.when,
            clock_right=lambda: self.clock.state is not ClockState.UNSET,
            known=KnownDevices(settings.outbox.with_name(settings.outbox.name + ".devices.json")),
            turns=turns,
        )
        doors, self.renewal = way_of(settings, utc_now=utc_now, on_renewed=self._renewed, on_change=self._show)
        self.uplink = Uplink(
            gateway_id=settings.gateway_id,
            doors=doors,
            outbox=outbox,
            status=self._status,
            heartbeat_s=settings.heartbeat_s,
            utc_now=utc_now,
            on_request=lambda payload: self.requests.receive(payload, now=utc_now()),
            on_change=self._show,
            turns=turns,
        )

    def after_hang(self, words: LastWords) -> None:
        """Tell what the program before this one hung in; where it was the radio, go on climbing from there."""
        log.error("gateway_hung", part=words.part, late_s=round(words.late_s, 1))
        # A disk that refuses must not keep the gateway from starting.
        with contextlib.suppress(OutboxFailed):
            self._outbox.add_event(
                Event(
                    gateway_id=self._settings.gateway_id,
                    at=self._utc_now(),
                    name=EventName.GATEWAY_HUNG,
                    value=words.part,
                )
            )
        if words.part not in {Part.UPLINK, Part.HOUSE, END} and words.boot == boot_id():
            self.recovery.hung(late_s=words.late_s, ended_s=words.ended_at_s)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch, deliver and keep house until `stop` is set. RestartWanted where only another process can go on."""
        self._show()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._turns.go_round(stop))
                group.create_task(self.watch.run(stop), name=Part.WATCH)
                group.create_task(self.uplink.run(stop), name=Part.UPLINK)
                group.create_task(self._keep_house(stop), name=Part.HOUSE)
                group.create_task(self._pulse_socket.run(stop))
                group.create_task(self._systemd.ping(stop, alive=lambda: self._turns.late() is None))
                if self.renewal:
                    group.create_task(self.renewal.run(stop))
                if self._radio.bluez:
                    from gateway.bluez import Agent

                    group.create_task(Agent(self._enrolment.find, self._radio.scan_ended.set).run(stop))
                self._systemd.ready()
        except* RestartWanted as wanted:
            raise RestartWanted(str(wanted.exceptions[0])) from None
        finally:
            self._systemd.stopping()
            for display in self._displays:
                display.put_out()

    async def _keep_house(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._turns.turn(Part.HOUSE)
            try:
                self.requests.look(now=self._utc_now())
                self._tidy(now=self._utc_now())
            except OutboxFailed as error:
                log.critical("outbox_failed", reason=str(error))
            await self._until_the_next_round(stop)

    async def _until_the_next_round(self, stop: asyncio.Event) -> None:
        """For HOUSEKEEPING_S, or until the clock has moved. The clock is looked at meanwhile: nobody else may ask it."""
        until = asyncio.get_running_loop().time() + HOUSEKEEPING_S
        while not self._clock_moved.is_set() and asyncio.get_running_loop().time() < until:
            self._turns.turn(Part.HOUSE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CLOCK_LOOK_S)
                return
            self._utc_now()
        self._clock_moved.clear()

    def _tidy(self, *, now: datetime) -> None:
        """Assemble what a killed process or a wrong clock left, let the ring's oldest go, say when the file is nearly full."""
        self.clock.note_now_and_then()
        self._outbox.date_events(self.clock.instant, now=now)
        left = settle_unfinished(
            self._outbox, zone=self._settings.zone, now=now, listening=self.watch.listening, when=self.clock.when
        )
        if left:
            self.requests.measured(left, now=now)
        self._outbox.purge(now=now, ring=timedelta(days=self._settings.ring_days))
        used = round(self._outbox.stats(now=now).used, 2)
        if used >= NEARLY_FULL_AT and not self._nearly_full:
            log.error("outbox_nearly_full", used=used)
            self._outbox.add_event(
                Event(gateway_id=self._settings.gateway_id, at=now, name=EventName.OUTBOX_NEARLY_FULL, value=used)
            )
        self._nearly_full = used >= NEARLY_FULL_AT
        self._changed()

    def _changed(self) -> None:
        self.uplink.wake()
        self._show()

    def _shown_at(self, now: datetime) -> Shown:
        return patient_state(
            scanning=self.watch.scanning,
            sessions=self.watch.sessions,
            stats=self._outbox.stats(now=now),
            last_receipt_at=self.uplink.state.last_receipt_at,
            now=now,
            due=self.requests.due,
            called=self.requests.called,
            radio_given_up=self.recovery.exhausted,
            identity_trouble=self.renewal.state.trouble if self.renewal else None,
        )

    def _show(self) -> None:
        """Log the state the people at home would see, when it changes."""
        shown = self._shown_at(self._utc_now())
        if self._shown is None or shown.state is not self._shown.state:
            self._shown = shown
            self._systemd.status(f"{shown.state}: {shown.reason}")
            log.info("patient_state", state=shown.state, why=shown.reason)
            for display in self._displays:
                display.show(shown)

    def _status(self, kind: StatusKind, now: datetime) -> Status:
        return status(
            kind,
            gateway_id=self._settings.gateway_id,
            adapter=self.watch.adapter,
            stats=self._outbox.stats(now=now),
            uptime_s=asyncio.get_running_loop().time() - self._began_at,
            now=now,
            recoveries=self.recovery.taken,
            rssi_dbm=self.watch.rssi_dbm,
            clock=self.clock.state,
            buffer_days=self._outbox.buffer_days(now=now),
            certificate_not_after=self.renewal.state.not_after if self.renewal else None,
        )

    def _pulse(self, *, now: datetime) -> Pulse:
        """What a person at the box is told of this instant."""
        loop_s = asyncio.get_running_loop().time()
        shown = self._shown_at(now)
        link = self.uplink.state
        return Pulse(
            pid=os.getpid(),
            heartbeat=self._status(StatusKind.HEARTBEAT, now),
            state=shown.state,
            reason=shown.reason,
            scanning=self.watch.scanning,
            connected=link.connected,
            paused=link.paused,
            last_receipt_at=link.last_receipt_at,
            heartbeat_taken_at=link.heartbeat_taken_at,
            devices=tuple(
                Sighting(slot=slot, heard_s_ago=round(loop_s - at, 1), rssi_dbm=rssi)
                for slot, (at, rssi) in sorted(self.watch.sightings.items())
            ),
            last_recovery=self._last_recovery,
        )

    def _renewed(self, not_after: datetime) -> None:
        event = Event(
            gateway_id=self._settings.gateway_id,
            at=self._utc_now(),
            name=EventName.CERTIFICATE_RENEWED,
            value=not_after.isoformat(),
        )
        # A disk that refuses must not keep the new certificate from being shown.
        with contextlib.suppress(OutboxFailed):
            self._outbox.add_event(event)
        self.uplink.change_doors()

    def _tell_clock_moved(self, seconds: float) -> None:
        event = Event(
            gateway_id=self._settings.gateway_id,
            at=self._utc_now(),
            name=EventName.GATEWAY_CLOCK,
            value=round(seconds, 1),
        )
        with contextlib.suppress(OutboxFailed):
            self._outbox.add_event(event)
        # What waited for the right time need not wait for the next round of housekeeping.
        self._clock_moved.set()

    def _tell_recovery(self, step: Step) -> None:
        self._last_recovery = Helped(rung=step.rung, reason=step.reason, at=self._utc_now())
        event = Event(
            gateway_id=self._settings.gateway_id,
            at=self._utc_now(),
            name=EventName.RADIO_RECOVERY,
            value=str(step.rung),
        )
        # A disk that refuses must not keep the radio from being helped.
        with contextlib.suppress(OutboxFailed):
            self._outbox.add_event(event)
        self.uplink.wake()


async def run_gateway(settings: Settings, *, watched: bool = False) -> int:
    """Run until SIGTERM or SIGINT; the exit status. UserError where the outbox cannot be used.

    `watched`: this process is the gateway's own, and a watchdog may end it.
    """
    outbox = Outbox.open(
        settings.outbox,
        bytes_max=settings.outbox_bytes_max,
        gateway_id=settings.gateway_id,
        key=read_key(settings.outbox_key),
    )
    turns, stop = Turns(), asyncio.Event()
    words_file = settings.outbox.with_name(settings.outbox.name + ".hung.json")
    words = last_words(words_file)
    if watched:
        Watchdog(turns, file=words_file, status=RESTART_STATUS).start()

    def told_to_stop() -> None:
        turns.ending()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop)
    try:
        log.info("gateway_started", epoch=outbox.epoch, devices=len(settings.device))
        radio = Radio.from_settings(
            settings.radio,
            passkey_of=Enrolment(settings.device).passkey_of,
            bonds=settings.outbox.with_name(settings.outbox.name + ".bonds.json"),
        )
        gateway = Gateway(settings, outbox, radio, Systemd(), Machine(settings.clock.synchronised_file), turns)
        if words is not None:
            gateway.after_hang(words)
        try:
            await gateway.run(stop)
        finally:
            gateway.clock.note()
    except RestartWanted as wanted:
        log.error("gateway_restarts", reason=str(wanted))
        return RESTART_STATUS
    else:
        return 0
    finally:
        outbox.close()
        log.info("gateway_stopped")
