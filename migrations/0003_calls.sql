-- What calls cost, what keeps them from being made, and what was found out about lost ones.

-- What an account has spent in its region, a row for each day of the quota's calendar. A row says where its
-- day begins and ends, since the calendar's offset is a setting.
CREATE TABLE quota_day (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    begins_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL CHECK (ends_at > begins_at),
    sent INTEGER NOT NULL CHECK (sent >= 0),            -- claimed, without what never left
    succeeded INTEGER NOT NULL CHECK (succeeded >= 0),
    throttled INTEGER NOT NULL CHECK (throttled >= 0),  -- refused for the number of calls
    PRIMARY KEY (account, region, begins_at)
) STRICT, WITHOUT ROWID;

-- The same by who spends: a rule's calls, its look-ups of lost ones, and commands of people.
CREATE TABLE quota_day_spender (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    begins_at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rule', 'lookup', 'command')),
    name TEXT NOT NULL,
    sent INTEGER NOT NULL CHECK (sent >= 0),
    succeeded INTEGER NOT NULL CHECK (succeeded >= 0),
    PRIMARY KEY (account, region, begins_at, kind, name)
) STRICT, WITHOUT ROWID;

-- Calls that people make by a command beside the daemon: counted in the same quota, and given one of its
-- slots by the daemon, if one runs.
CREATE TABLE outside_call (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    operation TEXT NOT NULL,
    version TEXT NOT NULL,
    access TEXT NOT NULL CHECK (access IN ('read', 'write')),
    who TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    granted_at INTEGER,
    given_up_at INTEGER NOT NULL,                       -- who has not ended by then has died
    ended_at INTEGER,
    class TEXT,
    http_status INTEGER,
    request_id TEXT,
    error_code TEXT
) STRICT;

CREATE INDEX outside_call_open ON outside_call (id) WHERE ended_at IS NULL;
CREATE INDEX outside_call_asked_at ON outside_call (asked_at);

-- Why calls of an account, or those of one operation for one workspace, are not tried for a while.
CREATE TABLE parking (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    operation TEXT,                                     -- NULL: all calls of the account
    workspace INTEGER,
    reason TEXT NOT NULL CHECK (reason IN ('day_spent', 'month_spent', 'day_refused', 'month_refused',
                                           'throttled', 'credentials', 'clock', 'endpoint', 'forbidden')),
    message TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,                             -- then one call is tried
    failures INTEGER NOT NULL CHECK (failures >= 1),    -- in a row, for this reason
    CHECK ((reason = 'forbidden') = (operation IS NOT NULL))
) STRICT;

-- What people stopped; what is NULL restricts nothing.
CREATE TABLE stop (
    id INTEGER PRIMARY KEY,
    rule TEXT,
    workspace INTEGER,
    operation TEXT,
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    stopped_at INTEGER NOT NULL,
    resumed_at INTEGER
) STRICT;

CREATE INDEX stop_open ON stop (id) WHERE resumed_at IS NULL;

-- An earlier action of the same key is not done: looked at again when that ends, or now and then.
ALTER TABLE action ADD COLUMN behind INTEGER NOT NULL DEFAULT 0 CHECK (behind IN (0, 1));
-- An unresolved action kept later ones of its key waiting until then, and no longer.
ALTER TABLE action ADD COLUMN order_released_at INTEGER;
-- When the outcome of an unresolved action is looked up next; NULL is left to a person.
ALTER TABLE action ADD COLUMN verify_at INTEGER;

DROP INDEX action_due;
CREATE INDEX action_due ON action (account, access, behind, priority DESC, due_at) WHERE state = 'planned';
CREATE INDEX action_behind ON action (in_order_by, number) WHERE state = 'planned' AND behind = 1;
CREATE INDEX action_verify ON action (verify_at) WHERE state = 'unresolved' AND verify_at IS NOT NULL;

-- One read made to find out whether a call was executed; durable before it leaves.
CREATE TABLE lookup (
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('before', 'after', 'log')),
    subject TEXT NOT NULL,                              -- what was looked at
    operation TEXT NOT NULL,
    version TEXT NOT NULL,
    params TEXT NOT NULL CHECK (json_valid(params)),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    class TEXT,
    http_status INTEGER,
    request_id TEXT,
    error_code TEXT,
    error_message TEXT,
    latency_ms INTEGER,
    found TEXT                                          -- what of the response matters, JSON
) STRICT;

CREATE INDEX lookup_attempt ON lookup (attempt);

-- What the look-ups came to.
ALTER TABLE attempt ADD COLUMN verdict TEXT CHECK (verdict IN ('happened', 'did_not_happen', 'ambiguous'));
ALTER TABLE attempt ADD COLUMN verdict_reason TEXT;
ALTER TABLE attempt ADD COLUMN verified_at INTEGER;

