-- sent
-- What went to a contact lately, each summary once.
select sent_at as at, severity from notification
where contact_id = %(contact_id)s and sent_at > %(since)s and told_in is null and state in ('sent', 'failed');

-- postpone
-- Not yet, and no attempt: nothing was tried.
update notification set state = 'pending', attempts = attempts - 1, lease_until = null, due_at = %(until)s
where id = %(notification_id)s and state = 'sending' and attempts = %(attempts)s;

-- postpone_others
-- What is no more urgent and waits for the same contact waits as long.
update notification set due_at = %(until)s
where contact_id = %(contact_id)s and state = 'pending' and severity <= %(severity)s and due_at < %(until)s;

-- waiting
-- What else waits for a contact, of alerts that wait for somebody.
select notification.id, notification.alert_id
from notification join alert on alert.id = notification.alert_id
where notification.contact_id = %(contact_id)s and notification.state = 'pending' and notification.id <> %(notification_id)s
    and alert.status = 'open'
order by notification.id
limit %(limit)s;

-- told
-- These were told in another message; not those somebody has acknowledged meanwhile.
update notification
set state = 'sent', sent_at = %(now)s, told_in = %(told_in)s, provider = %(provider)s, answer = %(answer)s
where id = any(%(ids)s) and state = 'pending'
returning practice_id, alert_id, recipient_id, step, channel;
