-- A pause may be written down afterwards: when that was, and that it was taken back, decide what a bill knew of it.
alter table patient_pause add column made_at timestamptz;
update patient_pause set made_at = begins_at;
alter table patient_pause alter column made_at set not null;
alter table patient_pause add column withdrawn_at timestamptz;
alter table patient_pause add column withdrawn_by bigint references staff (id);
