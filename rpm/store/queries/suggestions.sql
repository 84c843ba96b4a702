-- users
-- Who uses or used the devices of some held readings about then, and what is usual for each: per value at most so many,
-- those nearest in time. Nothing but the practice's own is looked at.
select held.id as held_id, patient.id as patient_id, patient.public_id, patient.given_name, patient.family_name,
    patient.birth_date, patient.time_zone, person.slots, wanted.code, usual.instants, usual.amounts, usual.units
from unnest(%(held)s::bigint[], %(codes)s::smallint[]) as wanted (held_id, code)
    join held on held.id = wanted.held_id and held.practice_id = %(practice_id)s and held.measured_at is not null
    join device on device.practice_id = held.practice_id
        and device.address = held.item -> 'reading' -> 'device' ->> 'address'
    cross join lateral (
        select device_assignment.patient_id, array_agg(distinct device_assignment.user_slot) as slots
        from device_assignment
        where device_assignment.device_id = device.id and device_assignment.practice_id = held.practice_id
            and device_assignment.during && tstzrange(held.measured_at - %(within)s::interval, held.measured_at + %(within)s::interval, '[]')
        group by device_assignment.patient_id
        order by device_assignment.patient_id
        limit %(people)s
    ) as person
    join patient on patient.id = person.patient_id and patient.practice_id = held.practice_id
    cross join lateral (
        select array_agg(near.measured_at) as instants, array_agg(near.value) as amounts, array_agg(near.unit) as units
        from (
            select observation.measured_at, observation.value, observation.unit
            from observation
            where observation.patient_id = person.patient_id and observation.practice_id = held.practice_id
                and observation.code = wanted.code and observation.quality & %(not_these)s = 0
                and observation.measured_at >= held.measured_at - %(within)s::interval
                and observation.measured_at <= held.measured_at + %(within)s::interval
            order by abs(extract(epoch from observation.measured_at - held.measured_at))
            limit %(values)s
        ) as near
    ) as usual
order by held.id, patient.id, wanted.code;
