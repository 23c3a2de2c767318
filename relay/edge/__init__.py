"""Where the relay meets sockets and HTTP: real Channels consumers that hand frames to the hub."""
