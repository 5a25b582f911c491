-- The bank on one node. Every function that answers a client writes to the log (a transfer, or a
-- message that nothing reads), so that its COMMIT waits for the quorum: no answer, not even of a
-- read, tells what a later primary could not know.

CREATE TABLE bank_epoch (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  epoch bigint NOT NULL,
  leader text NOT NULL,
  quorum int NOT NULL
);

CREATE TABLE accounts (
  name text PRIMARY KEY,
  balance bigint NOT NULL DEFAULT 0,
  CHECK (balance >= 0 OR name = '@issuer')
);

-- One row holds both sides of a transfer: what is taken is what is given.
CREATE TABLE transfers (
  key text PRIMARY KEY,
  outcome text NOT NULL CHECK (outcome IN ('done', 'insufficient', 'unknown-account', 'void')),
  source text,
  target text,
  amount bigint CHECK (amount > 0),
  at timestamptz NOT NULL DEFAULT now(),
  CHECK (outcome = 'void' OR (source <> target AND amount IS NOT NULL))
);

CREATE VIEW entries AS
  SELECT key, source AS account, -amount AS amount FROM transfers WHERE outcome = 'done'
  UNION ALL
  SELECT key, target, amount FROM transfers WHERE outcome = 'done';

-- Refuses before anything is written: a commit that nobody can acknowledge would only be in doubt.
CREATE FUNCTION bank_ready(wanted bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  now_is bank_epoch;
BEGIN
  IF pg_is_in_recovery() THEN RETURN 'standby'; END IF;
  SELECT * INTO now_is FROM bank_epoch;
  IF now_is.epoch <> wanted THEN RETURN 'epoch'; END IF;
  IF (SELECT count(*) FROM pg_stat_replication
      WHERE state = 'streaming' AND sync_state IN ('quorum', 'sync')) < now_is.quorum
  THEN RETURN 'quorum'; END IF;
  PERFORM pg_logical_emit_message(true, 'barrier', '');
  RETURN NULL;
END $$;

CREATE FUNCTION bank_transfer(
  wanted bigint, the_key text, giver text, taker text, value bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  refusal text := bank_ready(wanted);
  known transfers;
  result text;
  funds bigint;
BEGIN
  IF refusal IS NOT NULL THEN RETURN refusal; END IF;
  INSERT INTO transfers (key, outcome, source, target, amount)
    VALUES (the_key, 'done', giver, taker, value) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO known FROM transfers WHERE key = the_key;
    IF known.outcome <> 'void' AND (known.source, known.target, known.amount)
      IS DISTINCT FROM (giver, taker, value) THEN RETURN 'reused'; END IF;
    RETURN known.outcome;
  END IF;
  -- Always in the order of their names, whoever gives: two transfers never wait for each other.
  PERFORM FROM accounts WHERE name IN (giver, taker) ORDER BY name FOR UPDATE;
  SELECT balance INTO funds FROM accounts WHERE name = giver;
  IF funds IS NULL OR NOT EXISTS (SELECT FROM accounts WHERE name = taker) THEN
    result := 'unknown-account';
  ELSIF funds < value AND giver <> '@issuer' THEN
    result := 'insufficient';
  ELSE
    UPDATE accounts SET balance = balance - value WHERE name = giver;
    UPDATE accounts SET balance = balance + value WHERE name = taker;
    RETURN 'done';
  END IF;
  UPDATE transfers SET outcome = result WHERE key = the_key;
  RETURN result;
END $$;

-- Settles a key for good: one that is not there is taken, so that a straggler finds it void.
CREATE FUNCTION bank_resolve(wanted bigint, the_key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  refusal text := bank_ready(wanted);
BEGIN
  IF refusal IS NOT NULL THEN RETURN refusal; END IF;
  INSERT INTO transfers (key, outcome) VALUES (the_key, 'void') ON CONFLICT DO NOTHING;
  RETURN (SELECT outcome FROM transfers WHERE key = the_key);
END $$;

CREATE FUNCTION bank_open(wanted bigint, the_name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  refusal text := bank_ready(wanted);
BEGIN
  IF refusal IS NOT NULL THEN RETURN refusal; END IF;
  INSERT INTO accounts (name) VALUES (the_name) ON CONFLICT DO NOTHING;
  RETURN 'done';
END $$;

CREATE FUNCTION bank_balances(wanted bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  refusal text := bank_ready(wanted);
BEGIN
  IF refusal IS NOT NULL THEN RETURN refusal; END IF;
  RETURN (SELECT json_object_agg(name, balance) FROM accounts);
END $$;
