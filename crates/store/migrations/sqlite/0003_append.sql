-- Journal and intents of all accounts are kept in the order in which they come, so that a commit
-- changes the last few pages of the file and not one or two for each account. Where the rows of an
-- account are, is noted later, for many at once: `journal_index`, `intents_index`. Rows above the marks
-- in `indexed` are not noted yet; whoever reads looks through them. `journal` and `intents` show all.

CREATE TABLE journal_rows (
    row INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (account),
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    rules_version INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
INSERT INTO journal_rows (account, seq, epoch, at, schema_version, rules_version, body)
    SELECT account, seq, epoch, at, schema_version, rules_version, body FROM journal;
DROP TABLE journal;

CREATE TABLE intents_rows (
    row INTEGER PRIMARY KEY,
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
    at INTEGER NOT NULL
) STRICT;
INSERT INTO intents_rows
    (account, seq, place, client_id, instrument, side, kind, price, amount, send_by, at)
    SELECT account, seq, place, client_id, instrument, side, kind, price, amount, send_by, at
    FROM intents;
DROP TABLE intents;

CREATE TABLE journal_index (
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE intents_index (
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (account, seq, place)
) STRICT, WITHOUT ROWID;
INSERT INTO journal_index SELECT account, seq, row FROM journal_rows ORDER BY account, seq;
INSERT INTO intents_index SELECT account, seq, place, row FROM intents_rows
    ORDER BY account, seq, place;
CREATE TABLE indexed (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    journal INTEGER NOT NULL,
    intents INTEGER NOT NULL
) STRICT;
INSERT INTO indexed SELECT 1, (SELECT COALESCE(MAX(row), 0) FROM journal_rows),
    (SELECT COALESCE(MAX(row), 0) FROM intents_rows);

CREATE VIEW journal (account, seq, epoch, at, schema_version, rules_version, body) AS
    SELECT journal_index.account, journal_index.seq, epoch, at, schema_version, rules_version, body
    FROM journal_index CROSS JOIN journal_rows ON journal_rows.row = journal_index.row
    UNION ALL
    SELECT account, seq, epoch, at, schema_version, rules_version, body FROM journal_rows
    WHERE (SELECT journal FROM indexed) < row;
CREATE VIEW intents
    (account, seq, place, client_id, instrument, side, kind, price, amount, send_by, at) AS
    SELECT intents_index.account, intents_index.seq, intents_index.place, client_id, instrument, side,
    kind, price, amount, send_by, at
    FROM intents_index CROSS JOIN intents_rows ON intents_rows.row = intents_index.row
    UNION ALL
    SELECT account, seq, place, client_id, instrument, side, kind, price, amount, send_by, at
    FROM intents_rows WHERE (SELECT intents FROM indexed) < row;

-- The journal is only appended to. Retention raises journal_from first.
CREATE TRIGGER journal_stays BEFORE DELETE ON journal_rows
WHEN (SELECT journal_from FROM accounts WHERE account = OLD.account) <= OLD.seq
BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END;
CREATE TRIGGER journal_is_written_once BEFORE UPDATE ON journal_rows
BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END;
-- The number of the last row is given again when that row goes: the mark goes down with it.
CREATE TRIGGER journal_goes AFTER DELETE ON journal_rows BEGIN
    DELETE FROM journal_index WHERE account = OLD.account AND seq = OLD.seq AND row = OLD.row;
    UPDATE indexed SET journal = (SELECT COALESCE(MAX(row), 0) FROM journal_rows WHERE row < OLD.row)
        WHERE journal = OLD.row;
END;
CREATE TRIGGER intents_go AFTER DELETE ON intents_rows BEGIN
    DELETE FROM intents_index WHERE account = OLD.account AND seq = OLD.seq AND place = OLD.place
        AND row = OLD.row;
    UPDATE indexed SET intents = (SELECT COALESCE(MAX(row), 0) FROM intents_rows WHERE row < OLD.row)
        WHERE intents = OLD.row;
END;
