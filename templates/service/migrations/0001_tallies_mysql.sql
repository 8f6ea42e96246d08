-- How many events of a kind there were, and the sum of their quantities.
CREATE TABLE tallies (
    kind VARCHAR(255) PRIMARY KEY,
    events BIGINT NOT NULL,
    quantity BIGINT NOT NULL
) ENGINE = InnoDB;

-- Which messages were handled, and when, in seconds since 1970.
CREATE TABLE inbox (
    message_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
    received_at BIGINT NOT NULL,
    INDEX inbox_received_at (received_at)
) ENGINE = InnoDB;
