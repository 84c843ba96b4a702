-- insert
-- Add a member of staff; nothing is returned where the username is taken.
insert into staff (practice_id, username, display_name, role, password_hash, created_at)
values (%(practice_id)s, %(username)s, %(display_name)s, %(role)s, %(password_hash)s, %(now)s)
on conflict (username) do nothing
returning id;

-- by_username
-- The account of that name, with what a log-in needs.
select id, practice_id, username, display_name, role, password_hash, active
from staff
where username = %(username)s;

-- of_practice
-- Everybody who works or worked in the practice, those who can sign in first.
select id, username, display_name, role, active, created_at,
    (
        select address from contact
        where contact.staff_id = staff.id and channel = 'email' and removed_at is null
        order by position, contact.id
        limit 1
    ) as email
from staff
where practice_id = %(practice_id)s
order by active desc, display_name, id;

-- all
-- Every account of the installation.
select staff.id, username, display_name, role, active, practice.name as practice,
    (
        select address from contact
        where contact.staff_id = staff.id and channel = 'email' and removed_at is null
        order by position, contact.id
        limit 1
    ) as email
from staff join practice on practice.id = staff.practice_id
order by practice.id, username;

-- set_password
-- Give an account another password; returns it where there is one.
update staff set password_hash = %(password_hash)s
where username = %(username)s
returning id, practice_id;

-- set_active
-- Switch an account on or off; returns it where there is one.
update staff set active = %(active)s
where username = %(username)s
returning id, practice_id;

-- practice_of_person
-- The practice a person signed in belongs to.
select name, time_zone from practice where id = %(practice_id)s;

-- practices
-- The practices of the installation; the one that only collects unclaimed gateways is none.
select id, name from practice where id > 0 order by id;

-- insert_practice
-- Make a practice.
insert into practice (name, time_zone, created_at) values (%(name)s, %(time_zone)s, %(now)s)
returning id;
