-- lock
-- Two people who decide of one patient do so one after the other.
select id from patient where id = %(patient_id)s and practice_id = %(practice_id)s for no key update;

-- decide
-- What somebody decided on an offer, and why.
insert into limit_decision (practice_id, patient_id, rule_id, rule_version, band, quantity, unit, value, instead_of,
    instead_of_layer, decision, reason, decided_by, decided_at)
values (%(practice_id)s, %(patient_id)s, %(rule_id)s, %(rule_version)s, %(band)s, %(quantity)s, %(unit)s, %(value)s,
    %(instead_of)s, %(instead_of_layer)s, %(decision)s, %(reason)s, %(staff_id)s, %(now)s);

-- give_way
-- The patient's limit that stood in this place, in whichever unit it was written: the new one is converted for the others.
delete from patient_limit
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and rule_id = %(rule_id)s and band = %(band)s
    and quantity = %(quantity)s;

-- hold
-- A limit of the patient's own, and who answers for it.
insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)
values (%(practice_id)s, %(patient_id)s, %(rule_id)s, %(band)s, %(quantity)s, %(value)s, %(unit)s, %(approved_by)s, %(now)s);

-- decisions
-- What was decided on a patient's offers, the newest first.
select rule_id, rule_version, band, quantity, unit, value, instead_of, instead_of_layer, decision, reason,
    staff.display_name as decided_by, decided_at
from limit_decision join staff on staff.id = limit_decision.decided_by
where patient_id = %(patient_id)s and limit_decision.practice_id = %(practice_id)s
order by limit_decision.id desc;
