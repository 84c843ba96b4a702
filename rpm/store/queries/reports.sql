-- delivered
-- A message arrived; no row where that is known already.
update notification set delivered_at = %(now)s
where id = %(notification_id)s and delivered_at is null
returning practice_id, alert_id, recipient_id, channel;

-- of_token
-- The message a report is about, before it is locked, and the alerts besides its own that it told of.
select id, alert_id, array(select besides.alert_id from notification as besides where besides.told_in = notification.id) as besides
from notification where token = %(token)s;

-- keep
-- What a provider said of a message, once. It may come before we have written that the message was taken.
update notification set reports = reports || %(receipt)s
where id = %(notification_id)s and not reports @> %(receipt)s and jsonb_array_length(reports) < %(most)s;

-- said_of
-- Who took a message, under which names, and all that was said of it.
select provider, message_ids, reports from notification where id = %(notification_id)s;

-- overdue
-- Messages that a provider took long enough ago, would have reported on, and did not: their alerts still wait for somebody.
select notification.id, notification.alert_id,
    array(select besides.alert_id from notification as besides where besides.told_in = notification.id) as besides
from notification join alert on alert.id = notification.alert_id
where notification.state = 'sent' and notification.channel = %(channel)s
    and notification.provider = any(%(providers)s) and notification.delivered_at is null
    and notification.told_in is null and notification.sent_at <= %(before)s and notification.sent_at > %(since)s
    and alert.status = 'open'
order by notification.severity desc, notification.sent_at, notification.id
limit %(limit)s;

-- not_delivered
-- A message did not arrive, nor do those arrive that it told of as well. Nothing, where it has arrived meanwhile.
update notification set state = 'failed', answer = %(answer)s
from alert, practice
where (notification.id = %(notification_id)s or notification.told_in = %(notification_id)s)
    and notification.state = 'sent' and notification.delivered_at is null
    and alert.id = notification.alert_id and practice.id = notification.practice_id
returning notification.id, notification.practice_id, notification.alert_id, notification.step,
    notification.recipient_id, notification.contact_id, notification.channel, notification.address,
    notification.severity, notification.attempts, notification.token, notification.code, notification.reason,
    split_part(notification.key, '/', 2)::smallint as armed, alert.public_id, practice.name as clinic;

-- of_contacts
-- The alerts that wait for somebody and were told to these contacts, are being told or about to be, in the call that is under way.
select distinct notification.alert_id
from notification join alert on alert.id = notification.alert_id
where notification.contact_id = any(%(contacts)s) and notification.state in ('pending', 'sending', 'sent')
    and notification.created_at > %(since)s and alert.status = 'open'
    and notification.key like alert.id || '/' || alert.armed || '/%%';

-- give_up
-- Whoever has these contacts is not told by them any more: as if nothing had arrived. A sender that has one in hand loses its lease.
update notification set state = 'failed', answer = %(answer)s, lease_until = null
from alert, practice
where notification.contact_id = any(%(contacts)s) and notification.state in ('pending', 'sending', 'sent')
    and notification.created_at > %(since)s and alert.id = notification.alert_id and alert.status = 'open'
    and notification.key like alert.id || '/' || alert.armed || '/%%' and practice.id = notification.practice_id
returning notification.id, notification.practice_id, notification.alert_id, notification.step,
    notification.recipient_id, notification.contact_id, notification.channel, notification.address,
    notification.severity, notification.attempts, notification.token, notification.code, notification.reason,
    alert.armed, alert.public_id, practice.name as clinic;

-- calls_of_number
-- The text messages that went to a number since then, and whether their alerts still wait for the answer to them: one that has
-- become worse since, or was forgotten, calls anew, and an old answer that comes twice is none to that.
select notification.alert_id, notification.practice_id, notification.recipient_id, notification.code, alert.public_id,
    split_part(notification.key, '/', 2)::smallint as told, alert.armed, alert.status = 'open' as open,
    case when alert.status = 'acknowledged' and alert.snoozed_until is null
        and alert.acknowledged_by = notification.recipient_id then alert.acknowledged_at end as mine_since,
    practice.time_zone, staff.display_name, staff.role
from notification
    join alert on alert.id = notification.alert_id
    join practice on practice.id = notification.practice_id
    join staff on staff.id = notification.recipient_id and staff.active
where notification.channel = 'sms' and notification.address = %(address)s and notification.code is not null
    -- Whatever became of it as far as we know: who answers has it.
    and notification.created_at > %(since)s
order by notification.id;

-- told_besides
-- Of how many alerts more a message told: then it was a summary.
select count(*) as n from notification as besides join notification on besides.told_in = notification.id
where notification.token = %(token)s;

-- hear_key
-- A key pressed in a call: counted before it is looked at, and no further than to "no more".
update notification set keys_heard = least(keys_heard + 1, %(most)s + 1)
where token = %(token)s and channel = 'voice'
returning keys_heard;

-- hear_no_more
-- The right key was pressed: the same again is a replay.
update notification set keys_heard = %(most)s where token = %(token)s;
