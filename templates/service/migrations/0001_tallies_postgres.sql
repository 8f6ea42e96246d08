-- How many events of a kind there were, and the sum of their quantities.
CREATE TABLE tallies (
    kind TEXT PRIMARY KEY,
    events BIGINT NOT NULL,
    quantity BIGINT NOT NULL
);

-- Which messages were handled, and when, in seconds since 1970.
CREATE TABLE inbox (
    message_id TEXT PRIMARY KEY,
    received_at BIGINT NOT NULL
);
CREATE INDEX inbox_received_at ON inbox (received_at);