-- Views for people ------------------------------------------------------------------------------

CREATE VIEW quota_days AS
SELECT account, region,
       strftime('%Y-%m-%dT%H:%M:%fZ', begins_at / 1000.0, 'unixepoch') AS begins_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', ends_at / 1000.0, 'unixepoch') AS ends_at,
       sent, succeeded, throttled
FROM quota_day;

CREATE VIEW quota_spenders AS
SELECT account, region, strftime('%Y-%m-%dT%H:%M:%fZ', begins_at / 1000.0, 'unixepoch') AS begins_at,
       kind, name, sent, succeeded
FROM quota_day_spender;

CREATE VIEW outside_calls AS
SELECT id, account, region, operation, version, access, who,
       strftime('%Y-%m-%dT%H:%M:%fZ', asked_at / 1000.0, 'unixepoch') AS asked_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', granted_at / 1000.0, 'unixepoch') AS granted_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') AS ended_at,
       class, http_status, request_id, error_code
FROM outside_call;

CREATE VIEW parkings AS
SELECT account, operation, workspace, reason, message,
       strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', until / 1000.0, 'unixepoch') AS until, failures
FROM parking;

CREATE VIEW stops AS
SELECT id, rule, workspace, operation, who, reason,
       strftime('%Y-%m-%dT%H:%M:%fZ', stopped_at / 1000.0, 'unixepoch') AS stopped_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', resumed_at / 1000.0, 'unixepoch') AS resumed_at
FROM stop;

CREATE VIEW lookups AS
SELECT l.id, a.id AS action, t.number AS attempt, l.purpose, l.subject, l.operation, l.version, l.params,
       strftime('%Y-%m-%dT%H:%M:%fZ', l.started_at / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', l.finished_at / 1000.0, 'unixepoch') AS finished_at,
       l.class, l.http_status, l.request_id, l.error_code, l.error_message, l.latency_ms, l.found
FROM lookup l JOIN attempt t ON t.id = l.attempt JOIN action a ON a.number = t.action;

DROP VIEW actions;

-- What is planned and not sent says what for it waits (`waits_for`), when it will be sent at the earliest
-- (`runs_at`), or when it will be held instead because its time is over before (`expires_at` is then earlier).
CREATE VIEW actions AS
SELECT a.number, a.id, a.event, a.rule, a.step, a.state, a.held_reason,
       CASE WHEN a.state <> 'planned' THEN NULL
            WHEN a.behind = 1 THEN 'order'
            WHEN p.until > a.due_at THEN p.reason
            WHEN EXISTS (SELECT 1 FROM parking f WHERE f.account = a.account AND f.operation = a.operation
                         AND f.workspace IS a.workspace) THEN 'forbidden'
            WHEN a.attempts > a.requeued_after THEN 'retry'
            ELSE 'turn'
       END AS waits_for,
       a.operation, a.version, a.access, a.repeat_effect, a.account, a.region, a.workspace, a.params,
       a.in_order_by, a.priority, a.attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.planned_at / 1000.0, 'unixepoch') AS planned_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.due_at / 1000.0, 'unixepoch') AS due_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE WHEN a.state = 'planned' AND a.behind = 0
                THEN max(a.due_at, coalesce(p.until, 0)) END / 1000.0, 'unixepoch') AS runs_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.expires_at / 1000.0, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.lease_until / 1000.0, 'unixepoch') AS lease_until,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.settled_at / 1000.0, 'unixepoch') AS settled_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.verify_at / 1000.0, 'unixepoch') AS verify_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.order_released_at / 1000.0, 'unixepoch') AS order_released_at,
       a.flow, a.rule_path, r.hash AS rule_set, c.hash AS configuration
FROM action a
LEFT JOIN rule_set r ON r.id = a.rule_set
LEFT JOIN configuration c ON c.id = a.configuration
LEFT JOIN parking p ON a.state = 'planned' AND p.account = a.account AND p.operation IS NULL
     AND p.id = (SELECT q.id FROM parking q WHERE q.account = a.account AND q.operation IS NULL
                 ORDER BY q.until DESC, q.id LIMIT 1);

DROP VIEW attempts;

CREATE VIEW attempts AS
SELECT t.id, a.id AS action, t.number, a.event, a.rule, a.operation,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.started_at / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.finished_at / 1000.0, 'unixepoch') AS finished_at,
       coalesce(t.outcome, 'in_flight') AS outcome, t.class, t.endpoint, t.http_status, t.request_id,
       t.error_code, t.error_message, t.recommend, t.latency_ms, t.response, t.response_truncated,
       t.read_before, t.verdict, t.verdict_reason,
       strftime('%Y-%m-%dT%H:%M:%fZ', t.verified_at / 1000.0, 'unixepoch') AS verified_at
FROM attempt t JOIN action a ON a.number = t.action;
