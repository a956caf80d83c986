-- Hooks out and what is still to be sent to them. Triggers put an event into the outbox in the very
-- transaction that brings it about, with what was true then, so a crash loses none and none is
-- told that didn't happen. Where an app has no hook they find no row and write nothing. The trigger of
-- deployments is in 0008_hooks_of_deployments.sql.

CREATE TABLE hooks (
    app           TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    event         TEXT NOT NULL COLLATE NOCASE,
    url           TEXT NOT NULL,
    format        TEXT NOT NULL,            -- kudu, cloudevents, slack
    secret        TEXT,                     -- signs what is sent; never shown
    insecure_ssl  INTEGER NOT NULL DEFAULT 0,
    way           TEXT NOT NULL,            -- JSON of web.forwarded.Way: how links lead to us
    created_at    BIGINT NOT NULL,
    who           TEXT NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE outbox (
    app            TEXT NOT NULL,
    hook           TEXT NOT NULL,
    n              INTEGER NOT NULL,        -- from 1, by hook
    id             TEXT NOT NULL,           -- the same for each try, and when it is sent again by hand
    event          TEXT NOT NULL,
    kind           TEXT NOT NULL,           -- of the subject: deployment, execution, occurrence, published
    subject        TEXT NOT NULL,           -- JSON of the row (or what was published) as it was then
    at             BIGINT NOT NULL,         -- when it happened
    state          TEXT NOT NULL DEFAULT 'pending', -- pending, delivered, failed
    next_at        BIGINT DEFAULT 0,        -- next try; NULL once it has ended
    tries          INTEGER NOT NULL DEFAULT 0,
    first_at       BIGINT,                  -- first and newest try
    last_at        BIGINT,
    status         INTEGER,                 -- of the newest answer
    reason         TEXT,
    error          TEXT,
    response       TEXT,                    -- its first KiB
    duration_ms    REAL,
    redelivery_of  INTEGER,
    PRIMARY KEY (app, hook, n),
    FOREIGN KEY (app, hook) REFERENCES hooks (app, id) ON DELETE CASCADE
);
CREATE INDEX outbox_pending ON outbox (app, hook, n, tries, next_at) WHERE next_at IS NOT NULL;

-- A crash is an end of a continuous job that nobody asked for: with an exit code other than 0,
-- with one that was lost, or before it could be started.
CREATE TRIGGER outbox_of_executions AFTER UPDATE OF ended_at ON executions
WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
    INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)
    SELECT h.app, h.id,
        (SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id),
        lower(hex(randomblob(16))), h.event, 'execution', NEW.ended_at,
        json_object(
            'app', NEW.app, 'kind', NEW.kind, 'job', NEW.job, 'id', NEW.id, 'status', NEW.status,
            'instance', NEW.instance, 'created_at', NEW.created_at, 'trigger', NEW."trigger",
            'arguments', NEW.arguments, 'deployment', NEW.deployment, 'release', NEW.release,
            'started_at', NEW.started_at, 'ended_at', NEW.ended_at, 'exit_code', NEW.exit_code,
            'error', NEW.error, 'upload', NEW.upload, 'who', NEW.who,
            'scheduled_for', NEW.scheduled_for, 'overlapping', NEW.overlapping,
            'cpu_seconds', NEW.cpu_seconds, 'peak_memory', NEW.peak_memory,
            'output_bytes', NEW.output_bytes)
    FROM hooks h WHERE h.app = NEW.app
        AND CASE NEW.kind
            WHEN 'triggered' THEN h.event = 'TriggeredJobFinished'
            ELSE h.event = 'JobCrashed' AND (NEW.status = 'failed' OR (NEW.status = 'aborted'
                AND NEW.exit_code IS NULL AND NEW.started_at IS NOT NULL))
            END;
END;

CREATE TRIGGER outbox_of_missed AFTER INSERT ON occurrences
WHEN NEW.state = 'missed'
BEGIN
    INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)
    SELECT h.app, h.id,
        (SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id),
        lower(hex(randomblob(16))), h.event, 'occurrence', NEW.due_at,
        json_object('app', NEW.app, 'job', NEW.job, 'due_at', NEW.due_at, 'state', NEW.state,
            'run', NEW.run, 'note', NEW.note)
    FROM hooks h WHERE h.app = NEW.app AND h.event = 'ScheduleMissed';
END;

CREATE TRIGGER outbox_of_missed_later AFTER UPDATE OF state ON occurrences
WHEN NEW.state = 'missed' AND OLD.state <> 'missed'
BEGIN
    INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)
    SELECT h.app, h.id,
        (SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id),
        lower(hex(randomblob(16))), h.event, 'occurrence', NEW.due_at,
        json_object('app', NEW.app, 'job', NEW.job, 'due_at', NEW.due_at, 'state', NEW.state,
            'run', NEW.run, 'note', NEW.note)
    FROM hooks h WHERE h.app = NEW.app AND h.event = 'ScheduleMissed';
END;
