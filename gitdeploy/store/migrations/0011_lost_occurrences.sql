-- The scheduler's page lists what was missed or dropped of a whole app, newest first, among many
-- due times of which there were runs.

CREATE INDEX occurrences_lost ON occurrences (app, due_at, job)
    WHERE state IN ('missed', 'dropped');
