-- Why a deployment was made (again): a roll back's message, with who asked for it.

ALTER TABLE deployments ADD COLUMN note TEXT NOT NULL DEFAULT '';
