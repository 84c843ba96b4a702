-- register
-- A device of this practice; one that is known keeps its id. No row where the values are no device's.
insert into device (practice_id, address, kind, label, single_person, created_at)
values (%(practice_id)s, %(address)s, %(kind)s, %(label)s, %(single_person)s, %(now)s)
on conflict (practice_id, address) do update
set label = excluded.label, kind = excluded.kind, single_person = excluded.single_person
returning id;

-- meet
-- A device somebody claims a reading of, before anybody registered it; a known one stays as it is.
insert into device (practice_id, address, kind, label, single_person, created_at)
values (%(practice_id)s, %(address)s, %(kind)s, %(label)s, true, %(now)s)
on conflict (practice_id, address) do update set label = device.label
returning id;

-- assign
-- Who uses a slot of a device, and when: pending until a reading is confirmed, or confirmed by the one that was claimed.
-- Overlaps are refused by the table. No row: not this practice's.
insert into device_assignment (practice_id, device_id, user_slot, patient_id, during, assigned_by, pending, confirmed_at,
    confirmed_by, confirmed_how, confirmed_reading)
select device.practice_id, device.id, %(user_slot)s, patient.id, tstzrange(%(start)s, %(end)s), %(staff_id)s::bigint,
    %(claimed)s::uuid is null,
    case when %(claimed)s::uuid is not null then %(now)s::timestamptz end,
    case when %(claimed)s::uuid is not null then %(staff_id)s::bigint end,
    case when %(claimed)s::uuid is not null then 'claim' end,
    %(claimed)s::uuid
from device join patient on patient.practice_id = device.practice_id
where device.id = %(device_id)s and device.practice_id = %(practice_id)s and patient.id = %(patient_id)s
    and not exists (select from purge where purge.patient_id = patient.id)
returning id;

-- learn_serial
-- From now on this serial number is the device's; null: the next one it gives.
update device set serial = %(serial)s where id = %(device_id)s and practice_id = %(practice_id)s;

-- give_back
-- Nobody uses it from then on; what was measured before stays whose it was. No row: not this practice's, or over before.
update device_assignment
set during = tstzrange(lower(during), %(at)s), returned_by = %(staff_id)s
where id = %(assignment_id)s and practice_id = %(practice_id)s
    and lower(during) < %(at)s and (upper(during) is null or upper(during) > %(at)s)
returning device_id, patient_id;

-- wipe
-- What this patient, and whoever used the same place before, measured is out of the device. No row: not this practice's, still
-- in use, or wiped before.
with chosen as (
    select patient_id, device_id, user_slot from device_assignment
    where id = %(assignment_id)s and device_id = %(device_id)s and practice_id = %(practice_id)s
        and upper(during) <= %(now)s and wiped_at is null
    for update
), wiped as (
    update device_assignment
    set wiped_at = %(now)s, wiped_by = %(staff_id)s, wiped_how = %(how)s
    from chosen
    where device_assignment.device_id = chosen.device_id and device_assignment.user_slot is not distinct from chosen.user_slot
        and upper(device_assignment.during) <= %(now)s and device_assignment.wiped_at is null
)
select patient_id from chosen;

-- returned
-- Who last used each slot of a device until it was taken back, and whether it was wiped since.
select distinct on (device_assignment.user_slot) device_assignment.id, device_assignment.user_slot,
    device_assignment.patient_id, patient.given_name, patient.family_name, upper(device_assignment.during) as ended_at,
    device_assignment.wiped_at, device_assignment.wiped_how, staff.display_name as wiped_by
from device_assignment
    join patient on patient.id = device_assignment.patient_id
    left join staff on staff.id = device_assignment.wiped_by
where device_assignment.device_id = %(device_id)s and device_assignment.practice_id = %(practice_id)s
    and upper(device_assignment.during) <= %(now)s
order by device_assignment.user_slot nulls first, upper(device_assignment.during) desc;

-- list
-- A practice's devices that say `text` somewhere, each with those who use it now or will; with none, one row without a
-- patient.
select device.id, device.address, device.kind, device.label, device.manufacturer, device.model, device.serial,
    device.firmware, device.single_person, device.created_at, device.seen_at,
    device_assignment.id as assignment_id, device_assignment.user_slot,
    lower(device_assignment.during) as starts_at, upper(device_assignment.during) as ends_at,
    device_assignment.pending, patient.id as patient_id, patient.public_id as patient_public_id, patient.given_name, patient.family_name,
    device_assignment.id is null and exists (
        select from device_assignment as past
        where past.device_id = device.id and upper(past.during) <= %(now)s and past.wiped_at is null
    ) as unwiped
from device
    left join device_assignment on device_assignment.device_id = device.id
        and (upper(device_assignment.during) is null or upper(device_assignment.during) > %(now)s)
    left join patient on patient.id = device_assignment.patient_id
where device.practice_id = %(practice_id)s
    and (%(device_id)s::bigint is null or device.id = %(device_id)s)
    and (%(text)s = '' or strpos(lower(concat_ws(' ', device.label, device.address, device.model, device.serial,
        patient.given_name, patient.family_name)), lower(%(text)s)) > 0)
order by device.label, device.id, device_assignment.user_slot nulls first, starts_at
limit %(limit)s;
