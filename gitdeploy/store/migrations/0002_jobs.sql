-- Jobs that were uploaded, settings that were changed over the API, more about each execution.

CREATE TABLE uploads (
    app          TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    generation   INTEGER NOT NULL,       -- directory uploads/{kind}/{name}/{generation}
    body         TEXT NOT NULL,          -- JSON of jobs.Job
    uploaded_at  BIGINT NOT NULL,
    who          TEXT NOT NULL,
    PRIMARY KEY (app, kind, name)
);

CREATE TABLE removed_jobs (
    app      TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    release  INTEGER NOT NULL,           -- gone while this one is active
    PRIMARY KEY (app, kind, name)
);

CREATE TABLE job_settings (
    app   TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    base  TEXT NOT NULL,                 -- jobs.base_of the settings.job that it stands in for
    body  TEXT NOT NULL,                 -- the JSON object as it was given
    PRIMARY KEY (app, kind, name)
);

CREATE TABLE secrets (
    app    TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (app, name)
);

CREATE TABLE idempotency_keys (
    app   TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    job   TEXT NOT NULL,
    key   TEXT NOT NULL,
    run   TEXT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (app, job, key)
);

CREATE TABLE schedule_anchors (
    app       TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    job       TEXT NOT NULL,
    spelling  TEXT NOT NULL,             -- the schedule, as it was
    at        BIGINT NOT NULL,           -- when it was first seen: a recurrence counts from it
    PRIMARY KEY (app, job)
);

ALTER TABLE executions ADD COLUMN upload INTEGER;                 -- generation it runs from
ALTER TABLE executions ADD COLUMN who TEXT NOT NULL DEFAULT '';   -- token's name
ALTER TABLE executions ADD COLUMN scheduled_for BIGINT;           -- due time it was started for
ALTER TABLE executions ADD COLUMN overlapping INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN cpu_seconds REAL;
ALTER TABLE executions ADD COLUMN peak_memory BIGINT;             -- bytes
ALTER TABLE executions ADD COLUMN output_bytes BIGINT;

DROP INDEX executions_one_run;
CREATE UNIQUE INDEX executions_one_run ON executions (app, job)
    WHERE kind = 'triggered' AND ended_at IS NULL AND overlapping = 0;
CREATE INDEX occurrences_queued ON occurrences (app, job, due_at) WHERE state = 'queued';
CREATE INDEX executions_by_due ON executions (app, job, scheduled_for)
    WHERE scheduled_for IS NOT NULL;
