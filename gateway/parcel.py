"""What a dead gateway leaves to the one in its place: settings, devices, bonds, and what the cloud has not confirmed.

Not its key: the new box makes its own, and `rpm-cloud gateway replace` gives it a certificate for the same name.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import UserError
from gateway.outbox import Outbox
from gateway.outbox.carry import Carried, carried, take_over
from gateway.outbox_key import read_key
from gateway.settings import Settings, read_settings
from gateway.small_file import write_whole

#: Beside the outbox: who each device said it was, and the virtual radio's bonds.
BESIDE: Final = (".devices.json", ".bonds.json")
#: BlueZ's file of one device below its adapter's folder, keys and all.
INFO: Final = "info"


class Parcel(BaseModel):
    """One home, as JSON. All of it is secret: settings hold passkeys, bonds hold keys, rows what bodies measured."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = 1
    gateway_id: str
    time_zone: str
    settings: Annotated[str, Field(repr=False)]
    beside: Annotated[dict[str, Any], Field(repr=False)] = {}
    outbox: Annotated[Carried, Field(repr=False)] = {}
    #: By device address.
    bluez: Annotated[dict[str, str], Field(repr=False)] = {}


def packed(config: Path, *, bluetooth: Path) -> Parcel:
    """The home that `config` describes, from this machine or from a dead one's card. UserError where part cannot be read."""
    settings = read_settings(config)
    outbox = _open(settings, to_write=False)
    try:
        rows = carried(outbox)
    finally:
        outbox.close()
    try:
        beside = {name: json.loads(path.read_bytes()) for name in BESIDE if (path := _beside(settings, name)).exists()}
        infos = {
            device.address: path.read_text("utf-8")
            for device in settings.device
            for path in sorted(bluetooth.glob(f"*/{device.address}/{INFO}"))
        }
        text = config.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"this home cannot be packed: {error}") from error
    return Parcel(
        gateway_id=settings.gateway_id,
        time_zone=settings.time_zone,
        settings=text,
        beside=beside,
        outbox=rows,
        bluez=infos,
    )


def read_parcel(content: bytes) -> Parcel:
    """UserError where it is none."""
    try:
        return Parcel.model_validate_json(content)
    except ValidationError as error:
        raise UserError("the export cannot be read: was it written by a newer rpm-gateway?") from error


def unpack(parcel: Parcel, config: Path, *, bluetooth: Path, now: datetime) -> int:
    """Make this box the one of that home; how many unconfirmed readings came along. UserError where it is one already."""
    if config.exists():
        raise UserError(f"{config} exists: this box has a home already")
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        write_whole(config, parcel.settings.encode())
        try:
            count = _fill(parcel, config, now=now)
        except BaseException:
            # Without settings nothing runs: what was begun is begun anew by the next try.
            config.unlink()
            raise
        _bonds(parcel, bluetooth)
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from error
    return count


def _fill(parcel: Parcel, config: Path, *, now: datetime) -> int:
    settings = read_settings(config, to_be={"gateway_id": parcel.gateway_id, "time_zone": parcel.time_zone})
    if settings.outbox.exists():
        raise UserError(f"{settings.outbox} exists: this box has readings of its own")
    outbox = _open(settings, to_write=True)
    try:
        count = take_over(outbox, parcel.outbox, now=now)
    except BaseException:
        outbox.close()
        for suffix in ("", "-wal", "-shm"):
            settings.outbox.with_name(settings.outbox.name + suffix).unlink(missing_ok=True)
        raise
    outbox.close()
    for name, facts in parcel.beside.items():
        if name in BESIDE:
            write_whole(_beside(settings, name), json.dumps(facts).encode())
    return count


def _bonds(parcel: Parcel, bluetooth: Path) -> None:
    """Into BlueZ's folder of this machine's adapter, where there is one and only one."""
    adapters = [path for path in bluetooth.glob("??:??:??:??:??:??") if path.is_dir()]
    if len(adapters) == 1:
        for address, info in parcel.bluez.items():
            folder = adapters[0] / address
            folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(folder / INFO, info.encode())


def _beside(settings: Settings, name: str) -> Path:
    return settings.outbox.with_name(settings.outbox.name + name)


def _open(settings: Settings, *, to_write: bool) -> Outbox:
    how = Outbox.open if to_write else Outbox.read_only
    return how(
        settings.outbox,
        bytes_max=settings.outbox_bytes_max,
        gateway_id=settings.gateway_id,
        key=read_key(settings.outbox_key),
    )
