/* One peer of a relay: a socket, its WebSocket framing, and the dialect that it speaks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role { FRONT, BACK, SUBSCRIBER, PUBLISHER };
enum state { UPGRADING, GREETING, READY };

struct buffer {
    char *data;
    size_t length, capacity;
};

struct peer {
    int fd;
    enum role role;
    enum state state;
    int index;            /* among those of its role */
    int steps;            /* answers seen while GREETING */
    bool asked_writable;  /* epoll tells when what is left can be written */
    uint32_t next_id;     /* of dialects that want numbers of their own */
    uint64_t *called_at;  /* ns, per slot: a slot is one call in flight */
    uint16_t *slot_of;    /* the slot of a call, by its number */
    struct buffer in, out, stream;
};

#define IDS 4096 /* calls told apart by number; more than any depth */

/* A protocol of calls and messages. `greet` runs once the socket is upgraded; it or `message` says peer_ready. */
struct dialect {
    const char *name, *subprotocol;
    bool binary;
    void (*path)(enum role role, char *path, size_t size);
    void (*greet)(struct peer *peer);
    void (*message)(struct peer *peer, char *text, size_t length);
    void (*call)(struct peer *peer, int slot);
    void (*publish)(struct peer *peer);
};

const struct dialect *dialect_named(const char *name);

/* What a dialect tells the run (gen.c). */
void peer_ready(struct peer *peer);
void call_ended(struct peer *peer, long slot);
void message_delivered(struct peer *peer);
void went_wrong(struct peer *peer, const char *text, size_t length);

/* What a dialect does (peer.c). Messages are gathered until peer_flush, as a client's event loop gathers them. */
void peer_say(struct peer *peer, const char *text, size_t length);
void peer_sayf(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct peer *peer_open(const struct dialect *dialect, int epoll, int port, enum role role, int index, int source);
void peer_readable(struct peer *peer);
void peer_flush(struct peer *peer);
void buffer_add(struct buffer *buffer, const void *data, size_t length);
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
