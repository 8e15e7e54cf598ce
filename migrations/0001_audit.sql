-- The audit database of openeventd, first version.
--
-- Tables have singular names and belong to the daemon; views have plural names and belong to people:
-- they are documented in docs/audit.md and stay stable. Times are milliseconds since 1970 (UTC) in
-- tables and ISO 8601 text in views. page_size, auto_vacuum and application_id are set when the file
-- is created, before this script runs.

-- Rule sets and redacted configurations by content hash: every decision names the one it was made by.
CREATE TABLE rule_set (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    files TEXT NOT NULL CHECK (json_valid(files)),      -- [{"path": ..., "text": ...}]
    rules INTEGER NOT NULL CHECK (rules >= 0),
    loaded_at INTEGER NOT NULL                          -- the last time it was put in force
) STRICT;

CREATE TABLE configuration (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    text TEXT NOT NULL,                                 -- secrets are named, never held
    loaded_at INTEGER NOT NULL
) STRICT;

-- One life of a partition. The same position with another identity opens the next generation.
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL CHECK (partition >= 0),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    next_offset INTEGER NOT NULL CHECK (next_offset >= 0), -- one past the highest accepted
    opened_at INTEGER NOT NULL,
    UNIQUE (topic, partition, generation)
) STRICT;

-- What repeats from event to event, kept once.
CREATE TABLE origin (
    id INTEGER PRIMARY KEY,
    source TEXT,
    type TEXT,
    code TEXT,
    kind TEXT CHECK (kind IN ('regular', 'extension')),
    account TEXT,
    region TEXT
) STRICT;

CREATE UNIQUE INDEX origin_content ON origin (
    coalesce(source, ''), coalesce(type, ''), coalesce(code, ''), coalesce(kind, ''),
    coalesce(account, ''), coalesce(region, ''),
    (source IS NULL) + 2 * (type IS NULL) + 4 * (code IS NULL) + 8 * (account IS NULL) + 16 * (region IS NULL)
);

-- One commit of intake: the proof that every record went somewhere.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    accepted_at INTEGER NOT NULL,
    rule_set INTEGER NOT NULL,
    configuration INTEGER NOT NULL,
    ranges TEXT NOT NULL CHECK (json_valid(ranges)),    -- [{"topic", "partition", "first", "last", "records"}]
    records INTEGER NOT NULL CHECK (records > 0),
    events INTEGER NOT NULL CHECK (events >= 0),
    duplicates INTEGER NOT NULL CHECK (duplicates >= 0),
    quarantined INTEGER NOT NULL CHECK (quarantined >= 0),
    first_event INTEGER,
    last_event INTEGER,
    CHECK (events + duplicates + quarantined = records),
    CHECK ((events = 0) = (first_event IS NULL))
) STRICT;

CREATE INDEX batch_accepted_at ON batch (accepted_at);

-- Accepted events, in the order of truth. Each fact stands once: what the payload tells and no
-- question needs quickly stays in the payload.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    kafka_at INTEGER,
    origin INTEGER NOT NULL,
    envelope INTEGER NOT NULL CHECK (envelope BETWEEN 1 AND 6),
    flags INTEGER NOT NULL,
    matched INTEGER NOT NULL CHECK (matched IN (0, 1)),
    id TEXT,
    workspace INTEGER,
    operator TEXT,
    instance INTEGER,
    node INTEGER,
    status INTEGER CHECK (status BETWEEN 1 AND 8),
    facts TEXT,                                         -- the other typed facts, a JSON object
    key BLOB,
    headers TEXT,                                       -- [[name, text | {"base64": ...} | null], ...]
    payload TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX event_position ON event (stream, "offset");
CREATE INDEX event_accepted_at ON event (accepted_at);

-- Records that could not be decoded, whole.
CREATE TABLE quarantined_record (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    quarantined_at INTEGER NOT NULL,
    kafka_at INTEGER,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    key BLOB,
    headers TEXT,
    payload BLOB NOT NULL,
    replayed_at INTEGER,
    replayed_event INTEGER
) STRICT;

CREATE INDEX quarantined_position ON quarantined_record (stream, "offset");
CREATE INDEX quarantined_at ON quarantined_record (quarantined_at);

