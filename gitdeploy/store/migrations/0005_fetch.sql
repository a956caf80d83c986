-- Who pushed what was fetched, as the sender of the webhook says.

ALTER TABLE deployments ADD COLUMN pusher TEXT NOT NULL DEFAULT '';
