-- lock
-- Nobody else asks this gateway before this transaction ends.
select id from gateway where id = %(gateway_id)s and practice_id = %(practice_id)s for no key update;

-- open
-- What a gateway of this practice is being asked.
select kind, arguments from gateway_request
where gateway_id = %(gateway_id)s and practice_id = %(practice_id)s and state in ('asked', 'sent', 'shown')
    and expires_at > %(now)s;

-- ask
-- Ask a gateway of this practice for something. No row where it is none of this practice's.
insert into gateway_request (practice_id, gateway_id, patient_id, kind, arguments, asked_by, asked_at, expires_at,
    next_send_at)
select practice_id, id, %(patient_id)s::bigint, %(kind)s, %(arguments)s, %(staff_id)s, %(now)s, %(expires_at)s, %(now)s
from gateway where id = %(gateway_id)s and practice_id = %(practice_id)s and retired_at is null
returning id;

-- withdraw
-- Take back what is not answered yet.
update gateway_request set state = 'withdrawn', next_send_at = null, answered_at = %(now)s
where id = %(id)s and practice_id = %(practice_id)s and state in ('asked', 'sent', 'shown')
returning gateway_id, patient_id, expires_at, sends;

-- claim
-- Requests to publish now, no two workers the same: each is published again, later each time, until it is answered.
with due as (
    select id from gateway_request
    where state in ('asked', 'sent') and next_send_at <= %(now)s and expires_at > %(now)s
    order by next_send_at
    limit %(limit)s
    for update skip locked
)
update gateway_request
set state = 'sent', sends = sends + 1,
    next_send_at = %(now)s + least(%(first_s)s * power(2, least(sends, 16)), %(max_s)s) * interval '1 second'
from due where gateway_request.id = due.id
returning gateway_request.id, gateway_request.gateway_id, gateway_request.kind, gateway_request.arguments,
    gateway_request.expires_at;

-- answer
-- What a gateway answered. The last word stands: what was done, or ended, is not shown again by a late message. But what
-- was done was done, also where nobody waited for the word any more: a gateway may be without a line for hours.
update gateway_request
set state = %(state)s, answered_at = %(now)s, next_send_at = null
where id = %(id)s and gateway_id = %(gateway_id)s
    and (state in ('asked', 'sent', 'shown') and state <> %(state)s or state in ('expired', 'withdrawn') and %(state)s = 'done');

-- say_again
-- A gateway has just connected: what it has not answered goes out at once.
update gateway_request set next_send_at = %(now)s where gateway_id = %(gateway_id)s and state in ('asked', 'sent');

-- expire
-- Requests nobody answered in time.
update gateway_request
set state = 'expired', next_send_at = null
where state in ('asked', 'sent', 'shown') and expires_at < %(before)s;

-- list
-- What a gateway of this practice was asked, the newest first.
select gateway_request.id, gateway_request.gateway_id, gateway_request.kind, gateway_request.arguments, gateway_request.asked_at,
    gateway_request.expires_at, gateway_request.state, gateway_request.sends, gateway_request.answered_at,
    coalesce(staff.display_name,
        case gateway_request.kind when 'replay' then 'a restored backup' else 'this program, of itself' end) as asked_by
from gateway_request left join staff on staff.id = gateway_request.asked_by
where gateway_request.gateway_id = %(gateway_id)s and gateway_request.practice_id = %(practice_id)s
    and gateway_request.kind <> 'withdraw'
order by gateway_request.asked_at desc
limit %(limit)s;

-- about_patient
-- What was asked of a patient at home since then, the newest first.
select gateway_request.id, gateway_request.gateway_id, gateway_request.kind, gateway_request.arguments,
    gateway_request.asked_at, gateway_request.expires_at, gateway_request.state, gateway_request.sends,
    gateway_request.answered_at, coalesce(staff.display_name,
        case gateway_request.kind when 'replay' then 'a restored backup' else 'this program, of itself' end) as asked_by
from gateway_request left join staff on staff.id = gateway_request.asked_by
where gateway_request.patient_id = %(patient_id)s and gateway_request.practice_id = %(practice_id)s
    and gateway_request.asked_at >= %(since)s and gateway_request.kind <> 'withdraw'
order by gateway_request.asked_at desc
limit %(limit)s;
