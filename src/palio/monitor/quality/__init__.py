"""How good the answers are: estimated before labels come, measured when they have, and worth in money."""
