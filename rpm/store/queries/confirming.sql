-- pending
-- Uses of a practice that nobody has confirmed, those with readings waiting first: of one device, or of all.
select device_assignment.id, device_assignment.device_id, device.label, device.kind, device.gateway_id,
    device_assignment.user_slot, lower(device_assignment.during) as starts_at, upper(device_assignment.during) as ends_at,
    device_assignment.assigned_by, assigner.display_name as assigner,
    patient.id as patient_id, patient.public_id as patient_public_id, patient.given_name, patient.family_name,
    patient.phone, patient.time_zone, waiting.number as waiting, waiting.since as waiting_since
from device_assignment
    join device on device.id = device_assignment.device_id
    join patient on patient.id = device_assignment.patient_id
    left join staff as assigner on assigner.id = device_assignment.assigned_by
    cross join lateral (
        select count(*) as number, min(held.held_at) as since
        from held
        where held.practice_id = device.practice_id and held.state = 'held'
            and held.reason = any(%(reasons)s::text[]) and held.measured_at <@ device_assignment.during
            and held.item -> 'reading' -> 'device' ->> 'address' = device.address
            and nullif((held.item -> 'reading' ->> 'user_slot')::integer, 255)
                is not distinct from device_assignment.user_slot
    ) as waiting
where device_assignment.pending and device_assignment.practice_id = %(practice_id)s
    and (%(device_id)s::bigint is null or device.id = %(device_id)s)
order by waiting.number = 0, waiting.since, device_assignment.id
limit %(limit)s;

-- take
-- One use that waits to be confirmed, locked. Ingest that saw it pending has ended by then.
select device_assignment.id, device.address, device_assignment.user_slot, device_assignment.patient_id,
    device_assignment.assigned_by, lower(device_assignment.during) as starts_at, upper(device_assignment.during) as ends_at
from device_assignment join device on device.id = device_assignment.device_id
where device_assignment.id = %(assignment_id)s and device.id = %(device_id)s
    and device_assignment.practice_id = %(practice_id)s and device_assignment.pending
for update of device_assignment;

-- tests
-- The newest readings that wait for some uses to be confirmed: what the patient may be asked about.
select device_assignment.id as assignment_id, held.id as held_id, held.measured_at, held.item
from device_assignment
    join device on device.id = device_assignment.device_id
    cross join lateral (
        select id, measured_at, item from held
        where held.practice_id = device.practice_id and state = 'held' and reason = any(%(reasons)s::text[])
            and measured_at <@ device_assignment.during
            and item -> 'reading' -> 'device' ->> 'address' = device.address
            and nullif((item -> 'reading' ->> 'user_slot')::integer, 255)
                is not distinct from device_assignment.user_slot
        order by measured_at desc
        limit %(limit)s
    ) as held
where device_assignment.id = any(%(assignments)s::bigint[]) and device_assignment.practice_id = %(practice_id)s
    and device_assignment.pending
order by device_assignment.id, held.measured_at desc;

-- confirm
-- It is this patient's: who says so, how, and by which reading.
update device_assignment
set pending = false, confirmed_at = %(now)s, confirmed_by = %(staff_id)s, confirmed_how = %(how)s,
    confirmed_reading = %(reading_id)s
where id = %(assignment_id)s;

-- refuse
-- It never was this patient's: nothing was filed by it.
delete from device_assignment where id = %(assignment_id)s and pending;

-- prove_set_up
-- The first confirmed reading proves that monitoring was set up, where that was open.
update enrolment
set set_up_at = %(measured_at)s, set_up_reading = %(reading_id)s
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and ended_at is null and set_up_at is null;
