CREATE TABLE customers (id BIGINT PRIMARY KEY);
-- REFERENCES orders (id)
CREATE TABLE invoices (id BIGINT PRIMARY KEY, customer BIGINT REFERENCES customers (id), legacy BIGINT REFERENCES legacy (id), note TEXT DEFAULT 'REFERENCES orders');
