-- progress
-- How far the box of a gateway's newest code has come. What arrived counts from its first message with the certificate that
-- the code brought: a box that is being replaced may still be sending, and what of its was held and is filed later is no
-- sign of the new one. Devices are those it has sent a reading of; before there is one, those that the gateway was known to
-- hear. A reading is looked for from the day before the code was made to a month after.
with claim as (
    select gateway_claim.gateway_id, gateway_claim.practice_id, gateway_claim.opened_at, gateway_claim.expires_at,
        gateway_claim.withdrawn_at, gateway_claim.used_at, certificate.seen_at as heard_at
    from gateway_claim left join certificate on certificate.serial = gateway_claim.serial
    where gateway_claim.practice_id = %(practice_id)s and gateway_claim.gateway_id = %(gateway_id)s
    order by gateway_claim.opened_at desc, gateway_claim.id desc
    limit 1
), arrived as (
    select held.held_at as at, held.item -> 'reading' -> 'device' ->> 'address' as address
    from claim join held on held.practice_id = claim.practice_id and held.gateway_id = claim.gateway_id
        and held.held_at >= claim.heard_at and held.reading_id is not null
    union all
    select reading.admitted_at, device.address
    from claim
        -- By the numbers of what the gateway delivered, one home's: readings have no index by gateway.
        join reading on reading.reading_no = any(array(
                select reading_key.reading_no from delivery join reading_key on reading_key.reading_id = delivery.reading_id
                where delivery.gateway_id = %(gateway_id)s and delivery.outcome = 'stored'
            ))
            and reading.practice_id = claim.practice_id and reading.gateway_id = claim.gateway_id
            and reading.admitted_at >= claim.heard_at
            and reading.measured_at >= (select opened_at from claim) - interval '1 day'
            and reading.measured_at < (select opened_at from claim) + interval '31 days'
        join device on device.id = reading.device_id
    where not exists (
        select from held where held.practice_id = reading.practice_id and held.reading_id = reading.reading_id
    )
), used as (
    select device_assignment.device_id, device_assignment.patient_id, device_assignment.pending,
        lower(device_assignment.during) as since, device_assignment.confirmed_at, device_assignment.confirmed_reading
    from device
        join device_assignment on device_assignment.device_id = device.id
            and device_assignment.during @> %(now)s::timestamptz
    where device.practice_id = %(practice_id)s
        and case when exists (select from arrived) then device.address in (select address from arrived)
            else device.gateway_id = %(gateway_id)s end
)
select claim.gateway_id, claim.opened_at, claim.expires_at, claim.withdrawn_at, claim.used_at, claim.heard_at,
    (select min(at) from arrived) as reading_at,
    (select count(*) from used) > 0 as assigned,
    (select min(since) from used) as assigned_at,
    (select count(*) from used where not pending) > 0 as confirmed,
    (select min(confirmed_at) from used) as confirmed_at,
    (select min(device_id) from used where pending) as pending_device_id,
    exists (
        select from used join enrolment on enrolment.practice_id = claim.practice_id
            and enrolment.patient_id = used.patient_id and enrolment.set_up_reading = used.confirmed_reading
    ) as proof
from claim;
