CREATE INDEX CONCURRENTLY orders_paid ON orders (paid);
UPDATE orders SET paid = true;
DROP TABLE IF EXISTS carts;
