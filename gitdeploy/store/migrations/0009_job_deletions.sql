-- Jobs that are being deleted: what they did and kept isn't all removed yet.
CREATE TABLE job_deletions (
    app   TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    PRIMARY KEY (app, kind, name)
);
