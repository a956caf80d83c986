-- What clients keep under Kudu's diagnostics/settings: nothing of it steers this server.
CREATE TABLE diagnostics_settings (
    app    TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,               -- JSON
    PRIMARY KEY (app, key)
);
