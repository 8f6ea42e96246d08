-- Events that are not published yet.
CREATE TABLE outbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    message_id VARCHAR(64) NOT NULL,
    kind VARCHAR(255) NOT NULL,
    message_key VARCHAR(255) NOT NULL,
    trace VARCHAR(255),
    body LONGBLOB NOT NULL
) ENGINE = InnoDB;

-- Whose turn it is to publish them: the replica's that holds the row.
CREATE TABLE outbox_turn (id INTEGER PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO outbox_turn (id) VALUES (1);
