-- judged
-- What is known of some patients on this day of theirs: the dry weight in force, the last pregnancy. A date nobody was born on
-- is a slip of the pen, and must not stop anybody from being judged.
select patient.id, patient.time_zone, least(greatest(patient.birth_date, '1800-01-01'), '2800-01-01') as birth_date,
    weight.value, weight.unit, pregnancy.from_on, pregnancy.until_on
from patient
    left join lateral (
        select value, unit from patient_fact
        where patient_id = patient.id and kind = 'dry_weight' and withdrawn_at is null
            and (%(now)s::timestamptz at time zone patient.time_zone)::date
                between from_on and coalesce(until_on, 'infinity')
    ) as weight on true
    left join lateral (
        select from_on, until_on from patient_fact
        where patient_id = patient.id and kind = 'pregnancy' and withdrawn_at is null
            and from_on <= (%(now)s::timestamptz at time zone patient.time_zone)::date
        order by from_on desc
        limit 1
    ) as pregnancy on true
where patient.id = any(%(patients)s::bigint[]);

-- history
-- What was entered of a patient, the newest first, and by whom.
select patient_fact.id, kind, value, unit, from_on, until_on, entered_at, entrant.display_name as entered_by,
    withdrawn_at, withdrawer.display_name as withdrawn_by, ender.display_name as ended_by
from patient_fact
    join staff as entrant on entrant.id = patient_fact.entered_by
    left join staff as withdrawer on withdrawer.id = patient_fact.withdrawn_by
    left join staff as ender on ender.id = patient_fact.ended_by
where patient_id = %(patient_id)s and patient_fact.practice_id = %(practice_id)s
order by withdrawn_at is not null, from_on desc, patient_fact.id desc;

-- lock
-- Two people who enter something of one patient do so one after the other.
select id from patient where id = %(patient_id)s and practice_id = %(practice_id)s for no key update;

-- give_way
-- What stands of this kind ends before the day from which the new fact holds; what begins on it or later is withdrawn.
update patient_fact
set until_on = case when from_on < %(from_on)s then %(from_on)s::date - 1 else until_on end,
    ended_by = case when from_on < %(from_on)s then %(staff_id)s else ended_by end,
    withdrawn_at = case when from_on < %(from_on)s then null else %(now)s::timestamptz end,
    withdrawn_by = case when from_on < %(from_on)s then null else %(staff_id)s::bigint end
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and kind = %(kind)s and withdrawn_at is null
    and daterange(from_on, until_on, '[]') && daterange(%(from_on)s, null, '[]');

-- overlaps
-- What stands of this kind on these days.
select from_on, until_on from patient_fact
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and kind = %(kind)s and withdrawn_at is null
    and daterange(from_on, until_on, '[]') && daterange(%(from_on)s, null, '[]')
limit 1;

-- enter
-- A fact, with who says so.
insert into patient_fact (practice_id, patient_id, kind, value, unit, from_on, entered_by, entered_at)
values (%(practice_id)s, %(patient_id)s, %(kind)s, %(value)s, %(unit)s, %(from_on)s, %(staff_id)s, %(now)s)
returning id;

-- end
-- A fact that holds no longer after a day.
update patient_fact set until_on = %(until_on)s, ended_by = %(staff_id)s
where id = %(fact_id)s and patient_id = %(patient_id)s and practice_id = %(practice_id)s and withdrawn_at is null
    and from_on <= %(until_on)s and until_on is null
returning id;

-- withdraw
-- A fact that was entered by mistake.
update patient_fact set withdrawn_at = %(now)s, withdrawn_by = %(staff_id)s
where id = %(fact_id)s and patient_id = %(patient_id)s and practice_id = %(practice_id)s and withdrawn_at is null
returning id;
