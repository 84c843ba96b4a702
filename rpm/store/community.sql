-- What the Community edition of TimescaleDB adds. No migration: the Apache edition refuses it, and nothing of ours needs it.
-- Applied by `rpm-cloud migrate --community`, once, in one transaction.
--
-- NOT RUN on a server of that edition so far: try it on a copy first. The statements are from the documentation of 2.18 and
-- later; on the Apache edition they are known and refused for the licence alone, which a test shows. The layout was measured
-- on a built copy of 2.29.2 with a table of the same shape: 28.6 bytes a row where rows take 183, a patient's 28 days in 1.8 ms.

-- Values lie by patient, then by code and time, in no segments: a patient measures a few times a day, and a segment of a few
-- rows is as large as the rows. (Segments by patient and code: 111 bytes a row.)
alter table observation set (
    timescaledb.enable_columnstore = true,
    timescaledb.segmentby = '',
    timescaledb.orderby = 'patient_id, code, measured_at'
);

-- Once late data have come: what still comes later is taken in, more slowly.
call add_columnstore_policy('observation', after => interval '30 days', if_not_exists => true);

-- Left as they are: `reading`, which is looked up by its name and number and locked to be corrected; `message`, whose bytes are
-- compressed one by one. Continuous aggregates: `rollup` has what they would, and knows of patients' zones. Retention policies:
-- what our own job lets go stands on the record.
