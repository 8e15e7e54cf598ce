"""A careful script for the same job, without deciding, explaining, deduplicating or calling:
batches of 1,000, rules indexed by hand in a dict, offsets committed after the SQLite commit.

    rival.py BOOTSTRAP TOPIC COUNT DATABASE      prints events per second
"""
import sqlite3
import sys
import time

import orjson
from confluent_kafka import Consumer

bootstrap, topic, count, database = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
db = sqlite3.connect(database, isolation_level=None)
db.executescript("""
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE event (topic TEXT, part INTEGER, position INTEGER, id TEXT, code TEXT, workspace INTEGER,
                    instance INTEGER, matched TEXT, payload BLOB, UNIQUE (topic, part, position));
""")
# (code, status) -> rules; a hundred rules, of which one can match.
rules = {("instance-status-changes", 5): ["rule-0"]}
for number in range(1, 100):
    rules[("instance-status-changes", 100 + number)] = [f"rule-{number}"]

consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-rival", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "fetch.queue.backoff.ms": 10})
consumer.subscribe([topic])
seen, started = 0, None
while seen < count:
    messages = consumer.consume(1000, timeout=1.0)
    rows = []
    for message in messages:
        if message.error():
            continue
        payload = message.value()
        event = orjson.loads(payload)
        data = event["data"]
        code = data.get("eventCode")
        matched = rules.get((code, data.get("status")))
        rows.append((topic, message.partition(), message.offset(), event["id"], code, data.get("appId"),
                     data.get("taskId"), ",".join(matched) if matched else None, payload))
    if not rows:
        continue
    if started is None:
        started, first = time.monotonic(), len(rows)
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT OR IGNORE INTO event VALUES (?,?,?,?,?,?,?,?,?)", rows)
    db.execute("COMMIT")
    consumer.commit(asynchronous=True)
    seen += len(rows)
print((seen - first) / (time.monotonic() - started))
consumer.close()
