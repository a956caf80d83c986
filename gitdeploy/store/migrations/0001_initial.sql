-- Times are integers of microseconds since the epoch, UTC. JSON is text. No rowid is relied on.

CREATE TABLE apps (
    name        TEXT PRIMARY KEY,
    attributes  TEXT NOT NULL,          -- JSON: branch, webhook_secret, locked …
    created_at  BIGINT NOT NULL,
    deleting    INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE app_settings (
    app    TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (app, key)
);

CREATE TABLE tokens (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    hash        TEXT NOT NULL UNIQUE,   -- SHA-256 of the token, hex; the token itself isn't kept
    scopes      TEXT NOT NULL,          -- JSON list
    apps        TEXT,                   -- JSON list; NULL: all
    expires_at  BIGINT,
    created_at  BIGINT NOT NULL
);

CREATE TABLE sessions (
    hash        TEXT PRIMARY KEY,       -- SHA-256 of the cookie, hex
    token_id    TEXT NOT NULL,          -- 'admin' or tokens.id
    form_token  TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         BIGINT NOT NULL,
    who        TEXT NOT NULL,
    what       TEXT NOT NULL,
    target     TEXT NOT NULL,
    address    TEXT NOT NULL,
    result     TEXT NOT NULL
);

CREATE TABLE deployments (
    app           TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    attempt       INTEGER NOT NULL,     -- newest attempt, from 1
    status        TEXT NOT NULL,        -- pending, building, deploying, failed, success
    status_text   TEXT NOT NULL DEFAULT '',
    commit_id     TEXT,
    ref           TEXT,
    trigger       TEXT NOT NULL,        -- push, fetch, api, zip, recorded
    author        TEXT NOT NULL DEFAULT '',
    author_email  TEXT NOT NULL DEFAULT '',
    deployer      TEXT NOT NULL DEFAULT '',
    message       TEXT NOT NULL DEFAULT '',
    progress      TEXT NOT NULL DEFAULT '',
    received_at   BIGINT NOT NULL,
    started_at    BIGINT,
    ended_at      BIGINT,
    last_success_at BIGINT,
    release       INTEGER,              -- of the newest successful attempt
    log_from      BIGINT NOT NULL DEFAULT 0, -- where the newest attempt begins in the journal
    instance      TEXT NOT NULL,
    PRIMARY KEY (app, id)
);
CREATE INDEX deployments_by_time ON deployments (app, received_at DESC);

CREATE TABLE releases (
    app         TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    deployment  TEXT NOT NULL,
    commit_id   TEXT,
    tree_id     TEXT,
    environment TEXT,                   -- name of the Python environment below environments/
    project     TEXT NOT NULL DEFAULT '', -- subdirectory that is the site's root
    created_at  BIGINT NOT NULL,
    active      INTEGER NOT NULL DEFAULT 0,
    pruned_at   BIGINT,
    PRIMARY KEY (app, number)
);
CREATE UNIQUE INDEX releases_one_active ON releases (app) WHERE active = 1;

CREATE TABLE jobs (
    app      TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    release  INTEGER NOT NULL,
    body     TEXT NOT NULL,             -- JSON of jobs.Job
    PRIMARY KEY (app, kind, name)
);

CREATE TABLE disabled_jobs (
    app   TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    PRIMARY KEY (app, kind, name)
);

CREATE TABLE executions (
    app         TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    job         TEXT NOT NULL,
    id          TEXT NOT NULL,          -- yyyyMMddHHmmssffff of the start, unique per job
    status      TEXT NOT NULL,
    trigger     TEXT NOT NULL DEFAULT '',
    arguments   TEXT,
    deployment  TEXT,
    release     INTEGER,
    identity    TEXT NOT NULL DEFAULT '',
    instance    TEXT NOT NULL,
    fence       INTEGER NOT NULL DEFAULT 1,
    process     TEXT,                   -- JSON of sandbox.Handle
    created_at  BIGINT NOT NULL,
    started_at  BIGINT,
    ended_at    BIGINT,
    exit_code   INTEGER,
    error       TEXT,
    PRIMARY KEY (app, kind, job, id)
);
CREATE INDEX executions_open ON executions (instance) WHERE ended_at IS NULL;
-- At most one run of a triggered job at a time, unless it was started to overlap.
CREATE UNIQUE INDEX executions_one_run ON executions (app, job)
    WHERE kind = 'triggered' AND ended_at IS NULL;

CREATE TABLE occurrences (
    app     TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    job     TEXT NOT NULL,
    due_at  BIGINT NOT NULL,
    state   TEXT NOT NULL,              -- started, dropped, missed
    run     TEXT,
    note    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (app, job, due_at)
);

CREATE TABLE deliveries (
    app          TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    received_at  BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE facts (
    key    TEXT PRIMARY KEY,            -- small things of the server: instance, last tick …
    value  TEXT NOT NULL
);
