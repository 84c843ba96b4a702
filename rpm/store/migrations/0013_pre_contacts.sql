-- Every way to reach a member of staff, whether it was proven to reach, and what became of each message.

-- Tried in the order of `position`. Counts as reachable once its owner has answered from it; again every month.
create table contact (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    staff_id bigint not null references staff,
    channel text not null check (channel in ('email', 'sms', 'voice', 'chat', 'push', 'webhook')),
    address text not null check (address <> ''),
    position smallint not null default 1,
    verified_at timestamptz,
    -- Only the hash of what was sent to it; a code is good for a few tries and an hour.
    code_hash bytea,
    code_sent_at timestamptz,
    code_tries smallint not null default 0,
    created_at timestamptz not null,
    removed_at timestamptz
);
call keep_apart('contact');
create unique index contact_once on contact (staff_id, channel, address) where removed_at is null;

-- Addresses that were in use are asked like new ones, and called until they have answered. staff.email is read no more.
insert into contact (practice_id, staff_id, channel, address, created_at)
select practice_id, id, 'email', email, created_at from staff where email is not null;

-- Which way a message went; what acknowledges it without a log-in; what its provider said of it later.
alter table notification add column contact_id bigint references contact;
alter table notification add column token text unique;
alter table notification add column code text;
alter table notification add column provider text;
alter table notification add column delivered_at timestamptz;
-- The message that told of this one too, when many came at once.
alter table notification add column told_in bigint references notification;
create index notification_by_contact on notification (contact_id, sent_at desc);
create index notification_by_code on notification (recipient_id, code) where code is not null;
