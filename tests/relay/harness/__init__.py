"""Real relays, real peers, and an office that changes their database from another process."""
