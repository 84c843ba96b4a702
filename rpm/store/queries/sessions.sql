-- insert
-- Keep a new session: the hash of its token, and its form token.
insert into session (token_hash, staff_id, csrf_token, created_at, seen_at, expires_at)
values (%(token_hash)s, %(staff_id)s, %(csrf_token)s, %(now)s, %(now)s, %(expires_at)s);

-- find
-- The session behind a token, whose it is, and the timer that person has running.
select session.csrf_token, session.seen_at, session.expires_at,
    staff.id as staff_id, staff.practice_id, staff.role, staff.display_name, staff.active,
    practice.name as practice, practice.time_zone,
    timer.started_at as timer_started_at, patient.public_id as timer_public_id, patient.given_name, patient.family_name
from session
    join staff on staff.id = session.staff_id
    join practice on practice.id = staff.practice_id
    left join timer on timer.staff_id = staff.id
    left join patient on patient.id = timer.patient_id
where session.token_hash = %(token_hash)s;

-- touch
-- The person has just done something.
update session set seen_at = %(now)s where token_hash = %(token_hash)s and seen_at < %(now)s;

-- delete
-- End one session.
delete from session where token_hash = %(token_hash)s;

-- delete_of_staff
-- End every session of one person.
delete from session where staff_id = %(staff_id)s;

-- delete_all
-- End every session there is.
delete from session;

-- delete_expired
-- Forget sessions nobody can use any more.
delete from session where expires_at <= %(now)s or seen_at <= %(idle_before)s;

-- failures
-- Wrong log-ins kept under these keys.
select key, count, last_at from login_failure where key = any(%(keys)s) and last_at > %(since)s;

-- count_failure
-- One more wrong log-in under each key; a count older than the window starts again.
insert into login_failure (key, count, last_at)
select key, 1, %(now)s from unnest(%(keys)s::bytea[]) as key
on conflict (key) do update set
    count = case when login_failure.last_at > %(since)s then login_failure.count + 1 else 1 end,
    last_at = excluded.last_at;

-- forget_failures
-- The right password was given: start counting anew.
delete from login_failure where key = any(%(keys)s);

-- delete_old_failures
-- Forget what no longer makes anybody wait.
delete from login_failure where last_at <= %(since)s;
