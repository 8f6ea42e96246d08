-- Events that are not published yet.
CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    message_key TEXT NOT NULL,
    trace TEXT,
    body BYTEA NOT NULL
);

-- Whose turn it is to publish them: the replica's that holds the row.
CREATE TABLE outbox_turn (id INTEGER PRIMARY KEY);
INSERT INTO outbox_turn (id) VALUES (1);
