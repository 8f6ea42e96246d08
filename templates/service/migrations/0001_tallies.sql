-- How many events of a kind there were, and the sum of their quantities.
CREATE TABLE tallies (
    kind TEXT PRIMARY KEY,
    events INTEGER NOT NULL,
    quantity INTEGER NOT NULL
) STRICT;

-- Which messages were handled, and when, in seconds since 1970.
CREATE TABLE inbox (
    message_id TEXT PRIMARY KEY,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_received_at ON inbox (received_at);
