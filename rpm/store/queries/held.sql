-- hold
-- Keep these, each reading at most once in its practice; returns how many were new.
insert into held (practice_id, why, reason, pointer, item, raw, topic, gateway_id, epoch, seq, reading_id, device_id,
    patient_id, measured_at, settled_no, message_place, item_place, held_at)
select practice_id, why, reason, pointer, item::jsonb, raw, topic, gateway_id, epoch, seq, reading_id, device_id,
    patient_id, measured_at, settled_no, message_place, item_place, %(now)s
from unnest(%(practices)s::integer[], %(whys)s::text[], %(reasons)s::text[], %(pointers)s::text[], %(items)s::text[],
    %(raws)s::bytea[], %(topics)s::text[], %(gateways)s::text[], %(epochs)s::text[], %(seqs)s::bigint[],
    %(ids)s::uuid[], %(devices)s::bigint[], %(patients)s::bigint[], %(instants)s::timestamptz[],
    %(settlements)s::bigint[], %(messages)s::smallint[], %(places)s::smallint[])
    as row (practice_id, why, reason, pointer, item, raw, topic, gateway_id, epoch, seq, reading_id, device_id,
        patient_id, measured_at, settled_no, message_place, item_place)
order by practice_id, reading_id
on conflict (practice_id, reading_id) where reading_id is not null do nothing;

-- voided
-- Which of these readings somebody of their practice has set aside for good.
select held.reading_id
from unnest(%(practices)s::integer[], %(ids)s::uuid[]) as asked (practice_id, reading_id)
    join held on held.practice_id = asked.practice_id and held.reading_id = asked.reading_id
where held.state = 'void';

-- overtake
-- These readings came again and are used now: nobody needs to decide on them. What somebody decides on now is left to them.
update held
set state = 'released', decided_at = %(now)s, decision = 'came again, and nothing spoke against it any more'
where id in (
    select held.id
    from unnest(%(practices)s::integer[], %(ids)s::uuid[]) as asked (practice_id, reading_id)
        join held on held.practice_id = asked.practice_id and held.reading_id = asked.reading_id
    where held.state = 'held'
    for update of held skip locked
);

-- list
-- What waits for a decision (or was decided), newest first, with whose device and perhaps whose reading it is.
select held.id, held.practice_id, held.state, held.why, held.reason, held.pointer, held.item, held.raw, held.topic,
    held.gateway_id, held.epoch, held.seq, held.reading_id, held.device_id, held.patient_id, held.measured_at,
    held.held_at, held.decided_at, held.decision,
    device.label as device_label, device.address as device_address,
    patient.public_id as patient_public_id, patient.given_name, patient.family_name,
    staff.display_name as decided_by_name
from held
    left join device on device.id = held.device_id
    left join patient on patient.id = held.patient_id
    left join staff on staff.id = held.decided_by
where held.practice_id = any(%(practices)s::integer[])
    and (%(held_id)s::bigint is null or held.id = %(held_id)s)
    and (%(state)s::text is null or held.state = %(state)s)
    and (%(reason)s::text is null or held.reason = %(reason)s)
    and (%(gateway_id)s::text is null or held.gateway_id = %(gateway_id)s)
    and (%(device)s::text is null or held.item -> 'reading' -> 'device' ->> 'address' = %(device)s
        or held.item ->> 'address' = %(device)s or strpos(lower(device.label), lower(%(device)s)) > 0)
    and (%(since)s::timestamptz is null or held.held_at >= %(since)s)
    and (%(before)s::bigint is null or held.id < %(before)s)
order by held.id desc
limit %(limit)s;

-- count
-- How many wait for a decision.
select count(*) as waiting from held where practice_id = any(%(practices)s::integer[]) and state = 'held';

-- count_by_reason
-- How many wait for each reason.
select reason, count(*) as waiting
from held
where practice_id = any(%(practices)s::integer[]) and state = 'held'
group by reason
order by waiting desc, reason;