-- Records known by identity that deserve a look: another payload under the same identity, or an
-- identity whose row retention has removed, so that nothing can confirm the duplicate.
CREATE TABLE doubtful_duplicate (
    id INTEGER PRIMARY KEY,
    doubt TEXT NOT NULL CHECK (doubt IN ('conflict', 'unconfirmed')),
    event INTEGER NOT NULL,                             -- the event it repeats
    stream INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE INDEX doubtful_noticed_at ON doubtful_duplicate (noticed_at);

-- The identity log: (64-bit hash, number) entries of 16 bytes, big-endian; a negative number is a
-- quarantined record. One BLOB a batch first, later merged into sorted segments of fixed-size pages.
CREATE TABLE identity_batch (
    batch INTEGER PRIMARY KEY,
    entries BLOB NOT NULL CHECK (length(entries) % 16 = 0)
) STRICT;

CREATE TABLE identity_segment (
    id INTEGER PRIMARY KEY,
    complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
    entries INTEGER NOT NULL,
    first_page INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    newest_at INTEGER NOT NULL,                         -- accept time of its newest entry: the dedupe horizon
    fences BLOB NOT NULL,                               -- the first hash of each page
    filter BLOB NOT NULL                                -- a Bloom filter of all hashes
) STRICT;

CREATE TABLE identity_page (
    id INTEGER PRIMARY KEY,
    entries BLOB NOT NULL CHECK (length(entries) % 16 = 0)
) STRICT;

-- What each matched rule made of an event.
CREATE TABLE decision (
    event INTEGER NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    rule TEXT NOT NULL,
    rule_path TEXT NOT NULL,
    rule_set INTEGER NOT NULL,
    configuration INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('planned', 'recorded', 'untrusted', 'failed')),
    message TEXT,
    age_ms INTEGER,
    calls_in_hour INTEGER,
    action INTEGER,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (event, position)
) STRICT, WITHOUT ROWID;

