-- add
-- A certificate was signed.
insert into certificate (serial, authority, practice_id, name, role, public_key, pem, issued_at, not_after)
values (%(serial)s, %(authority)s, %(practice_id)s, %(name)s, %(role)s, %(public_key)s, %(pem)s, %(now)s,
    %(not_after)s);

-- lock_gateway
-- Two renewals of a gateway at once are one after the other. A statement of its own: one that waited for the lock would
-- still see the certificates of before.
select id from gateway where id = %(gateway_id)s for update;

-- of_gateway
-- A gateway's certificates, newest first.
select certificate.serial, certificate.public_key as key, certificate.pem, certificate.not_after, certificate.seen_at,
    certificate.revoked_at, gateway.practice_id
from gateway join certificate on certificate.name = gateway.id and certificate.authority = 'gateways'
where gateway.id = %(gateway_id)s and gateway.retired_at is null
order by certificate.issued_at desc;

-- own_gateway
-- A gateway of the practice, locked; no row for no gateway and for another practice's.
select id from gateway where id = %(gateway_id)s and practice_id = %(practice_id)s for update;

-- revoke_gateway
-- Whoever has this gateway's keys is to be cut off; what was superseded and has a day left goes with it.
update certificate set revoked_at = %(now)s, revoked_why = %(why)s
where name = %(gateway_id)s and authority = 'gateways' and practice_id = %(practice_id)s
    and (revoked_at is null or revoked_at > %(now)s);

-- revoke_service
-- A worker's or guard's certificates are no longer good.
update certificate set revoked_at = %(now)s, revoked_why = %(why)s
where name = %(name)s and authority = 'services' and revoked_at is null;

-- seen
-- The gateway was born at the broker with the certificate that ends then: its predecessors are superseded.
update certificate set seen_at = %(now)s
where name = %(gateway_id)s and authority = 'gateways' and not_after = %(not_after)s and seen_at is null
returning issued_at;

-- supersede
-- What came before a certificate that was seen in use is good for a day more.
update certificate set revoked_at = %(until)s, revoked_why = 'superseded'
where name = %(gateway_id)s and authority = 'gateways' and issued_at < %(issued_at)s and revoked_at is null;

-- granted
-- Whether the broker has this certificate's account.
select granted_at is not null as granted from certificate where serial = %(serial)s;

-- home_zone
-- The zone of the people whose devices a gateway hears, where it is one; else the practice's.
select case when count(distinct patient.time_zone) = 1 then min(patient.time_zone) else min(practice.time_zone) end
    as time_zone
from gateway
    join practice on practice.id = gateway.practice_id
    left join device on device.gateway_id = gateway.id
    left join device_assignment as assigned on assigned.device_id = device.id and assigned.during @> %(now)s::timestamptz
    left join patient on patient.id = assigned.patient_id
where gateway.id = %(gateway_id)s;

-- newest_of_practice
-- The newest certificate of each of a practice's gateways.
select distinct on (name) name as gateway_id, issued_at, not_after, seen_at, granted_at, revoked_at, revoked_why, cut_at
from certificate
where practice_id = %(practice_id)s and authority = 'gateways'
order by name, issued_at desc;

-- standing_of
-- How the certificates of one gateway stand, the newest first.
select name as gateway_id, issued_at, not_after, seen_at, granted_at, revoked_at, revoked_why, cut_at
from certificate
where practice_id = %(practice_id)s and authority = 'gateways' and name = %(gateway_id)s
order by issued_at desc, serial
limit %(limit)s;

-- services_ending
-- Services whose newest certificate ends soon, or has ended.
select name, not_after from (
    select distinct on (name) name, not_after, revoked_at from certificate
    where authority = 'services' order by name, issued_at desc
) as newest
where revoked_at is null and not_after < %(before)s
order by name;

-- practices
-- Practices that have a gateway with a certificate.
select distinct practice_id from certificate where authority = 'gateways' order by practice_id;
