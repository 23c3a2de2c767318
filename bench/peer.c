#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum opcode { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static const struct dialect *spoken; /* by all peers of this process */
static int poll_fd;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("gen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    _exit(3);
}

void buffer_add(struct buffer *buffer, const void *data, size_t length) {
    if (buffer->length + length > buffer->capacity) {
        buffer->capacity = 2 * (buffer->length + length);
        buffer->data = realloc(buffer->data, buffer->capacity);
        if (!buffer->data) die("out of memory");
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void watch(struct peer *peer, bool writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = peer};
    if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, peer->fd, &event)) die("epoll_ctl: %s", strerror(errno));
    peer->asked_writable = writable;
}

void peer_flush(struct peer *peer) {
    struct buffer *out = &peer->out;
    if (out->length) {
        ssize_t sent = send(peer->fd, out->data, out->length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) die("send: %s", strerror(errno));
        if (sent > 0) memmove(out->data, out->data + sent, out->length -= sent);
    }
    if (peer->asked_writable != (out->length > 0)) watch(peer, out->length > 0);
}

static void add_frame(struct peer *peer, enum opcode opcode, const char *payload, size_t length) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t header[8] = {0x80 | opcode, 0x80 | length};
    size_t size = 2;
    if (length > 65535) die("a message of %zu bytes; 65535 are the most", length);
    if (length > 125) {
        header[1] = 0x80 | 126, header[2] = length >> 8, header[3] = length;
        size = 4;
    }
    memcpy(header + size, mask, 4);
    buffer_add(&peer->out, header, size + 4);
    buffer_add(&peer->out, payload, length);
    char *masked = peer->out.data + peer->out.length - length;
    for (size_t i = 0; i < length; i++) masked[i] ^= mask[i & 3];
}

void peer_say(struct peer *peer, const char *text, size_t length) {
    add_frame(peer, spoken->binary ? BINARY : TEXT, text, length);
}

void peer_sayf(struct peer *peer, const char *format, ...) {
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof text) die("a message is too long");
    peer_say(peer, text, length);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void on_frame(struct peer *peer, enum opcode opcode, char *payload, size_t length) {
    if (opcode == PING) {
        add_frame(peer, PONG, payload, length);
    } else if (opcode == CLOSE) {
        int code = length >= 2 ? (uint8_t)payload[0] << 8 | (uint8_t)payload[1] : 1005;
        die("the relay closed with %d %.*s", code, length > 2 ? (int)length - 2 : 0, payload + 2);
    } else if (opcode != PONG) {
        spoken->message(peer, payload, length);
    }
}

/* The length of the frame's header, 0 while it is incomplete; its payload's length. */
static size_t read_header(const uint8_t *data, size_t available, size_t *length) {
    if (available < 2) return 0;
    size_t size = 2 + (data[1] == 126 ? 2 : data[1] == 127 ? 8 : 0);
    if (available < size) return 0;
    *length = size == 2 ? data[1] : 0;
    for (size_t i = 2; i < size; i++) *length = *length << 8 | data[i];
    return size;
}

static size_t read_frames(struct peer *peer, char *data, size_t available) {
    size_t used = 0, header, length;
    while ((header = read_header((uint8_t *)data + used, available - used, &length))) {
        if (available - used - header < length) break;
        on_frame(peer, data[used] & 15, data + used + header, length);
        used += header + length;
    }
    return used;
}

/* The answer to the upgrade; 0 while it is incomplete. */
static size_t read_upgrade(struct peer *peer, char *data, size_t available) {
    char *end = memmem(data, available, "\r\n\r\n", 4);
    if (!end) return 0;
    if (strncmp(data, "HTTP/1.1 101", 12)) die("no upgrade: %.*s", (int)(end - data), data);
    peer->state = GREETING;
    spoken->greet(peer);
    return end + 4 - data;
}

void peer_readable(struct peer *peer) {
    static char data[1 << 21];
    struct buffer *left = &peer->in;
    if (left->length > sizeof data / 2) die("a message of more than %zu bytes", sizeof data / 2);
    memcpy(data, left->data, left->length);
    ssize_t received = recv(peer->fd, data + left->length, 1 << 18, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) die("the relay ended a connection: %s", received ? strerror(errno) : "end of file");
    size_t available = left->length + received, used = 0;
    left->length = 0;
    if (peer->state == UPGRADING) used = read_upgrade(peer, data, available);
    if (peer->state != UPGRADING) used += read_frames(peer, data + used, available - used);
    if (used < available) buffer_add(left, data + used, available - used);
    peer_flush(peer);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

/* Each address has 28,000 ports towards the same one: from the 20,000th peer on they come from others of 127/8. */
static void bind_source(int fd, int number) {
    int one = 1;
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / 20000)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&source, sizeof source)) die("bind: %s", strerror(errno));
}

static void ask_upgrade(struct peer *peer, int port) {
    char path[512], request[2048];
    spoken->path(peer->role, path, sizeof path);
    int length = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
        path, port, spoken->subprotocol ? "Sec-WebSocket-Protocol: " : "",
        spoken->subprotocol ? spoken->subprotocol : "", spoken->subprotocol ? "\r\n" : "");
    buffer_add(&peer->out, request, length);
}

struct peer *peer_open(const struct dialect *dialect, int epoll, int port, enum role role, int index, int source) {
    spoken = dialect, poll_fd = epoll;
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) die("out of memory");
    peer->role = role, peer->index = index;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (peer->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bind_source(peer->fd, source);
    struct sockaddr_in relay = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(peer->fd, (struct sockaddr *)&relay, sizeof relay) && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    ask_upgrade(peer, port);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = peer};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event)) die("epoll_ctl: %s", strerror(errno));
    peer->asked_writable = true; /* once it is connected */
    return peer;
}
