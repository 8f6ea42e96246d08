CREATE TABLE refunds (id BIGINT PRIMARY KEY, "order" BIGINT, CONSTRAINT refunds_order FOREIGN KEY ("order") REFERENCES public."orders" (id));
