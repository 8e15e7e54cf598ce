-- What people and programs outside of the daemon look at and act on: the daemon's own condition, the
-- objects of an operator's action, the repetition of what was given up, and replays of quarantined records.

-- The daemon's condition, one row, renewed every few seconds: what is running, on what, how far behind.
CREATE TABLE daemon (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ready_at INTEGER,                                   -- the first assignment of partitions
    alive_at INTEGER NOT NULL,                          -- the last sign of life
    stopped_at INTEGER,                                 -- an orderly stop
    rule_set INTEGER NOT NULL,
    configuration INTEGER NOT NULL,
    rules_condition TEXT NOT NULL CHECK (rules_condition IN ('current', 'degraded')),
    reloaded_at INTEGER,                                -- the last reload, successful or not
    intake TEXT NOT NULL CHECK (intake IN ('starting', 'polling', 'paused', 'stalled')),
    partitions TEXT NOT NULL CHECK (json_valid(partitions)), -- [{"topic", "partition", "committed", "end", "lag"}]
    failing TEXT NOT NULL CHECK (json_valid(failing))   -- [{"kind", "subject", "message", "fix", "since"}]
) STRICT;

-- Attempts up to this number belong to an earlier life of the action: a person had it sent again.
ALTER TABLE action ADD COLUMN requeued_after INTEGER NOT NULL DEFAULT 0;

-- A replay is asked for here and done by whoever owns the write connection.
ALTER TABLE quarantined_record ADD COLUMN replay_requested_at INTEGER;
ALTER TABLE quarantined_record ADD COLUMN replay_problem TEXT; -- why the last replay was no event either

-- What waits to be replayed is counted every few seconds: the key alone answers.
CREATE INDEX quarantined_open ON quarantined_record (replayed_at) WHERE replayed_at IS NULL;
CREATE INDEX quarantined_replay ON quarantined_record (id) WHERE replay_requested_at IS NOT NULL;

-- What an operator's action concerned, one row each.
CREATE TABLE operator_target (
    operator_action INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('action', 'quarantined')),
    id INTEGER NOT NULL,                                -- action.number or quarantined_record.id
    PRIMARY KEY (operator_action, kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX operator_target_id ON operator_target (kind, id);

-- Views for people ------------------------------------------------------------------------------

CREATE VIEW daemons AS
SELECT d.version, d.pid,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.started_at / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.ready_at / 1000.0, 'unixepoch') AS ready_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.alive_at / 1000.0, 'unixepoch') AS alive_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.stopped_at / 1000.0, 'unixepoch') AS stopped_at,
       d.rules_condition, strftime('%Y-%m-%dT%H:%M:%fZ', d.reloaded_at / 1000.0, 'unixepoch') AS reloaded_at,
       d.intake, d.partitions, d.failing,
       (SELECT sum(p.value ->> '$.lag') FROM json_each(d.partitions) p) AS lag,
       r.hash AS rule_set, c.hash AS configuration
FROM daemon d
LEFT JOIN rule_set r ON r.id = d.rule_set
LEFT JOIN configuration c ON c.id = d.configuration;

CREATE VIEW operator_targets AS
SELECT t.operator_action, t.kind, t.id AS number, a.id AS action, a.event, a.rule, o.verb, o.who, o.reason,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.at / 1000.0, 'unixepoch') AS at
FROM operator_target t
JOIN operator_action o ON o.id = t.operator_action
LEFT JOIN action a ON t.kind = 'action' AND a.number = t.id;

DROP VIEW quarantined;

CREATE VIEW quarantined AS
SELECT q.id, q.reason, q.message, s.topic, s.partition, q."offset", s.generation,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.quarantined_at / 1000.0, 'unixepoch') AS quarantined_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.kafka_at / 1000.0, 'unixepoch') AS kafka_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.replay_requested_at / 1000.0, 'unixepoch') AS replay_requested_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.replayed_at / 1000.0, 'unixepoch') AS replayed_at,
       q.replayed_event, q.replay_problem,
       length(q.payload) AS payload_bytes, q.payload, q.key, q.headers, q.batch
FROM quarantined_record q JOIN stream s ON s.id = q.stream;
