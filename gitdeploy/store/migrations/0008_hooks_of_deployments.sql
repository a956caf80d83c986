-- Ends of deployments go into the outbox (0003_hooks.sql), with the columns that they have by now:
-- attempts that end, and those that are over before they began, as when a fetch fails. What was
-- recorded for somebody else isn't told, nor what another one came before.

CREATE VIEW deployments_as_json AS SELECT d.app, d.id, json_object(
    'app', d.app, 'id', d.id, 'attempt', d.attempt, 'status', d.status,
    'status_text', d.status_text, 'commit_id', d.commit_id, 'ref', d.ref, 'trigger', d."trigger",
    'author', d.author, 'author_email', d.author_email, 'pusher', d.pusher,
    'deployer', d.deployer, 'message', d.message, 'note', d.note, 'progress', d.progress,
    'received_at', d.received_at, 'started_at', d.started_at, 'ended_at', d.ended_at,
    'last_success_at', d.last_success_at, 'release', d.release, 'log_from', d.log_from,
    'instance', d.instance, 'active', EXISTS (SELECT 1 FROM releases r
        WHERE r.app = d.app AND r.deployment = d.id AND r.active = 1)) AS subject
FROM deployments d;

CREATE TRIGGER outbox_of_deployments AFTER UPDATE OF status ON deployments
WHEN NEW.status IN ('success', 'failed')
    AND (OLD.status NOT IN ('success', 'failed') OR NEW.attempt > OLD.attempt)
    AND NEW."trigger" <> 'recorded' AND NEW.status_text NOT LIKE 'Superseded by %'
BEGIN
    INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)
    SELECT h.app, h.id,
        (SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id),
        lower(hex(randomblob(16))), h.event, 'deployment', coalesce(NEW.ended_at, NEW.received_at),
        (SELECT d.subject FROM deployments_as_json d WHERE d.app = NEW.app AND d.id = NEW.id)
    FROM hooks h WHERE h.app = NEW.app
        AND (h.event = 'PostDeployment' OR (h.event = 'DeploymentFailed' AND NEW.status = 'failed'));
END;

CREATE TRIGGER outbox_of_failed_fetches AFTER INSERT ON deployments
WHEN NEW.status IN ('success', 'failed')
    AND NEW."trigger" <> 'recorded' AND NEW.status_text NOT LIKE 'Superseded by %'
BEGIN
    INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)
    SELECT h.app, h.id,
        (SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id),
        lower(hex(randomblob(16))), h.event, 'deployment', coalesce(NEW.ended_at, NEW.received_at),
        (SELECT d.subject FROM deployments_as_json d WHERE d.app = NEW.app AND d.id = NEW.id)
    FROM hooks h WHERE h.app = NEW.app
        AND (h.event = 'PostDeployment' OR (h.event = 'DeploymentFailed' AND NEW.status = 'failed'));
END;
