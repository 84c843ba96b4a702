-- lock
-- A gateway of the practice, locked: two codes at once are one after the other. No row for another practice's.
select id from gateway where id = %(gateway_id)s and practice_id = %(practice_id)s and retired_at is null for update;

-- withdraw
-- A newer code takes the place of those that were given out and not used.
update gateway_claim set withdrawn_at = %(now)s
where gateway_id = %(gateway_id)s and used_at is null and withdrawn_at is null and expires_at > %(now)s;

-- open
-- A code for a gateway.
insert into gateway_claim (practice_id, gateway_id, code_hash, opened_by, opened_at, expires_at)
values (%(practice_id)s, %(gateway_id)s, %(code_hash)s, %(staff_id)s, %(now)s, %(expires_at)s);

-- lock_code
-- The claim of a code's hash is this transaction's until it ends. A statement of its own: one that waited for the lock
-- would still see the certificates of before.
select id from gateway_claim where code_hash = %(code_hash)s for update;

-- find
-- The claim of a code's hash, with the key that used it and what it was given.
select claim.id as claim_id, claim.practice_id, claim.gateway_id, claim.code_hash as hash, claim.expires_at,
    claim.withdrawn_at, certificate.public_key as key, claim.serial, certificate.pem as certificate
from gateway_claim as claim left join certificate on certificate.serial = claim.serial
where claim.code_hash = %(code_hash)s;

-- use
-- A code is used up by the certificate that it brought.
update gateway_claim set used_at = %(now)s, serial = %(serial)s where id = %(claim_id)s;

-- latest
-- The newest claim of each of a practice's gateways.
select distinct on (gateway_id) gateway_id, opened_at, expires_at, withdrawn_at, used_at
from gateway_claim
where practice_id = %(practice_id)s
order by gateway_id, opened_at desc, id desc;
