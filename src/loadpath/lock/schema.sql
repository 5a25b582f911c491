-- The lease tables and the ledger's rules as functions; safe to run again.
-- Every call is one statement and keeps nothing in the session, so any pooler will do.

CREATE TABLE IF NOT EXISTS loadpath_lock (
    key    text PRIMARY KEY,
    token  bigint NOT NULL DEFAULT 0,
    ticket bigint NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS loadpath_lock_holder (
    key     text NOT NULL REFERENCES loadpath_lock ON DELETE CASCADE,
    owner   text NOT NULL,
    token   bigint NOT NULL,
    weight  integer NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (key, owner)
);

CREATE TABLE IF NOT EXISTS loadpath_lock_waiter (
    key      text NOT NULL REFERENCES loadpath_lock ON DELETE CASCADE,
    owner    text NOT NULL,
    ticket   bigint NOT NULL,
    weight   integer NOT NULL,
    capacity integer NOT NULL,
    ttl      double precision NOT NULL,
    channel  text NOT NULL,
    until    timestamptz NOT NULL,
    PRIMARY KEY (key, owner)
);

CREATE OR REPLACE FUNCTION loadpath_lock_seconds(seconds double precision) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$ SELECT make_interval(secs => seconds) $$;

CREATE OR REPLACE FUNCTION loadpath_lock_grant(
    k text, o text, w integer, seconds double precision
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    granted bigint;
BEGIN
    UPDATE loadpath_lock
       SET token = greatest(token + 1, (extract(epoch FROM moment) * 1000000)::bigint)
     WHERE key = k RETURNING token INTO granted;
    INSERT INTO loadpath_lock_holder (key, owner, token, weight, expires)
    VALUES (k, o, granted, w, moment + loadpath_lock_seconds(seconds));
    RETURN granted;
END $$;

CREATE OR REPLACE FUNCTION loadpath_lock_fits(k text, w integer, c integer) RETURNS boolean
LANGUAGE sql AS $$
    SELECT coalesce(sum(weight), 0) + w <= c FROM loadpath_lock_holder WHERE key = k
$$;

-- Lets go who is gone, then serves the queue as far as it fits; true when nobody waits any more.
CREATE OR REPLACE FUNCTION loadpath_lock_sweep(k text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    head loadpath_lock_waiter;
    granted bigint;
BEGIN
    DELETE FROM loadpath_lock_holder WHERE key = k AND expires <= moment;
    DELETE FROM loadpath_lock_waiter WHERE key = k AND until <= moment;
    LOOP
        SELECT * INTO head FROM loadpath_lock_waiter WHERE key = k ORDER BY ticket LIMIT 1;
        IF NOT FOUND THEN
            RETURN true;
        END IF;
        IF NOT loadpath_lock_fits(k, head.weight, head.capacity) THEN
            RETURN false;
        END IF;
        DELETE FROM loadpath_lock_waiter WHERE key = k AND owner = head.owner;
        granted := loadpath_lock_grant(k, head.owner, head.weight, head.ttl);
        IF head.channel <> '' THEN
            PERFORM pg_notify(head.channel, head.owner || ' ' || granted);
        END IF;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION loadpath_lock_acquire(
    k text, o text, w integer, c integer, seconds double precision, patience double precision,
    told text, OUT granted bigint, OUT expires_in double precision, OUT ahead integer
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    free boolean;
BEGIN
    INSERT INTO loadpath_lock (key) VALUES (k) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM loadpath_lock WHERE key = k FOR UPDATE;
    free := loadpath_lock_sweep(k);
    moment := clock_timestamp();
    UPDATE loadpath_lock_holder SET expires = moment + loadpath_lock_seconds(seconds)
     WHERE key = k AND owner = o RETURNING token INTO granted;
    IF granted IS NOT NULL THEN
        RETURN;
    END IF;
    IF free AND loadpath_lock_fits(k, w, c) THEN
        granted := loadpath_lock_grant(k, o, w, seconds);
        RETURN;
    END IF;
    IF patience > 0 THEN
        UPDATE loadpath_lock_waiter SET until = moment + loadpath_lock_seconds(patience)
         WHERE key = k AND owner = o;
        IF NOT FOUND THEN
            UPDATE loadpath_lock SET ticket = ticket + 1 WHERE key = k;
            INSERT INTO loadpath_lock_waiter
            SELECT k, o, ticket, w, c, seconds, told, moment + loadpath_lock_seconds(patience)
              FROM loadpath_lock WHERE key = k;
        END IF;
    END IF;
    SELECT greatest(0, coalesce(extract(epoch FROM min(expires) - moment), 0)) INTO expires_in
      FROM loadpath_lock_holder WHERE key = k;
    SELECT count(*) INTO ahead FROM loadpath_lock_waiter
     WHERE key = k AND owner <> o AND ticket < coalesce(
        (SELECT ticket FROM loadpath_lock_waiter WHERE key = k AND owner = o), 9e18::bigint);
END $$;

CREATE OR REPLACE FUNCTION loadpath_lock_renew(k text, o text, seconds double precision)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM loadpath_lock WHERE key = k FOR UPDATE;
    UPDATE loadpath_lock_holder SET expires = clock_timestamp() + loadpath_lock_seconds(seconds)
     WHERE key = k AND owner = o AND expires > clock_timestamp();
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION loadpath_lock_release(k text, o text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    ended timestamptz;
    now_held boolean;
BEGIN
    PERFORM 1 FROM loadpath_lock WHERE key = k FOR UPDATE;
    DELETE FROM loadpath_lock_holder WHERE key = k AND owner = o RETURNING expires INTO ended;
    now_held := coalesce(ended > clock_timestamp(), false);
    DELETE FROM loadpath_lock_waiter WHERE key = k AND owner = o;
    PERFORM loadpath_lock_sweep(k);
    RETURN now_held;
END $$;
