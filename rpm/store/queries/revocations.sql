-- one_at_a_time
-- One maker of lists at a time, until the transaction ends.
select pg_advisory_xact_lock(%(key)s);

-- newest
-- The newest list of an authority.
select number, issued_at, next_update, serials, pem from revocation_list
where authority = %(authority)s order by number desc limit 1;

-- revoked
-- What stands on an authority's list now.
select serial, revoked_at, revoked_why from certificate
where authority = %(authority)s and revoked_at <= %(now)s and not_after > %(ended_after)s
order by revoked_at, serial;

-- add
-- A new list.
insert into revocation_list (authority, number, issued_at, next_update, serials, pem)
values (%(authority)s, %(number)s, %(now)s, %(next_update)s, %(serials)s, %(pem)s);

-- forget
-- Lists nobody will ask for any more.
delete from revocation_list where authority = %(authority)s and number <= %(number)s;

-- to_cut
-- Revoked certificates on a list the broker has, whose owners are still to be thrown out.
select serial, name from certificate
where authority = %(authority)s and cut_at is null and revoked_why <> 'superseded' and serial = any(%(serials)s)
order by name;

-- cut
-- Their owners were thrown out.
update certificate set cut_at = %(now)s where serial = any(%(serials)s);

-- accounts
-- Every name that ever had a certificate: its role, and whether it may still come in.
select name, min(role) as role, bool_or(revoked_at is null or revoked_at > %(now)s) as may from certificate
group by name order by name;

-- accounts_of
-- The same for these names.
select name, min(role) as role, bool_or(revoked_at is null or revoked_at > %(now)s) as may from certificate
where name = any(%(names)s) group by name order by name;

-- grant_renewed
-- A gateway that renews has its account already: to tell the broker again would end its connection.
update certificate set granted_at = %(now)s
where granted_at is null and exists (
    select from certificate as before
    where before.name = certificate.name and before.granted_at is not null
        and (before.revoked_at is null or before.revoked_at > %(now)s)
);

-- to_grant
-- Names with a certificate whose account the broker has not been told.
select distinct name from certificate where granted_at is null and revoked_at is null order by name limit %(limit)s;

-- grant
-- The broker has their accounts.
update certificate set granted_at = %(now)s where name = any(%(names)s) and granted_at is null;
