-- devices
-- The practice's devices that a gateway of its own has heard, by gateway: whether somebody uses one now, and whether that
-- still waits to be confirmed.
select device.id, device.address, device.label, device.kind, device.seen_at, device.gateway_id,
    coalesce(used.in_use, false) as in_use, coalesce(used.pending, false) as pending
from device
    left join lateral (
        select true as in_use, bool_or(pending) as pending
        from device_assignment
        where device_assignment.device_id = device.id and device_assignment.during @> %(now)s::timestamptz
        having count(*) > 0
    ) as used on true
where device.practice_id = %(practice_id)s and device.gateway_id is not null
    and (%(gateway_id)s::text is null or device.gateway_id = %(gateway_id)s)
order by device.gateway_id, device.label, device.id;

-- people
-- Who uses the devices a gateway has heard, now.
select distinct patient.id as patient_id, patient.public_id, patient.given_name, patient.family_name, patient.phone,
    patient.time_zone
from device
    join device_assignment on device_assignment.device_id = device.id
        and device_assignment.during @> %(now)s::timestamptz
    join patient on patient.id = device_assignment.patient_id
where device.practice_id = %(practice_id)s and device.gateway_id = %(gateway_id)s
order by patient.family_name, patient.given_name, patient.id;

-- silent
-- People who are looked after and of whom nothing was filed since then, the longest silent first; with each, the devices
-- given to them (one row without a device where there is none), who heard them last and what of them is held since.
with heard as (
    select patient_id, max(measured_at) as measured_at
    from latest where practice_id = %(practice_id)s
    group by patient_id
), silent as (
    select patient.id, patient.public_id, patient.given_name, patient.family_name, patient.phone, patient.time_zone,
        heard.measured_at as heard_at, enrolment.started_at
    from patient
        join enrolment on enrolment.patient_id = patient.id and enrolment.ended_at is null
            and enrolment.started_at <= %(before)s
        left join heard on heard.patient_id = patient.id
    where patient.practice_id = %(practice_id)s and (heard.measured_at is null or heard.measured_at <= %(before)s)
    order by coalesce(heard.measured_at, enrolment.started_at), patient.id
    limit %(limit)s
)
select silent.id as patient_id, silent.public_id, silent.given_name, silent.family_name, silent.phone, silent.time_zone,
    silent.heard_at, silent.started_at, device.id as device_id, device.label, device.address, device.seen_at,
    device.gateway_id, device_assignment.pending, coalesce(held.number, 0) as held
from silent
    left join device_assignment on device_assignment.patient_id = silent.id
        and device_assignment.during @> %(now)s::timestamptz
    left join device on device.id = device_assignment.device_id
    left join lateral (
        select count(*) as number from held
        where held.device_id = device.id and held.state = 'held'
            and (silent.heard_at is null or held.measured_at is null or held.measured_at > silent.heard_at)
    ) as held on true
order by coalesce(silent.heard_at, silent.started_at), silent.id, device.id;

-- held
-- How many readings of the practice wait for a decision, by what keeps them, and since when.
select why, count(*) as number, min(held_at) as since
from held where practice_id = %(practice_id)s and state = 'held'
group by why;
