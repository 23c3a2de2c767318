/* The bare relay: what epoll, one recv per readiness and one send per message cost, and nothing else. It knows nobody:
   no keys, limits, deadlines or checks; a broken frame breaks it. `wsrelay PORT`; roles by path: /front /back /sub /pub. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING 65536
#define MOST 65536

struct peer {
    int fd;
    bool upgraded;
    uint8_t *left;
    size_t left_length;
};

static struct peer *backs[64], *subscribers[MOST];
static int number_of_backs, number_of_subscribers, turn;
static struct { struct peer *caller; char id[24]; } pending[PENDING];
static uint32_t sequence;
static uint8_t buffer[1 << 18];

static void write_all(struct peer *peer, const void *data, size_t length) {
    while (length) {
        ssize_t sent = send(peer->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent < 0) {
            struct pollfd wait = {peer->fd, POLLOUT, 0};
            poll(&wait, 1, 100);
            continue;
        }
        data = (const uint8_t *)data + sent, length -= sent;
    }
}

/* The payload stands at frame + 4: the header goes in front of it. */
static void write_frame(struct peer *peer, uint8_t *frame, size_t length) {
    if (length < 126) {
        frame[2] = 0x81, frame[3] = length;
        write_all(peer, frame + 2, length + 2);
    } else {
        frame[0] = 0x81, frame[1] = 126, frame[2] = length >> 8, frame[3] = length;
        write_all(peer, frame, length + 4);
    }
}

/* The text with another id in place of the one at [id, end). */
static size_t with_id(uint8_t *out, const char *text, size_t length, const char *id, const char *end, const char *other) {
    size_t before = id - text, size = strlen(other), after = text + length - end;
    memcpy(out, text, before);
    memcpy(out + before, other, size);
    memcpy(out + before + size, end, after);
    return before + size + after;
}

static void relay_call(struct peer *caller, const char *text, size_t length, const char *id, const char *end) {
    uint8_t frame[70000];
    char number[16];
    uint32_t slot = ++sequence % PENDING;
    if (!number_of_backs || end - id > 23) return;
    pending[slot].caller = caller;
    snprintf(pending[slot].id, sizeof pending[slot].id, "%.*s", (int)(end - id), id);
    snprintf(number, sizeof number, "%u", slot);
    write_frame(backs[++turn % number_of_backs], frame, with_id(frame + 4, text, length, id, end, number));
}

static void relay_result(const char *text, size_t length, const char *id, const char *end) {
    uint8_t frame[70000];
    uint32_t slot = strtoul(id, NULL, 10) % PENDING;
    if (!pending[slot].caller) return;
    write_frame(pending[slot].caller, frame, with_id(frame + 4, text, length, id, end, pending[slot].id));
}

static void relay(struct peer *peer, char *text, size_t length) {
    uint8_t frame[70000];
    char *id = memmem(text, length, "\"id\":\"", 6);
    if (!id) return;
    id += 6;
    char *end = memchr(id, '"', text + length - id);
    if (!memcmp(text, "{\"type\":\"call\"", 14)) relay_call(peer, text, length, id, end);
    else if (!memcmp(text, "{\"type\":\"result\"", 16)) relay_result(text, length, id, end);
    else {
        memcpy(frame + 4, text, length);
        for (int i = 0; i < number_of_subscribers; i++) write_frame(subscribers[i], frame, length);
    }
}

static void forget(struct peer *peer) {
    for (int i = 0; i < number_of_backs; i++)
        if (backs[i] == peer) backs[i] = backs[--number_of_backs];
    for (int i = 0; i < number_of_subscribers; i++)
        if (subscribers[i] == peer) subscribers[i] = subscribers[--number_of_subscribers];
    close(peer->fd); /* what it has in `pending` is answered to nobody; the struct stays, since calls may point at it */
    free(peer->left);
    peer->left = NULL;
}

static size_t upgrade(struct peer *peer, size_t length) {
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    uint8_t *end = memmem(buffer, length, "\r\n\r\n", 4);
    if (!end) return 0;
    peer->upgraded = true;
    if (!memcmp(buffer, "GET /back", 9) && number_of_backs < 64) backs[number_of_backs++] = peer;
    if (!memcmp(buffer, "GET /sub", 8) && number_of_subscribers < MOST) subscribers[number_of_subscribers++] = peer;
    write_all(peer, answer, sizeof answer - 1);
    return end + 4 - buffer;
}

static size_t read_frames(struct peer *peer, size_t from, size_t length) {
    while (length - from >= 6) {
        size_t header = 2, size = buffer[from + 1] & 127;
        if (size == 126) header = 4, size = buffer[from + 2] << 8 | buffer[from + 3];
        if (length - from < header + 4 + size) break;
        uint8_t *mask = buffer + from + header, *payload = mask + 4;
        for (size_t i = 0; i < size; i++) payload[i] ^= mask[i & 3];
        if ((buffer[from] & 15) == 1) relay(peer, (char *)payload, size);
        from += header + 4 + size;
    }
    return from;
}

static void readable(struct peer *peer) {
    if (peer->left_length) memcpy(buffer, peer->left, peer->left_length);
    ssize_t received = recv(peer->fd, buffer + peer->left_length, 65536, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) return forget(peer);
    size_t length = peer->left_length + received, used = 0;
    if (!peer->upgraded) used = upgrade(peer, length);
    if (peer->upgraded) used = read_frames(peer, used, length);
    peer->left_length = length - used;
    if (peer->left_length) {
        peer->left = realloc(peer->left, peer->left_length);
        memcpy(peer->left, buffer + used, peer->left_length);
    }
}

static void welcome(int listening, int epoll) {
    int one = 1, fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct peer *peer = calloc(1, sizeof *peer);
    peer->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int count, char **arguments) {
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, epoll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(count > 1 ? atoi(arguments[1]) : 9000);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 4096)) return 1;
    struct epoll_event event = {.events = EPOLLIN}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int number = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < number; i++)
            if (events[i].data.ptr) readable(events[i].data.ptr);
            else welcome(listening, epoll);
    }
}
