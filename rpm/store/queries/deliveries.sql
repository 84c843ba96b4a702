-- settled
-- Which of these outbox rows were settled before, under which name and how.
select delivery.gateway_id, delivery.epoch, delivery.seq, delivery.reading_id, delivery.outcome
from unnest(%(gateways)s::text[], %(epochs)s::text[], %(seqs)s::bigint[]) as asked (gateway_id, epoch, seq)
    join delivery using (gateway_id, epoch, seq);

-- settle
-- Settle these outbox rows; fewer are inserted than asked where another worker was quicker.
insert into delivery (gateway_id, epoch, seq, reading_id, outcome)
select gateway_id, epoch, seq, reading_id, outcome
from unnest(%(gateways)s::text[], %(epochs)s::text[], %(seqs)s::bigint[], %(ids)s::uuid[], %(outcomes)s::text[])
    as row (gateway_id, epoch, seq, reading_id, outcome)
order by gateway_id, epoch, seq
on conflict do nothing;
