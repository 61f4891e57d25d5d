-- Ground state. Times are microseconds since 1970-01-01 UTC; money is decimal text; numbers of
-- exchanges that need more than 63 bits are decimal text; bodies are opaque.
-- The same tables and columns as migrations/postgres/0001_ground.sql.

CREATE TABLE installation (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    installation INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    quarantined_at INTEGER,
    quarantine_reason TEXT
) STRICT;

-- Every incarnation that this database had, so that a restored one gets none of them again.
CREATE TABLE incarnations (
    incarnation INTEGER NOT NULL PRIMARY KEY,
    began_at INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    user_id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE master_keys (
    kek INTEGER NOT NULL PRIMARY KEY,
    nonce BLOB NOT NULL,
    proof BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE credentials (
    credential INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (user_id),
    venue TEXT NOT NULL,
    label TEXT NOT NULL,
    hint TEXT NOT NULL,
    alg INTEGER NOT NULL,
    kek INTEGER NOT NULL,
    nonce_dek BLOB NOT NULL,
    dek_wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER
) STRICT;
CREATE INDEX credentials_by_kek ON credentials (kek);

CREATE TABLE credential_fields (
    credential INTEGER NOT NULL REFERENCES credentials (credential) ON DELETE CASCADE,
    field TEXT NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (credential, field)
) STRICT;

-- An account stands at (epoch, seq). Journal rows below journal_from were taken out by retention.
CREATE TABLE accounts (
    account INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER REFERENCES users (user_id),
    venue TEXT NOT NULL,
    name TEXT NOT NULL,
    paper INTEGER NOT NULL CHECK (paper IN (0, 1)),
    credential INTEGER REFERENCES credentials (credential),
    created_at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    journal_from INTEGER NOT NULL
) STRICT;

-- Who may act for an account, and until when by this database's clock.
CREATE TABLE leases (
    account INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (account),
    owner TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE bots (
    bot INTEGER NOT NULL PRIMARY KEY CHECK (0 < bot),
    account INTEGER NOT NULL REFERENCES accounts (account),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX bots_by_account ON bots (account);

CREATE TABLE bot_configs (
    bot INTEGER NOT NULL REFERENCES bots (bot),
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (bot, version)
) STRICT;

-- Bot 0 is the account itself.
CREATE TABLE snapshots (
    account INTEGER NOT NULL REFERENCES accounts (account),
    bot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    rules_version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account, bot)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    account INTEGER NOT NULL REFERENCES accounts (account),
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    rules_version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX journal_by_time ON journal (at);

CREATE TABLE intents (
    account INTEGER NOT NULL REFERENCES accounts (account),
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    price TEXT,
    amount TEXT NOT NULL,
    send_by INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, seq, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX intents_by_client_id ON intents (client_id);

CREATE TABLE fills (
    account INTEGER NOT NULL REFERENCES accounts (account),
    instrument INTEGER NOT NULL,
    trade_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    bot INTEGER NOT NULL,
    deal INTEGER NOT NULL,
    client_id TEXT,
    venue_order_id TEXT NOT NULL,
    side TEXT NOT NULL,
    price TEXT NOT NULL,
    qty TEXT NOT NULL,
    quote TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_in_quote TEXT,
    liquidity TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, instrument, trade_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_deal ON fills (bot, deal);

CREATE TABLE deals (
    account INTEGER NOT NULL REFERENCES accounts (account),
    bot INTEGER NOT NULL,
    deal INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER NOT NULL,
    ended TEXT NOT NULL,
    profit TEXT NOT NULL,
    fees TEXT NOT NULL,
    bought TEXT NOT NULL,
    safety_orders INTEGER NOT NULL,
    PRIMARY KEY (account, bot, deal)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    command TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (account),
    issued_by TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    answered INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX commands_open ON commands (account, place) WHERE answered = 0;

CREATE TABLE verdicts (
    account INTEGER NOT NULL REFERENCES accounts (account),
    command TEXT NOT NULL,
    seq INTEGER NOT NULL,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    reason TEXT NOT NULL,
    PRIMARY KEY (account, command)
) STRICT, WITHOUT ROWID;

-- The number of an instrument stays: snapshots and fills name it.
CREATE TABLE instruments (
    venue TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (venue, instrument),
    UNIQUE (venue, symbol)
) STRICT;

-- Derived: can be read again from the exchange.
CREATE TABLE balances (
    account INTEGER NOT NULL REFERENCES accounts (account),
    asset TEXT NOT NULL,
    free TEXT NOT NULL,
    locked TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, asset)
) STRICT, WITHOUT ROWID;

CREATE TABLE prices (
    venue TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    price TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (venue, instrument)
) STRICT, WITHOUT ROWID;

-- Request weight that an outgoing address used in the running span of an exchange's limit.
CREATE TABLE weights (
    venue TEXT NOT NULL,
    address TEXT NOT NULL,
    span TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    used INTEGER NOT NULL,
    banned_until INTEGER,
    PRIMARY KEY (venue, address, span)
) STRICT, WITHOUT ROWID;

-- Journal and fills are only appended to. Retention raises journal_from first.
CREATE TRIGGER journal_stays BEFORE DELETE ON journal
WHEN (SELECT journal_from FROM accounts WHERE account = OLD.account) <= OLD.seq
BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END;
CREATE TRIGGER journal_is_written_once BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END;
CREATE TRIGGER fills_stay BEFORE DELETE ON fills
BEGIN SELECT RAISE(ABORT, 'fills are only appended to'); END;
CREATE TRIGGER fills_are_written_once BEFORE UPDATE ON fills
BEGIN SELECT RAISE(ABORT, 'fills are only appended to'); END;
CREATE TRIGGER accounts_go_forward BEFORE UPDATE OF epoch, seq, journal_from ON accounts
WHEN NEW.epoch < OLD.epoch OR NEW.seq < OLD.seq OR NEW.journal_from < OLD.journal_from
    OR NEW.seq + 1 < NEW.journal_from
BEGIN SELECT RAISE(ABORT, 'an account only goes forward'); END;
