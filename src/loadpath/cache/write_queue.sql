-- {table} stands for the name that the queue was given, {name} for it without its schema.
CREATE TABLE IF NOT EXISTS {table} (
    id    bigserial PRIMARY KEY,
    key   bytea NOT NULL,
    value bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX IF NOT EXISTS {name}_key ON {table} USING hash (key);
CREATE TABLE IF NOT EXISTS {table}_dead (
    id    bigint PRIMARY KEY,
    key   bytea NOT NULL,
    value bytea NOT NULL,
    why   text NOT NULL
);
CREATE TABLE IF NOT EXISTS {table}_owner (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    token   text NOT NULL,
    expires timestamptz NOT NULL
);

-- Keeps a write and returns its id; null when the queue is full. Writes of a key are numbered in the
-- order of their commits: the number is drawn under a lock that the commit gives back.
CREATE OR REPLACE FUNCTION {table}_put(key bytea, value bytea, most bigint) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    drawn bigint;
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM pg_advisory_xact_lock(
        hashtextextended(encode(key, 'hex'), '{table}'::regclass::oid::bigint));
    IF (SELECT max(q.id) - min(q.id) + 1 FROM {table} q) >= most THEN
        RETURN NULL;
    END IF;
    INSERT INTO {table} AS q (key, value) VALUES ($1, $2)
        RETURNING q.id INTO drawn;
    RETURN drawn;
END $$;
