-- How far a reading's time may be off in either direction, where its gateway says so: its own clock was not set.
alter table reading add column uncertainty_s double precision check (uncertainty_s >= 0);
