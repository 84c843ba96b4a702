-- waiting
-- Of these patients, the readings that wait for a second one.
select patient_id, reading_no, rule_id from repeat_wait where patient_id = any(%(patients)s) and ended_at is null;

-- unasked
-- Of these patients, the readings whose deadline is to come, and nobody can be asked for a second one: no box, nobody at it,
-- or a box that does not know how to ask. What has ended counts as well, or it would wait at the next look.
select repeat_wait.reading_no
from repeat_wait left join gateway_request on gateway_request.id = repeat_wait.request_id
where repeat_wait.patient_id = any(%(patients)s) and repeat_wait.until_at > %(now)s
    and repeat_wait.asked_at is not null and (repeat_wait.request_id is null or gateway_request.state = 'unknown');

-- save
-- A first reading out of range waits. It may have waited before: then nobody is asked again.
insert into repeat_wait (patient_id, reading_no, practice_id, rule_id, severity, measured_at, began_at, until_at, due_at)
values (%(patient_id)s, %(reading_no)s, %(practice_id)s, %(rule_id)s, %(severity)s, %(measured_at)s, %(now)s, %(until)s,
    %(until)s)
on conflict (patient_id, reading_no) do update
set rule_id = excluded.rule_id, severity = excluded.severity, measured_at = excluded.measured_at,
    until_at = excluded.until_at, due_at = excluded.due_at, ended_at = null, outcome = null
where repeat_wait.practice_id = excluded.practice_id
    and (repeat_wait.ended_at is not null or repeat_wait.due_at is distinct from excluded.due_at
        or repeat_wait.rule_id <> excluded.rule_id or repeat_wait.severity <> excluded.severity);

-- finish
-- It waits no more.
update repeat_wait set ended_at = %(now)s, outcome = %(outcome)s, due_at = null
where patient_id = %(patient_id)s and reading_no = %(reading_no)s and ended_at is null;

-- again
-- Its rule failed this time: it is looked at again, at the deadline or a while from now.
update repeat_wait set due_at = greatest(until_at, %(earliest)s)
where patient_id = %(patient_id)s and reading_no = %(reading_no)s and ended_at is null;

-- due
-- Whose time is over. Not locked: who judges locks a patient's news first, then what of theirs waits.
select patient_id, reading_no, practice_id from repeat_wait where due_at <= %(now)s order by due_at limit %(limit)s;

-- wake
-- Have these patients judged.
insert into patient_news (patient_id, practice_id, since, count)
select patient_id, min(practice_id), %(now)s, 0
from unnest(%(patients)s::bigint[], %(practices)s::integer[]) as row (patient_id, practice_id)
group by patient_id order by patient_id
on conflict (patient_id) do update set count = patient_news.count;

-- woken
-- They need not be woken again, unless they wait longer by now. In the transaction of `wake`: neither is without the other.
update repeat_wait set due_at = null
from unnest(%(patients)s::bigint[], %(readings)s::bigint[]) as row (patient_id, reading_no)
where repeat_wait.patient_id = row.patient_id and repeat_wait.reading_no = row.reading_no and due_at <= %(now)s;

-- to_ask
-- Who is to be asked at home, and at which box: the one the first reading came through. Nobody is asked with little time left.
select repeat_wait.patient_id, repeat_wait.reading_no, repeat_wait.practice_id, repeat_wait.until_at,
    reading.gateway_id, reading.kind, reading.user_slot
from repeat_wait
    left join reading on reading.reading_no = repeat_wait.reading_no and reading.measured_at = repeat_wait.measured_at
where repeat_wait.ended_at is null and repeat_wait.asked_at is null and repeat_wait.until_at > %(at_least_until)s
order by repeat_wait.began_at
limit %(limit)s
for update of repeat_wait skip locked;

-- asked
-- It was seen to: by this request; or there was nobody to ask, and waiting is in vain.
update repeat_wait set asked_at = %(now)s, request_id = %(request_id)s,
    due_at = case when %(request_id)s::uuid is null then least(due_at, %(now)s) else due_at end
where patient_id = %(patient_id)s and reading_no = %(reading_no)s;

-- give_up
-- A box has answered that it does not know how to ask: waiting is in vain.
update repeat_wait set due_at = %(now)s
from gateway_request
where gateway_request.id = repeat_wait.request_id and gateway_request.state = 'unknown'
    and repeat_wait.ended_at is null and repeat_wait.due_at > %(now)s;

-- to_withdraw
-- Requests that are still shown or on their way although the second reading came, or the first is no longer out of range.
select repeat_wait.request_id, repeat_wait.practice_id
from repeat_wait join gateway_request on gateway_request.id = repeat_wait.request_id
where gateway_request.state in ('asked', 'sent', 'shown') and repeat_wait.ended_at <= %(ended_before)s
    and repeat_wait.outcome <> 'unanswered'
order by repeat_wait.ended_at
limit %(limit)s
for update of repeat_wait skip locked;
