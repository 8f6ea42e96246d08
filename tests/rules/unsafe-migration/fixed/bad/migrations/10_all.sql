ALTER TABLE orders ADD COLUMN region TEXT NOT NULL;
ALTER TABLE orders ADD COLUMN token UUID DEFAULT gen_random_uuid(), ADD COLUMN number BIGSERIAL;
ALTER TABLE orders ALTER COLUMN total TYPE BIGINT, ALTER COLUMN state SET NOT NULL;
ALTER TABLE orders RENAME COLUMN state TO status;
ALTER TABLE customers RENAME TO clients;
ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total > 0) NOT VALID, ADD UNIQUE (customer_id);
CREATE INDEX orders_state ON orders (state);
