-- of_staff
-- How one person is reached, in the order in which it is tried.
select id, staff_id, channel, address, position, verified_at, code_sent_at, created_at, stopped_at
from contact
where staff_id = %(staff_id)s and removed_at is null
order by position, id;

-- of_practice
-- How everybody of a practice is reached.
select contact.id, contact.staff_id, contact.channel, contact.address, contact.position, contact.verified_at,
    contact.code_sent_at, contact.created_at, contact.stopped_at
from contact join staff on staff.id = contact.staff_id
where contact.practice_id = %(practice_id)s and contact.removed_at is null and staff.active
order by contact.staff_id, contact.position, contact.id;

-- add
-- Another way to reach somebody, tried last; nothing where it is there already. What had stopped has stopped.
insert into contact (practice_id, staff_id, channel, address, position, created_at, stopped_at)
select %(practice_id)s, %(staff_id)s, %(channel)s, %(address)s,
    coalesce((select max(position) from contact where staff_id = %(staff_id)s and removed_at is null), 0) + 1, %(now)s,
    (select max(stopped_at) from contact where channel = %(channel)s and address = %(address)s)
on conflict (staff_id, channel, address) where removed_at is null do nothing
returning id;

-- count
-- How many ways there are to reach somebody.
select count(*) as n from contact where staff_id = %(staff_id)s and removed_at is null;

-- remove
-- It is used no more; what went to it stays on record.
update contact set removed_at = %(now)s, code_hash = null
where id = %(contact_id)s and staff_id = %(staff_id)s and removed_at is null
returning id;

-- first
-- From here on it is tried first; the others keep their order.
update contact
set position = (select min(position) from contact where staff_id = %(staff_id)s and removed_at is null) - 1
where id = %(contact_id)s and staff_id = %(staff_id)s and removed_at is null
returning id;

-- ask
-- What was sent to a contact, so that its owner can give it back.
update contact set code_hash = %(code_hash)s, code_sent_at = %(now)s, code_tries = 0
where id = %(contact_id)s and removed_at is null
returning id;

-- by_code
-- The contact to which this link was sent; a code that was spoken is typed by its owner, who is signed in and has few tries.
select contact.id, contact.practice_id, contact.staff_id, contact.channel, contact.code_sent_at, practice.name as clinic
from contact join practice on practice.id = contact.practice_id
where contact.code_hash = %(code_hash)s and contact.channel <> 'voice' and contact.removed_at is null;

-- guess
-- A code typed for a contact: counted before it is looked at.
update contact set code_tries = code_tries + 1
where id = %(contact_id)s and staff_id = %(staff_id)s and removed_at is null and code_hash is not null
returning code_hash, code_sent_at, code_tries;

-- verify
-- Its owner has answered from it.
update contact set verified_at = %(now)s, code_hash = null, code_tries = 0 where id = %(contact_id)s returning id;

-- due
-- Contacts of people at work that were never proven, or not lately, and were not asked lately either.
select contact.id, contact.channel, contact.address, practice.name as clinic
from contact
    join staff on staff.id = contact.staff_id and staff.active
    join practice on practice.id = contact.practice_id
where contact.removed_at is null and contact.stopped_at is null and (contact.verified_at is null or contact.verified_at <= %(verified_before)s)
    -- The synthetic patient's is a program, which gives no answer: each hour's page proves it.
    and not exists (select from patient where patient.practice_id = contact.practice_id and patient.synthetic)
    and (contact.code_sent_at is null or contact.code_sent_at <= %(asked_before)s)
order by contact.code_sent_at nulls first, contact.id
limit %(limit)s
for update of contact skip locked;

-- stop
-- Its owner wants no more texts, or wants them again: every contact with this number, whoever's, also one that was taken out and
-- may come back. Told of those in use.
with changed as (
    update contact set stopped_at = %(stopped_at)s
    where channel = %(channel)s and address = %(address)s and (stopped_at is null) <> (%(stopped_at)s::timestamptz is null)
    returning id, practice_id, staff_id, removed_at
)
select changed.id as contact_id, changed.practice_id, changed.staff_id, staff.display_name as name, staff.role,
    (
        select count(*) from contact
        where contact.staff_id = changed.staff_id and contact.removed_at is null and contact.id <> changed.id
            and contact.stopped_at is null
    ) as others
from changed join staff on staff.id = changed.staff_id and staff.active
where changed.removed_at is null
order by changed.id;

-- ask_again
-- Its owner wants to be asked now.
update contact set code_sent_at = null, code_hash = null, verified_at = null
where id = %(contact_id)s and staff_id = %(staff_id)s and removed_at is null
returning id;
