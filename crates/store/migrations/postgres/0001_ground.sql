-- Ground state. Times are microseconds since 1970-01-01 UTC; money is NUMERIC; numbers of
-- exchanges that need more than 63 bits are decimal text; bodies are opaque.
-- The same tables and columns as migrations/sqlite/0001_ground.sql.

CREATE TABLE installation (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    installation BIGINT NOT NULL,
    incarnation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    quarantined_at BIGINT,
    quarantine_reason TEXT
);

-- Every incarnation that this database had, so that a restored one gets none of them again.
CREATE TABLE incarnations (
    incarnation BIGINT NOT NULL PRIMARY KEY,
    began_at BIGINT NOT NULL,
    reason TEXT NOT NULL
);

CREATE TABLE users (
    user_id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE master_keys (
    kek BIGINT NOT NULL PRIMARY KEY,
    nonce BYTEA NOT NULL,
    proof BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE credentials (
    credential BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (user_id),
    venue TEXT NOT NULL,
    label TEXT NOT NULL,
    hint TEXT NOT NULL,
    alg BIGINT NOT NULL,
    kek BIGINT NOT NULL,
    nonce_dek BYTEA NOT NULL,
    dek_wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT
);
CREATE INDEX credentials_by_kek ON credentials (kek);

CREATE TABLE credential_fields (
    credential BIGINT NOT NULL REFERENCES credentials (credential) ON DELETE CASCADE,
    field TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    ciphertext BYTEA NOT NULL,
    PRIMARY KEY (credential, field)
);

-- An account stands at (epoch, seq). Journal rows below journal_from were taken out by retention.
CREATE TABLE accounts (
    account BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT REFERENCES users (user_id),
    venue TEXT NOT NULL,
    name TEXT NOT NULL,
    paper BIGINT NOT NULL CHECK (paper IN (0, 1)),
    credential BIGINT REFERENCES credentials (credential),
    created_at BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    journal_from BIGINT NOT NULL
);

-- Who may act for an account, and until when by this database's clock.
CREATE TABLE leases (
    account BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (account),
    owner TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE bots (
    bot BIGINT NOT NULL PRIMARY KEY CHECK (0 < bot),
    account BIGINT NOT NULL REFERENCES accounts (account),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX bots_by_account ON bots (account);

CREATE TABLE bot_configs (
    bot BIGINT NOT NULL REFERENCES bots (bot),
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (bot, version)
);

-- Bot 0 is the account itself.
CREATE TABLE snapshots (
    account BIGINT NOT NULL REFERENCES accounts (account),
    bot BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    schema_version BIGINT NOT NULL,
    rules_version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account, bot)
);

CREATE TABLE journal (
    account BIGINT NOT NULL REFERENCES accounts (account),
    seq BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL,
    schema_version BIGINT NOT NULL,
    rules_version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (account, seq)
);
CREATE INDEX journal_by_time ON journal (at);

CREATE TABLE intents (
    account BIGINT NOT NULL REFERENCES accounts (account),
    seq BIGINT NOT NULL,
    place BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    instrument BIGINT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    price NUMERIC,
    amount NUMERIC NOT NULL,
    send_by BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, seq, place)
);
CREATE INDEX intents_by_client_id ON intents (client_id);

CREATE TABLE fills (
    account BIGINT NOT NULL REFERENCES accounts (account),
    instrument BIGINT NOT NULL,
    trade_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    bot BIGINT NOT NULL,
    deal BIGINT NOT NULL,
    client_id TEXT,
    venue_order_id TEXT NOT NULL,
    side TEXT NOT NULL,
    price NUMERIC NOT NULL,
    qty NUMERIC NOT NULL,
    quote NUMERIC NOT NULL,
    fee_asset TEXT NOT NULL,
    fee NUMERIC NOT NULL,
    fee_in_quote NUMERIC,
    liquidity TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, instrument, trade_id)
);
CREATE INDEX fills_by_deal ON fills (bot, deal);

CREATE TABLE deals (
    account BIGINT NOT NULL REFERENCES accounts (account),
    bot BIGINT NOT NULL,
    deal BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    instrument BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT NOT NULL,
    ended TEXT NOT NULL,
    profit NUMERIC NOT NULL,
    fees NUMERIC NOT NULL,
    bought NUMERIC NOT NULL,
    safety_orders BIGINT NOT NULL,
    PRIMARY KEY (account, bot, deal)
);

CREATE TABLE commands (
    place BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command TEXT NOT NULL UNIQUE,
    account BIGINT NOT NULL REFERENCES accounts (account),
    issued_by TEXT NOT NULL,
    body BYTEA NOT NULL,
    at BIGINT NOT NULL,
    answered BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX commands_open ON commands (account, place) WHERE answered = 0;

CREATE TABLE verdicts (
    account BIGINT NOT NULL REFERENCES accounts (account),
    command TEXT NOT NULL,
    seq BIGINT NOT NULL,
    accepted BIGINT NOT NULL CHECK (accepted IN (0, 1)),
    reason TEXT NOT NULL,
    PRIMARY KEY (account, command)
);

-- The number of an instrument stays: snapshots and fills name it.
CREATE TABLE instruments (
    venue TEXT NOT NULL,
    instrument BIGINT NOT NULL,
    symbol TEXT NOT NULL,
    body TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (venue, instrument),
    UNIQUE (venue, symbol)
);

-- Derived: can be read again from the exchange.
CREATE TABLE balances (
    account BIGINT NOT NULL REFERENCES accounts (account),
    asset TEXT NOT NULL,
    free NUMERIC NOT NULL,
    locked NUMERIC NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, asset)
);

CREATE TABLE prices (
    venue TEXT NOT NULL,
    instrument BIGINT NOT NULL,
    price NUMERIC NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (venue, instrument)
);

-- Request weight that an outgoing address used in the running span of an exchange's limit.
CREATE TABLE weights (
    venue TEXT NOT NULL,
    address TEXT NOT NULL,
    span TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    used BIGINT NOT NULL,
    banned_until BIGINT,
    PRIMARY KEY (venue, address, span)
);

-- Journal and fills are only appended to. Retention raises journal_from first.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only appended to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION refuse_journal_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT journal_from FROM accounts WHERE account = OLD.account) <= OLD.seq THEN
        RAISE EXCEPTION 'the journal is only appended to' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE FUNCTION refuse_backward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch < OLD.epoch OR NEW.seq < OLD.seq OR NEW.journal_from < OLD.journal_from
        OR NEW.seq + 1 < NEW.journal_from THEN
        RAISE EXCEPTION 'an account only goes forward' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_stays BEFORE DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION refuse_journal_delete();
CREATE TRIGGER journal_is_written_once BEFORE UPDATE ON journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fills_stay BEFORE DELETE ON fills
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fills_are_written_once BEFORE UPDATE ON fills
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_is_not_emptied BEFORE TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER fills_are_not_emptied BEFORE TRUNCATE ON fills
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_go_forward BEFORE UPDATE OF epoch, seq, journal_from ON accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_backward();
