-- Where an app was fetched from last, without credentials: what a webhook that names no repository means.

CREATE TABLE origins (
    app  TEXT PRIMARY KEY REFERENCES apps (name) ON DELETE CASCADE,
    url  TEXT NOT NULL
);
