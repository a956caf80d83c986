-- As 0003_hooks.sql, with the columns that deployments have by now. What was recorded for somebody
-- else isn't told.

CREATE TRIGGER outbox_of_deployments AFTER UPDATE OF status ON deployments
WHEN NEW.status IN ('success', 'failed') AND OLD.status NOT IN ('success', 'failed')
    AND NEW."trigger" <> 'recorded'
BEGIN
    INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)
    SELECT h.app, h.id,
        (SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id),
        lower(hex(randomblob(16))), h.event, 'deployment', coalesce(NEW.ended_at, NEW.received_at),
        json_object(
            'app', NEW.app, 'id', NEW.id, 'attempt', NEW.attempt, 'status', NEW.status,
            'status_text', NEW.status_text, 'commit_id', NEW.commit_id, 'ref', NEW.ref,
            'trigger', NEW."trigger", 'author', NEW.author, 'author_email', NEW.author_email,
            'deployer', NEW.deployer, 'message', NEW.message, 'note', NEW.note, 'progress', NEW.progress,
            'received_at', NEW.received_at, 'started_at', NEW.started_at, 'ended_at', NEW.ended_at,
            'last_success_at', NEW.last_success_at, 'release', NEW.release,
            'log_from', NEW.log_from, 'instance', NEW.instance,
            'active', EXISTS (SELECT 1 FROM releases r WHERE r.app = NEW.app
                AND r.deployment = NEW.id AND r.active = 1))
    FROM hooks h WHERE h.app = NEW.app
        AND (h.event = 'PostDeployment' OR (h.event = 'DeploymentFailed' AND NEW.status = 'failed'));
END;
