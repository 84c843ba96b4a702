-- claim_news
-- Take the patients who have waited longest. Their marks are gone when this transaction commits, and back if it does not.
delete from patient_news
where patient_id in (
    select patient_id from patient_news order by since, patient_id limit %(limit)s for update skip locked
)
returning patient_id, practice_id;

-- window
-- What was measured of some patients, each column as the bytes of its values one after another; not what was voided.
select string_agg(int8send(patient_id), '') as patient, string_agg(timestamptz_send(measured_at), '') as measured_at,
    string_agg(int8send(reading_no), '') as reading_no, string_agg(int2send(code), '') as code,
    string_agg(int2send(unit), '') as unit, string_agg(float8send(value), '') as value,
    string_agg(int2send(quality), '') as quality
from observation
where patient_id = any(%(patients)s) and code = any(%(codes)s)
    and measured_at > %(since)s and measured_at <= %(until)s and quality & 8 = 0;

-- said
-- What was said of some readings: when a glucose was taken; whether the device doubts the value, and nobody has let it in by hand.
select reading_no, coalesce(context ->> 'meal', '') as meal,
    released_by is null and status && %(disturbing)s::text[] as disturbed
from reading
where reading_no = any(%(numbers)s::bigint[]) and measured_at > %(since)s and measured_at <= %(until)s
    and (context ? 'meal' or status && %(disturbing)s::text[]);

-- groups
-- The care programme and the practice of some patients: whose limits hold for them.
select patient.id, patient.program, practice.name as practice
from patient join practice on practice.id = patient.practice_id
where patient.id = any(%(patients)s::bigint[]);

-- own_limits
-- What replaces the rules' defaults for some patients.
select patient_id, rule_id, band, quantity, unit, value, approved_by, approved_at
from patient_limit
where patient_id = any(%(patients)s);

-- reading_ids
-- The names of some readings. The time bound keeps the search to a few chunks.
select reading_no, reading_id
from reading
where reading_no = any(%(numbers)s) and measured_at > %(since)s and measured_at <= %(until)s;

-- claim_held
-- Held items nobody has looked at for a red value, oldest first.
select id, practice_id, patient_id, state, item
from held
where judged_at is null
order by id
limit %(limit)s
for update skip locked;

-- mark_judged
-- These held items were looked at.
update held set judged_at = %(now)s where id = any(%(ids)s);