-- take_wanted
-- What waits and is wanted, locked, oldest first; what somebody decides on now is left to them.
select held.id, held.practice_id, held.state, held.reason, held.pointer, held.item, held.raw, held.topic, held.gateway_id,
    held.epoch, held.seq, held.device_id, held.patient_id, held.measured_at, held.settled_no, held.message_place,
    held.item_place, held.held_at
from held left join device on device.id = held.device_id
where held.practice_id = any(%(practices)s::integer[]) and held.state = 'held' and held.id > %(after)s
    and (%(reason)s::text is null or held.reason = %(reason)s)
    and (%(gateway_id)s::text is null or held.gateway_id = %(gateway_id)s)
    and (%(device)s::text is null or held.item -> 'reading' -> 'device' ->> 'address' = %(device)s
        or held.item ->> 'address' = %(device)s or strpos(lower(device.label), lower(%(device)s)) > 0)
    and (%(since)s::timestamptz is null or held.held_at >= %(since)s)
    and (%(before)s::bigint is null or held.id < %(before)s)
order by held.id
limit %(limit)s
for update of held skip locked;

-- take
-- One held reading, locked until it is decided.
select id, practice_id, state, reason, pointer, item, raw, topic, gateway_id, epoch, seq, device_id, patient_id, measured_at,
    settled_no, message_place, item_place, held_at
from held
where id = %(held_id)s and practice_id = any(%(practices)s::integer[])
for update;

-- take_like
-- What else of one device and slot waits for an owner in a range of time, locked, oldest first.
select id, practice_id, state, reason, item, topic, gateway_id, epoch, seq, device_id, patient_id, measured_at,
    settled_no, message_place, item_place, held_at
from held
where practice_id = %(practice_id)s and state = 'held' and reason = any(%(reasons)s::text[])
    and item -> 'reading' -> 'device' ->> 'address' = %(address)s
    and nullif((item -> 'reading' ->> 'user_slot')::integer, 255) is not distinct from %(user_slot)s::integer
    and measured_at >= %(start)s and (%(end)s::timestamptz is null or measured_at < %(end)s)
order by id
limit %(limit)s
for update;

-- confirm_by_claim
-- A reading of a device that waits to be confirmed as this patient's was claimed for them: it is theirs.
update device_assignment
set pending = false, confirmed_at = %(now)s, confirmed_by = %(staff_id)s, confirmed_how = 'claim',
    confirmed_reading = %(reading_id)s
from device
where device.practice_id = %(practice_id)s and device.address = %(address)s
    and device_assignment.device_id = device.id and device_assignment.pending
    and device_assignment.user_slot is not distinct from %(user_slot)s::integer
    and device_assignment.patient_id = %(patient_id)s and device_assignment.during @> %(measured_at)s::timestamptz;

-- take_of_gateway
-- What one gateway sent before its practice was known, locked, oldest first.
select id, practice_id, state, reason, item, topic, gateway_id, epoch, seq, device_id, patient_id, measured_at,
    settled_no, message_place, item_place, held_at
from held
where practice_id = %(practice_id)s and gateway_id = %(gateway_id)s and state = 'held' and reason = %(reason)s
order by id
limit %(limit)s
for update;

-- decide
-- What became of it, and who decided.
update held
set state = %(state)s, decided_by = %(staff_id)s, decided_at = %(now)s, decision = %(decision)s,
    patient_id = coalesce(%(patient_id)s, patient_id)
where id = %(held_id)s;

-- hold_on
-- Something else is wrong with it now: the judge looks again, a person must decide again.
update held
set why = %(why)s, reason = %(reason)s, pointer = %(pointer)s, patient_id = %(patient_id)s,
    device_id = %(device_id)s, judged_at = null
where id = %(held_id)s;

-- own_patient
-- Whether a patient is this practice's, and the record is there.
select id from patient
where id = %(patient_id)s and practice_id = %(practice_id)s
    and not exists (select from purge where purge.patient_id = patient.id);
