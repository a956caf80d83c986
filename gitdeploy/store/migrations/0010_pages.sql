-- What the pages of sessions and of the audit log need: a session's public id, which isn't its
-- cookie's hash, and from where it was opened; the audit log found by who and by what.

ALTER TABLE sessions ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
UPDATE sessions SET id = lower(hex(randomblob(8)));
CREATE UNIQUE INDEX sessions_by_id ON sessions (id);
CREATE INDEX sessions_by_time ON sessions (created_at DESC);

CREATE INDEX audit_by_who ON audit (who, id);
CREATE INDEX audit_by_what ON audit (what, id);
