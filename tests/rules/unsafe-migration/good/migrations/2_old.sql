CREATE INDEX orders_total ON orders (total);
ALTER TABLE orders ADD CONSTRAINT orders_state CHECK (state IS NOT NULL) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_state;
