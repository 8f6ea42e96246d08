CREATE TABLE orders (id BIGINT PRIMARY KEY, state TEXT, total INT, customer_id BIGINT);
CREATE TABLE customers (id BIGINT PRIMARY KEY);