-- The objects of matched events, for questions about one object.
CREATE TABLE event_object (
    kind TEXT NOT NULL CHECK (kind IN ('instance', 'node', 'file', 'table', 'workspace', 'operator')),
    id TEXT NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (kind, id, event)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_object_event ON event_object (event);

-- The outbox: one row a planned call.
--
--  planned -claim-> in_flight -settle-> succeeded
--     ^                |  |  `--------> dead         rejected, or attempts exhausted
--     |                |  `-----------> unresolved   sent, outcome unknown, not repeatable
--     `-- due again ---'  lease expired: repeatable -> planned, else -> unresolved
CREATE TABLE action (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 32),    -- the same event, rule and step give the same id
    event INTEGER NOT NULL,
    rule TEXT NOT NULL,
    rule_path TEXT NOT NULL,
    rule_set INTEGER NOT NULL,
    configuration INTEGER NOT NULL,
    flow TEXT,
    step INTEGER NOT NULL CHECK (step >= 0),
    operation TEXT NOT NULL,
    version TEXT NOT NULL,
    access TEXT NOT NULL CHECK (access IN ('read', 'write')),
    repeat_effect TEXT NOT NULL CHECK (repeat_effect IN ('none', 'converges', 'duplicates', 'unknown')),
    account TEXT NOT NULL,
    region TEXT,
    workspace INTEGER,
    params TEXT NOT NULL CHECK (json_valid(params)),    -- secrets are placeholders
    in_order_by TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('planned', 'waiting', 'held', 'in_flight', 'succeeded',
                                         'dead', 'unresolved', 'cancelled', 'observed')),
    held_reason TEXT CHECK (held_reason IN ('approve', 'stale', 'max_calls', 'brake', 'stopped',
                                            'expired', 'loop', 'policy')),
    planned_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    expires_at INTEGER,
    lease_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    first_sent_at INTEGER,
    settled_at INTEGER,
    CHECK ((state = 'held') = (held_reason IS NOT NULL)),
    CHECK ((state = 'in_flight') = (lease_until IS NOT NULL))
) STRICT;

CREATE INDEX action_event ON action (event);
CREATE INDEX action_due ON action (account, priority DESC, due_at) WHERE state = 'planned';
CREATE INDEX action_expires ON action (expires_at) WHERE state = 'planned' AND expires_at IS NOT NULL;
CREATE INDEX action_in_flight ON action (lease_until) WHERE state = 'in_flight';
CREATE INDEX action_in_order_by ON action (in_order_by, number)
    WHERE in_order_by IS NOT NULL AND state IN ('planned', 'waiting', 'in_flight', 'unresolved');
CREATE INDEX action_attention ON action (state, number) WHERE state IN ('held', 'dead', 'unresolved', 'waiting');
CREATE INDEX action_rule ON action (rule, planned_at);

-- One HTTP call for one action; the row is durable before the request leaves.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    action INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    -- NULL while in flight; interrupted: the daemon stopped before it knew
    outcome TEXT CHECK (outcome IN ('succeeded', 'due_again', 'dead', 'unresolved', 'interrupted', 'held')),
    class TEXT,                                         -- what happened to the call
    endpoint TEXT,
    http_status INTEGER,
    request_id TEXT,
    error_code TEXT,
    error_message TEXT,
    recommend TEXT,
    response TEXT,                                      -- bounded and scrubbed
    response_truncated INTEGER CHECK (response_truncated IN (0, 1)),
    latency_ms INTEGER,
    read_before TEXT,
    UNIQUE (action, number)
) STRICT;

CREATE INDEX attempt_started_at ON attempt (started_at);

-- Offsets that we know we never saw.
CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    first_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,                        -- exclusive
    reason TEXT NOT NULL CHECK (reason IN ('retention', 'foreign_commit', 'recreated', 'start_at')),
    noticed_at INTEGER NOT NULL
) STRICT;

-- What people did.
CREATE TABLE operator_action (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    verb TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    affected INTEGER NOT NULL
) STRICT;

-- Where the periodic work stands.
CREATE TABLE upkeep (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Views for people ------------------------------------------------------------------------------

CREATE VIEW events AS
SELECT e.seq,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.accepted_at / 1000.0, 'unixepoch') AS accepted_at,
       e.id, o.source, o.type,
       CASE e.envelope
           WHEN 1 THEN e.payload ->> '$.time'
           WHEN 2 THEN (SELECT h.value ->> '$[1]' FROM json_each(e.headers) h WHERE h.value ->> '$[0]' = 'ce_time')
       END AS time,
       CASE e.envelope
           WHEN 1 THEN e.payload ->> '$.subject'
           WHEN 2 THEN (SELECT h.value ->> '$[1]' FROM json_each(e.headers) h WHERE h.value ->> '$[0]' = 'ce_subject')
       END AS subject,
       o.code, o.kind, e.workspace, e.operator, o.account, o.region,
       e.instance, e.facts ->> '$.instances' AS instances,
       e.node, e.facts ->> '$.nodes' AS nodes,
       e.facts ->> '$.file' AS file, e.facts ->> '$.table' AS "table",
       CASE e.status
           WHEN 1 THEN 'NotRun' WHEN 2 THEN 'WaitTime' WHEN 3 THEN 'WaitResource' WHEN 4 THEN 'Running'
           WHEN 5 THEN 'Failure' WHEN 6 THEN 'Success' WHEN 7 THEN 'Checking' WHEN 8 THEN 'CheckingCondition'
       END AS status,
       e.facts ->> '$.rows' AS rows, e.facts ->> '$.bytes' AS bytes,
       CASE
           WHEN e.envelope = 1 THEN e.payload ->> '$.data'
           WHEN e.envelope IN (3, 4, 5) THEN e.payload ->> '$.messageBody'
           ELSE e.payload
       END AS data,
       CASE e.envelope
           WHEN 1 THEN 'cloudevents' WHEN 2 THEN 'cloudevents_binary' WHEN 3 THEN 'kafka'
           WHEN 4 THEN 'kafka_gen1' WHEN 5 THEN 'function_compute' WHEN 6 THEN 'data_only'
       END AS envelope,
       (SELECT json_group_array(f.column2)
        FROM (VALUES (1, 'data_was_text'), (2, 'code_conflict'), (4, 'duplicate_data_keys'),
                     (8, 'attribute_collision'), (16, 'no_identity'), (32, 'unknown_type'),
                     (64, 'unreadable_value')) f
        WHERE e.flags & f.column1 <> 0) AS flags,
       e.matched,
       s.topic, s.partition, e."offset", s.generation,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.kafka_at / 1000.0, 'unixepoch') AS kafka_at,
       e.batch, e.accepted_at AS accepted_ms, e.payload
FROM event e JOIN origin o ON o.id = e.origin JOIN stream s ON s.id = e.stream;

CREATE VIEW decisions AS
SELECT d.event, d.position, d.rule, d.rule_path, d.outcome, d.message,
       d.age_ms / 1000.0 AS age_seconds, d.calls_in_hour,
       a.id AS action, a.state AS action_state,
       r.hash AS rule_set, c.hash AS configuration,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.decided_at / 1000.0, 'unixepoch') AS decided_at
FROM decision d
LEFT JOIN action a ON a.number = d.action
LEFT JOIN rule_set r ON r.id = d.rule_set
LEFT JOIN configuration c ON c.id = d.configuration;

CREATE VIEW actions AS
SELECT a.number, a.id, a.event, a.rule, a.step, a.state, a.held_reason,
       a.operation, a.version, a.access, a.repeat_effect, a.account, a.region, a.workspace, a.params,
       a.in_order_by, a.priority, a.attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.planned_at / 1000.0, 'unixepoch') AS planned_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.due_at / 1000.0, 'unixepoch') AS due_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.expires_at / 1000.0, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.lease_until / 1000.0, 'unixepoch') AS lease_until,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.settled_at / 1000.0, 'unixepoch') AS settled_at,
       a.flow, a.rule_path, r.hash AS rule_set, c.hash AS configuration
FROM action a
LEFT JOIN rule_set r ON r.id = a.rule_set
LEFT JOIN configuration c ON c.id = a.configuration;

CREATE VIEW attempts AS
SELECT t.id, a.id AS action, t.number, a.event, a.rule, a.operation,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.started_at / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.finished_at / 1000.0, 'unixepoch') AS finished_at,
       coalesce(t.outcome, 'in_flight') AS outcome, t.class, t.endpoint, t.http_status, t.request_id,
       t.error_code, t.error_message, t.recommend, t.latency_ms, t.response, t.response_truncated
FROM attempt t JOIN action a ON a.number = t.action;

CREATE VIEW quarantined AS
SELECT q.id, q.reason, q.message, s.topic, s.partition, q."offset", s.generation,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.quarantined_at / 1000.0, 'unixepoch') AS quarantined_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.kafka_at / 1000.0, 'unixepoch') AS kafka_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.replayed_at / 1000.0, 'unixepoch') AS replayed_at,
       q.replayed_event, length(q.payload) AS payload_bytes, q.payload, q.key, q.headers, q.batch
FROM quarantined_record q JOIN stream s ON s.id = q.stream;

CREATE VIEW duplicates AS
SELECT d.id, d.doubt, d.event, s.topic, s.partition, d."offset", s.generation,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.noticed_at / 1000.0, 'unixepoch') AS noticed_at,
       d.batch, d.payload
FROM doubtful_duplicate d JOIN stream s ON s.id = d.stream;

CREATE VIEW batches AS
SELECT b.id, strftime('%Y-%m-%dT%H:%M:%fZ', b.accepted_at / 1000.0, 'unixepoch') AS accepted_at,
       b.records, b.events, b.duplicates, b.quarantined, b.first_event, b.last_event, b.ranges,
       r.hash AS rule_set, c.hash AS configuration, b.accepted_at AS accepted_ms
FROM batch b
LEFT JOIN rule_set r ON r.id = b.rule_set
LEFT JOIN configuration c ON c.id = b.configuration;

CREATE VIEW gaps AS
SELECT id, topic, partition, first_offset, end_offset, end_offset - first_offset AS offsets, reason,
       strftime('%Y-%m-%dT%H:%M:%fZ', noticed_at / 1000.0, 'unixepoch') AS noticed_at
FROM gap;

CREATE VIEW rule_sets AS
SELECT id, hash, rules, strftime('%Y-%m-%dT%H:%M:%fZ', loaded_at / 1000.0, 'unixepoch') AS loaded_at, files
FROM rule_set;

CREATE VIEW configurations AS
SELECT id, hash, strftime('%Y-%m-%dT%H:%M:%fZ', loaded_at / 1000.0, 'unixepoch') AS loaded_at, text
FROM configuration;

CREATE VIEW operator_actions AS
SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at, who, verb, target, reason, affected
FROM operator_action;

CREATE VIEW event_objects AS
SELECT event, kind, id FROM event_object;
