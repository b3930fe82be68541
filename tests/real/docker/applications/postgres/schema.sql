CREATE TABLE IF NOT EXISTS orders (
    number serial PRIMARY KEY,
    name text NOT NULL,
    packed_by text
);
