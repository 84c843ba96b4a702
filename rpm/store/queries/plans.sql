-- newest
-- Each practice's plan as it stands: of those that ever saved one.
select distinct on (practice_id) practice_id, id, text
from escalation_plan
order by practice_id, id desc;

-- history
-- The plans a practice had, newest first.
select escalation_plan.id, escalation_plan.text, escalation_plan.note, escalation_plan.saved_at,
    staff.display_name as saved_by
from escalation_plan join staff on staff.id = escalation_plan.saved_by
where escalation_plan.practice_id = %(practice_id)s
order by escalation_plan.id desc
limit %(limit)s;

-- save
-- Another plan for a practice; nothing where somebody saved one since `seen`, the newest the author had before him.
insert into escalation_plan (practice_id, text, note, saved_by, saved_at)
select %(practice_id)s, %(text)s, %(note)s, %(saved_by)s, %(now)s
where %(seen)s = coalesce((select max(id) from escalation_plan where practice_id = %(practice_id)s), 0)
returning id;

-- lock_practice
-- Two people who save at once: the second sees what the first saved.
select id from practice where id = %(practice_id)s for update;

-- overrides
-- Who stands in for whom, of some practices, from `since` on.
select rota_override.id, rota_override.practice_id, rota_override.rota, rota_override.begins_at, rota_override.ends_at,
    stand_in.username as who, replaced.username as instead_of, stand_in.display_name as who_name,
    replaced.display_name as instead_of_name, rota_override.reason, maker.display_name as made_by
from rota_override
    join staff as maker on maker.id = rota_override.made_by
    left join staff as stand_in on stand_in.id = rota_override.who
    left join staff as replaced on replaced.id = rota_override.instead_of
where rota_override.practice_id = any(%(practices)s) and rota_override.withdrawn_at is null
    and rota_override.ends_at > %(since)s
order by rota_override.begins_at, rota_override.id;

-- make_override
-- Somebody stands in, is on duty too, or is away; nothing where a person named is not of the practice.
insert into rota_override (practice_id, rota, begins_at, ends_at, who, instead_of, reason, made_by, made_at)
select %(practice_id)s, %(rota)s, %(begins_at)s, %(ends_at)s, %(who)s, %(instead_of)s, %(reason)s, %(made_by)s, %(now)s
where not exists (
    select 1 from unnest(array[%(who)s, %(instead_of)s]::bigint[]) as named (id)
    where named.id is not null
        and not exists (select 1 from staff where staff.id = named.id and staff.practice_id = %(practice_id)s)
)
returning id;

-- withdraw_override
-- It does not hold any more; nothing where it is another practice's or was withdrawn before.
update rota_override
set withdrawn_by = %(staff_id)s, withdrawn_at = %(now)s
where id = %(override_id)s and practice_id = %(practice_id)s and withdrawn_at is null
returning id;

-- programs
-- The care programme of some patients.
select id, program from patient where id = any(%(patients)s);

-- practices_with_patients
-- The practices in which somebody may need help.
select distinct practice_id from patient where not synthetic order by practice_id;
