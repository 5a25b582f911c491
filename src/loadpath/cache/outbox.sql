-- {table} stands for the name that the outbox was given.
CREATE TABLE IF NOT EXISTS {table} (
    id   bigserial PRIMARY KEY,
    what bytea NOT NULL,
    at   timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
