-- reachable
-- The staff of some practices with their contacts, in the order in which they are tried, without those that wrote STOP.
-- Verified: not too long ago.
select staff.id, staff.practice_id, staff.username, staff.role, staff.active,
    coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', contact.id, 'channel', contact.channel, 'address', contact.address,
                'verified', coalesce(contact.verified_at > %(verified_since)s, false)
            ) order by contact.position, contact.id
        ) filter (where contact.id is not null),
        '[]'
    ) as contacts
from staff left join contact on contact.staff_id = staff.id and contact.removed_at is null and contact.stopped_at is null
where staff.practice_id = any(%(practices)s)
group by staff.id
order by staff.id;

-- insert
-- One message to one person by one contact; the key makes a second one of the same call impossible.
insert into notification (practice_id, alert_id, step, recipient_id, contact_id, channel, address, severity, key, reason,
    token, code, created_at, due_at)
values (%(practice_id)s, %(alert_id)s, %(step)s, %(recipient_id)s, %(contact_id)s, %(channel)s, %(address)s, %(severity)s,
    %(key)s, %(reason)s, %(token)s, %(code)s, %(now)s, %(now)s)
on conflict (key) do nothing;

-- codes_in_use
-- The codes a person might still answer with.
select notification.code
from notification join alert on alert.id = notification.alert_id
where notification.recipient_id = %(recipient_id)s and notification.code is not null and alert.status = 'open';

-- tried
-- The contacts of a person to whom a call went already: the same step of the same call.
select contact_id from notification
where alert_id = %(alert_id)s and recipient_id = %(recipient_id)s and step = %(step)s and key like %(call)s;

-- claim
-- Take messages that wait, or whose sender fell silent, the most severe first. The lease tells others to keep off. `armed` is that
-- of the call a message belongs to: its alert may have become worse since, and calls anew then.
with due as (
    select id from notification
    where (state = 'pending' and due_at <= %(now)s) or (state = 'sending' and lease_until <= %(now)s)
    order by severity desc, due_at, id
    limit %(limit)s
    for update skip locked
)
update notification
set state = 'sending', attempts = notification.attempts + 1, lease_until = %(lease_until)s
from due, alert, practice
where notification.id = due.id and alert.id = notification.alert_id and practice.id = notification.practice_id
returning notification.id, notification.practice_id, notification.alert_id, notification.step,
    notification.recipient_id, notification.contact_id, notification.channel, notification.address,
    notification.severity, notification.attempts, notification.token, notification.code, notification.reason,
    split_part(notification.key, '/', 2)::smallint as armed, alert.public_id, practice.name as clinic;

-- still_wanted
-- Just before sending: is the message still ours, is the alert still waiting for somebody, and has its reader written STOP? One that
-- is being written is waited for: it may have looked for messages before this one was there.
select notification.state = 'sending' and notification.attempts = %(attempts)s as ours, alert.status = 'open' as waiting,
    (select stopped_at from contact where contact.id = notification.contact_id for share) is not null as stopped
from notification join alert on alert.id = notification.alert_id
where notification.id = %(notification_id)s;

-- lock_alert
-- Before a message's end is written: the alert first, as everywhere.
select id from alert where id = any(%(alerts)s) order by id for update;

-- finish
-- What became of this attempt. An attempt that lost its lease to another says nothing.
update notification
set state = %(state)s, answer = %(answer)s, due_at = %(due_at)s, sent_at = %(sent_at)s, provider = %(provider)s,
    message_ids = %(message_ids)s, lease_until = null
where id = %(notification_id)s and state = 'sending' and attempts = %(attempts)s
returning id;

-- cancel
-- Nobody need be told any more.
update notification set state = 'cancelled', answer = %(answer)s where alert_id = %(alert_id)s and state = 'pending';

-- by_token
-- The call a link belongs to, and how its alert stands: as of which call and how severe its reader was told, and now.
select notification.practice_id, notification.alert_id, notification.recipient_id, notification.severity,
    notification.step, notification.created_at, split_part(notification.key, '/', 2)::smallint as told, alert.armed,
    alert.severity as stands, alert.public_id, alert.status, practice.name as clinic,
    case when alert.status = 'acknowledged' and alert.snoozed_until is null
        and alert.acknowledged_by = notification.recipient_id then alert.acknowledged_at end as mine_since,
    practice.time_zone, staff.display_name, staff.role, staff.active
from notification
    join alert on alert.id = notification.alert_id
    join practice on practice.id = notification.practice_id
    join staff on staff.id = notification.recipient_id
where notification.token = %(token)s;
