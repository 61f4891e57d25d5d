-- What the exchange said last of a key; nothing when it was not asked, or does not say.
ALTER TABLE credentials ADD COLUMN may_withdraw INTEGER;
