-- no-transaction
CREATE TABLE items (id BIGSERIAL PRIMARY KEY, order_id BIGINT REFERENCES orders (id));
CREATE INDEX items_order ON items (order_id);
CREATE INDEX CONCURRENTLY orders_state ON orders (state);
ALTER TABLE orders ALTER COLUMN state SET NOT NULL, ADD COLUMN region TEXT NOT NULL DEFAULT 'eu';
ALTER TABLE orders ADD COLUMN created TIMESTAMPTZ DEFAULT now(), ADD COLUMN seller BIGINT REFERENCES customers (id);
ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT orders_number UNIQUE USING INDEX orders_state, DROP COLUMN total;
-- ALTER TABLE orders RENAME COLUMN state TO status;
