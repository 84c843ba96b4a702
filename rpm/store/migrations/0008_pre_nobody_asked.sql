-- What a restored database asks its gateways for, nobody asked for: no member of staff stands behind it.
alter table gateway_request alter column asked_by drop not null;
