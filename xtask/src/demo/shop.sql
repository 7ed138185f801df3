CREATE TABLE orders (id int PRIMARY KEY, item text, price numeric);
INSERT INTO orders VALUES (1, 'teapot', 24.90), (2, 'kettle', 39.00), (3, 'cups', 12.50);
CREATE ROLE app_read NOLOGIN;
GRANT SELECT ON orders TO app_read;
