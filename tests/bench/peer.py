"""Another program that takes the same messages into the same tables: mq-bridge, a Rust core behind Python bindings.

It commits before it acknowledges, and its key table makes it idempotent; it validates no more than SQL casts do, looks at
no clock and at nobody's past, judges nothing, keeps no raw bytes and sends no receipt. One statement per message, by its
manual's own settings but for larger queues (with its default of 100 it is slower).

Standard input: one JSON line, then nothing until it may go. Standard output: one JSON line when it listens.
"""

import json
import sys
import time
from typing import Any, Final

from mq_bridge import Route

from rpm.broker import WORKER
from schemas.messages import QOS, Channel, share_filter

#: How much it may hold unacknowledged: what our worker may.
QUEUE: Final = 4000
LISTENS_WITHIN_S: Final = 2.0

_STATEMENT: Final = """
with batch as materialized (
    select convert_from($1, 'UTF8')::jsonb as body
), item as materialized (
    select (item -> 'reading' ->> 'reading_id')::uuid as reading_id, (item ->> 'seq')::bigint as seq, item -> 'reading' as reading, body ->> 'gateway_id' as gateway_id, body ->> 'epoch' as epoch
    from batch cross join jsonb_array_elements(body -> 'items') as item
), key as (
    insert into reading_key (reading_id, practice_id)
    select item.reading_id, gateway.practice_id from item join gateway on gateway.id = item.gateway_id
    on conflict (reading_id) do nothing
    returning reading_id, reading_no, practice_id
), found as (
    select key.reading_no, key.practice_id, item.*, device.id as device_id, device_assignment.patient_id,
        (reading ->> 'measured_at')::timestamptz as measured_at
    from key join item using (reading_id)
        join device on device.practice_id = key.practice_id and device.address = reading -> 'device' ->> 'address'
        join device_assignment on device_assignment.device_id = device.id
), envelope as (
    insert into reading (reading_no, reading_id, practice_id, patient_id, device_id, gateway_id, epoch, seq, kind, characteristic,
        user_slot, measured_at, device_time, time_source, clock_offset_s, received_at, admitted_at, backfill, late, status,
        flags, context, raw)
    select reading_no, reading_id, practice_id, patient_id, device_id, gateway_id, epoch, seq, reading ->> 'kind',
        reading ->> 'characteristic', (reading ->> 'user_slot')::smallint, measured_at, reading ->> 'device_time',
        reading ->> 'time_source', (reading ->> 'clock_offset_s')::float8, (reading ->> 'received_at')::timestamptz,
        clock_timestamp(), (reading ->> 'backfill')::boolean, false, '{}', '{}', reading -> 'context',
        decode(reading ->> 'raw', 'hex')
    from found
)
insert into observation (measured_at, value, reading_no, patient_id, practice_id, code, unit, quality)
select measured_at, (quantity.value ->> 'value')::float8, reading_no, patient_id, practice_id,
    case quantity.key when 'systolic' then 1 when 'diastolic' then 2 else 4 end,
    case quantity.value ->> 'unit' when 'mm[Hg]' then 1 else 3 end, 0
from found cross join jsonb_each(reading -> 'quantities') as quantity
"""


def main() -> None:
    """Do as standard input says."""
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    mqtt: dict[str, Any] = {
        "url": f"mqtt://127.0.0.1:{plan['port']}",
        "username": WORKER,
        "password": plan["password"],
        "client_id": "bench-peer",
        "protocol": "v5",
        "qos": QOS,
        "topic": share_filter(Channel.READINGS),
        "clean_session": True,
        "queue_capacity": QUEUE,
        "max_inflight": QUEUE,
    }
    database: dict[str, Any] = {"url": plan["url"], "table": "reading", "insert_query": _STATEMENT}
    route = Route.from_config(
        {
            "routes": {
                "peer": {
                    "input": {"mqtt": mqtt},
                    "output": {"sqlx": database},
                    "concurrency": plan["concurrency"],
                    "batch_size": plan["batch"],
                }
            }
        },
        "peer",
    )
    route.start()
    time.sleep(LISTENS_WITHIN_S)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    sys.stdin.read()
    route.stop()


if __name__ == "__main__":
    main()
