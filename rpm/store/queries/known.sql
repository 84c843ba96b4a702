-- gateways_of
-- Which practice each of these gateways belongs to.
select id, practice_id from gateway where id = any(%(gateways)s::text[]);

-- lock_unclaimed
-- Nobody claims these gateways until this transaction has ended: who does then finds all that is held of them.
select id from gateway where id = any(%(gateways)s::text[]) and practice_id = 0 order by id for share;

-- devices_of
-- The devices of these gateways' practices at these addresses, with everyone who ever used them.
select device.id, device.practice_id, device.address, device.single_person, device.serial,
    device_assignment.id as assignment_id, device_assignment.user_slot, device_assignment.patient_id,
    lower(device_assignment.during) as starts_at, upper(device_assignment.during) as ends_at, device_assignment.pending,
    device_assignment.wiped_at
from (
        select distinct gateway.practice_id, heard.address
        from unnest(%(senders)s::text[], %(addresses)s::text[]) as heard (gateway_id, address)
            join gateway on gateway.id = heard.gateway_id
    ) as asked
    join device on device.practice_id = asked.practice_id and device.address = asked.address
    left join device_assignment on device_assignment.device_id = device.id;

-- lock_pending
-- Nobody confirms or refuses these uses until this transaction has ended.
select id from device_assignment where id = any(%(assignments)s::bigint[]) order by id for share;

-- weighings_of
-- Weights of these patients that a new one is compared with.
select patient_id, measured_at, value, unit
from observation
where patient_id = any(%(patients)s::bigint[]) and code = %(code)s
    and measured_at >= %(since)s and measured_at < %(until)s and quality & %(void)s = 0;
