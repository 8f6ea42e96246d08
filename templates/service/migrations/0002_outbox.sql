-- Events that are not published yet.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    message_key TEXT NOT NULL,
    trace TEXT,
    body BLOB NOT NULL
) STRICT;
