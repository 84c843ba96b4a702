-- take
-- A stored reading of this practice, locked: nobody else corrects it meanwhile.
select reading.reading_no, reading.reading_id, reading.patient_id, reading.measured_at, reading.voided_at
from reading_key
    join reading on reading.reading_no = reading_key.reading_no
where reading_key.reading_id = %(reading_id)s and reading.practice_id = %(practice_id)s
for update of reading;

-- is_patient
-- Whether this is a patient of the practice whose record is there.
select 1 from patient
where id = %(patient_id)s and practice_id = %(practice_id)s
    and not exists (select from purge where purge.patient_id = patient.id);

-- set_reading
-- How a reading stands now: whose, and whether it is used.
update reading set patient_id = %(patient_id)s, voided_at = %(voided_at)s
where reading_no = %(reading_no)s and measured_at = %(measured_at)s;

-- set_observations
-- The same for its values; 8 is the bit that says void.
update observation
set patient_id = %(patient_id)s,
    quality = case when %(voided_at)s::timestamptz is null then quality & ~8 else quality | 8 end
where reading_no = %(reading_no)s and measured_at = %(measured_at)s;

-- forget_latest
-- The newest values of these patients that could be this reading's are looked up anew: out with them first.
delete from latest
where patient_id = any(%(patients)s::bigint[])
    and code in (select code from observation where reading_no = %(reading_no)s and measured_at = %(measured_at)s);

-- find_latest
-- The newest value that is used, of each of these patients and each quantity of this reading.
insert into latest (patient_id, code, practice_id, measured_at, value, unit, reading_no)
select person.id, mine.code, newest.practice_id, newest.measured_at, newest.value, newest.unit, newest.reading_no
from unnest(%(patients)s::bigint[]) as person (id)
    cross join (
        select distinct code from observation where reading_no = %(reading_no)s and measured_at = %(measured_at)s
    ) as mine
    cross join lateral (
        select observation.practice_id, observation.measured_at, observation.value, observation.unit, observation.reading_no
        from observation
            join reading on reading.reading_no = observation.reading_no and reading.measured_at = observation.measured_at
        where observation.patient_id = person.id and observation.code = mine.code and observation.quality & 8 = 0
        order by observation.measured_at desc, coalesce(reading.sequence_number, -1) desc, reading.reading_id desc
        limit 1
    ) as newest;

-- add
-- Write down what was changed.
insert into correction (practice_id, reading_id, kind, patient_before, patient_after, reason, corrected_by, corrected_at)
values (%(practice_id)s, %(reading_id)s, %(kind)s, %(patient_before)s, %(patient_after)s, %(reason)s, %(staff_id)s,
    %(now)s);

-- alerts_on
-- Alerts of a patient that rest on this reading, alone or as one of a mean or trend, and are not closed; locked: nobody closes
-- them before they are told.
select id from alert
where patient_id = %(patient_id)s and status <> 'closed'
    and (evidence -> 'judged' @> %(judged)s or evidence -> 'values' @> %(among)s)
order by id
for update;

-- let_go
-- A reading that became another patient's belongs to none of this one's alerts any more, open or closed: it may raise one
-- where it is now. What an alert shows as its evidence stays as it was.
update alert
set evidence = jsonb_set(evidence, '{judged}', (
        select coalesce(jsonb_agg(one), '[]'::jsonb)
        from jsonb_array_elements(evidence -> 'judged') as one
        where (one ->> 0)::bigint <> %(reading_no)s
    )),
    version = version + 1
where patient_id = %(patient_before)s and evidence -> 'judged' @> %(judged)s;

-- list
-- What was corrected of one reading, oldest first.
select correction.kind, correction.reason, correction.corrected_at, staff.display_name as corrected_by,
    correction.patient_before, correction.patient_after,
    before.public_id as before_public_id, before.family_name as before_family, before.given_name as before_given,
    after.public_id as after_public_id, after.family_name as after_family, after.given_name as after_given
from correction
    join staff on staff.id = correction.corrected_by
    join patient as before on before.id = correction.patient_before
    join patient as after on after.id = correction.patient_after
where correction.reading_id = %(reading_id)s and correction.practice_id = %(practice_id)s
order by correction.id;
