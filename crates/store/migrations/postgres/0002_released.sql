-- Accounts whose quarantine ended before that of the whole database.
CREATE TABLE released (
    account BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (account)
);
