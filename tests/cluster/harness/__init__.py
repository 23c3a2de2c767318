"""Real relays, Redis, Postgres and nginx, together and one by one, and the ways they fail."""
