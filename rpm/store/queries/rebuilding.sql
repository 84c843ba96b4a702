-- holds_anything
-- Whether a database is somebody's already.
select exists (select from patient) or exists (select from message) or exists (select from reading_key) as holds;

-- archived_from
-- Since when messages are kept, and how many readings came by none that still is.
select (select min(received_at) from message) as since,
    (
        select count(*) from reading
        where not exists (
            select from message where message.settled_no = reading.settled_no and message.place = reading.message_place
        ) and not exists (select from purge where purge.patient_id = reading.patient_id)
    ) as without;

-- messages
-- Every message, in the order in which they were settled.
select settled_no, place, received_at, topic, payload from message order by settled_no, place;

-- changes
-- Everything that was remembered, each transaction whole, where its last change stands.
select max(no) over (partition by transaction) as decided_no, relation, before, after
from record_change
order by decided_no, no;

-- put_gateway
-- A gateway as it was past.
insert into gateway select * from jsonb_populate_record(null::gateway, %(row)s)
on conflict (id) do update
set practice_id = excluded.practice_id, label = excluded.label, created_at = excluded.created_at,
    retired_at = excluded.retired_at;

-- drop_gateway
-- A gateway that was no more.
delete from gateway where id = %(row)s::jsonb ->> 'id';

-- put_device
-- A device as it was past. When it was heard follows from the messages.
insert into device overriding system value select * from jsonb_populate_record(null::device, %(row)s)
on conflict (id) do update
set practice_id = excluded.practice_id, address = excluded.address, kind = excluded.kind, label = excluded.label,
    single_person = excluded.single_person, serial = excluded.serial;

-- drop_device
-- A device that was no more.
delete from device where id = (%(row)s::jsonb ->> 'id')::bigint;

-- put_device_assignment
-- Who used a device, as it was past.
insert into device_assignment overriding system value select * from jsonb_populate_record(null::device_assignment, %(row)s)
on conflict (id) do update
set practice_id = excluded.practice_id, device_id = excluded.device_id, user_slot = excluded.user_slot,
    patient_id = excluded.patient_id, during = excluded.during, assigned_by = excluded.assigned_by,
    returned_by = excluded.returned_by, pending = excluded.pending, confirmed_at = excluded.confirmed_at,
    confirmed_by = excluded.confirmed_by, confirmed_how = excluded.confirmed_how,
    confirmed_reading = excluded.confirmed_reading, wiped_at = excluded.wiped_at, wiped_by = excluded.wiped_by,
    wiped_how = excluded.wiped_how;

-- drop_device_assignment
-- A use that was refused.
delete from device_assignment where id = (%(row)s::jsonb ->> 'id')::bigint;

-- take_held
-- What is held of one place in the archive, locked.
select held.id, held.practice_id, held.state, held.reason, held.pointer, held.item, held.raw, held.topic,
    held.gateway_id, held.epoch, held.seq, held.device_id, held.patient_id, held.measured_at, held.settled_no,
    held.message_place, held.item_place, held.held_at
from held join jsonb_populate_record(null::held, %(row)s) as past on held.settled_no = past.settled_no
    and held.message_place = past.message_place and held.item_place = past.item_place
    and held.reading_id is not distinct from past.reading_id
for update of held;

-- put_held
-- How a held reading stood past.
update held
set practice_id = past.practice_id, state = past.state, why = past.why, reason = past.reason, pointer = past.pointer,
    patient_id = past.patient_id, device_id = past.device_id, decided_by = past.decided_by, decided_at = past.decided_at,
    decision = past.decision
from jsonb_populate_record(null::held, %(row)s) as past
where held.settled_no = past.settled_no and held.message_place = past.message_place
    and held.item_place = past.item_place and held.reading_id is not distinct from past.reading_id;

-- drop_held
-- What was held no longer.
delete from held
using jsonb_populate_record(null::held, %(row)s) as past
where held.settled_no = past.settled_no and held.message_place = past.message_place
    and held.item_place = past.item_place and held.reading_id is not distinct from past.reading_id;

-- sum_message
-- Messages, each under its number.
select count(*) as rows, coalesce(sum(hashtextextended(row::text, 0)), 0)::text as sum
from (select settled_no, place, practice_id, received_at, topic, sha256, payload from message) as row;

-- sum_delivery
-- How each row of an outbox was settled, but for rows whose messages were purged.
select count(*) as rows, coalesce(sum(hashtextextended(row::text, 0)), 0)::text as sum
from delivery as row
where not exists (select from purge where row.reading_id = any(purge.names));

-- sum_reading
-- Readings, but for the number a database gives them, and for those whose messages were purged.
select count(*) as rows, coalesce(sum(hashtextextended((to_jsonb(row) - 'reading_no')::text, 0)), 0)::text as sum
from reading as row
where not exists (select from purge where purge.patient_id = row.patient_id);

-- sum_observation
-- Their values, each by its reading's name.
select count(*) as rows, coalesce(sum(hashtextextended(row::text, 0)), 0)::text as sum
from (
    select reading_key.reading_id, observation.practice_id, patient_id, measured_at, code, value, unit, quality
    from observation join reading_key on reading_key.reading_no = observation.reading_no
) as row;

-- sum_latest
-- The newest values, each by its reading's name.
select count(*) as rows, coalesce(sum(hashtextextended(row::text, 0)), 0)::text as sum
from (
    select reading_key.reading_id, latest.practice_id, patient_id, code, measured_at, value, unit
    from latest join reading_key on reading_key.reading_no = latest.reading_no
) as row;

-- sum_held
-- What is or was held, and what became of it; but for its number, and when the judge looked at it.
select count(*) as rows, coalesce(sum(hashtextextended((to_jsonb(row) - 'id' - 'judged_at')::text, 0)), 0)::text as sum
from held as row;

-- sum_correction
-- What was corrected of stored readings, but for those whose messages were purged.
select count(*) as rows, coalesce(sum(hashtextextended((to_jsonb(row) - 'id')::text, 0)), 0)::text as sum
from correction as row
where not exists (select from purge where row.reading_id = any(purge.names));

-- sum_rollup
-- What days and weeks came to.
select count(*) as rows, coalesce(sum(hashtextextended(row::text, 0)), 0)::text as sum from rollup as row;
