/* What each relay wants to hear. Every dialect calls a function with the same data and publishes the same message. */
#define _GNU_SOURCE
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA "{\"a\":5,\"b\":3}"
#define RESULT "{\"result\":8}"
#define MESSAGE "{\"symbol\":\"ABCDEF\",\"price\":123.45,\"size\":100}"

static bool begins(const char *text, size_t length, const char *with) {
    return length >= strlen(with) && !memcmp(text, with, strlen(with));
}

static uint32_t number_of(struct peer *peer, int slot) {
    uint32_t number = ++peer->next_id;
    peer->slot_of[number % IDS] = slot;
    return number;
}

static void ended_by_number(struct peer *peer, const char *number) {
    call_ended(peer, peer->slot_of[strtoul(number, NULL, 10) % IDS]);
}

/* The text of the frame's "id", without quotes; NULL when there is none. */
static const char *find_id(const char *text, size_t length, int *size) {
    const char *id = memmem(text, length, "\"id\":\"", 6);
    const char *end = id ? memchr(id + 6, '"', text + length - id - 6) : NULL;
    *size = end ? (int)(end - id - 6) : 0;
    return end ? id + 6 : NULL;
}

static void answer(struct peer *peer, const char *text, size_t length) {
    int size;
    const char *id = find_id(text, length, &size);
    if (!id) return went_wrong(peer, text, length);
    peer_sayf(peer, "{\"type\":\"result\",\"id\":\"%.*s\",\"data\":" RESULT "}", size, id);
}

static void answered(struct peer *peer, const char *text, size_t length) {
    int size;
    const char *id = find_id(text, length, &size);
    call_ended(peer, id ? strtol(id, NULL, 10) : -1);
}

static void json_call(struct peer *peer, int slot) {
    peer_sayf(peer, "{\"type\":\"call\",\"id\":\"%d\",\"cmd\":\"calculator:add\",\"data\":" DATA "}", slot);
}

/* --- Gluer -------------------------------------------------------------------------------------------------------- */

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static void gluer_path(enum role role, char *path, size_t size) {
    (void)role;
    snprintf(path, size, "/v1/ws/%s", environment("GLUER_BENCH_PROJECT"));
}

static void gluer_greet(struct peer *peer) {
    bool shows_private = peer->role == BACK || peer->role == PUBLISHER;
    const char *key = environment(shows_private ? "GLUER_BENCH_PRIVATE" : "GLUER_BENCH_PUBLIC");
    peer_sayf(peer, "{\"type\":\"hello\",\"key\":\"%s\",\"sdk\":\"bench/1\"}", key);
    if (peer->role == BACK)
        peer_sayf(peer, "{\"type\":\"register\",\"id\":\"r\",\"functions\":[{\"name\":\"calculator:add\"}]}");
    if (peer->role == SUBSCRIBER) peer_sayf(peer, "{\"type\":\"subscribe\",\"id\":\"s\",\"channels\":[\"t\"]}");
}

static void gluer_message(struct peer *peer, char *text, size_t length) {
    int answers_wanted = peer->role == BACK || peer->role == SUBSCRIBER ? 2 : 1; /* `welcome`, and the result */
    if (begins(text, length, "{\"type\":\"call\"")) answer(peer, text, length);
    else if (begins(text, length, "{\"type\":\"message\"")) message_delivered(peer);
    else if (begins(text, length, "{\"type\":\"ping\"")) peer_sayf(peer, "{\"type\":\"pong\"}");
    else if (peer->state == READY && begins(text, length, "{\"type\":\"result\"")) answered(peer, text, length);
    else if (peer->state == READY || !memmem(text, length, peer->steps ? "result" : "welcome", peer->steps ? 6 : 7))
        went_wrong(peer, text, length);
    else if (++peer->steps == answers_wanted) peer_ready(peer);
}

static void gluer_publish(struct peer *peer) {
    peer_sayf(peer, "{\"type\":\"publish\",\"channel\":\"t\",\"data\":" MESSAGE "}");
}

/* --- bare JSON frames: roles by path, no hello -------------------------------------------------------------------- */

static void raw_path(enum role role, char *path, size_t size) {
    static const char *const paths[] = {"/front", "/back", "/sub", "/pub"};
    snprintf(path, size, "%s", paths[role]);
}

static void raw_message(struct peer *peer, char *text, size_t length) {
    if (peer->role == SUBSCRIBER) message_delivered(peer);
    else if (peer->role == BACK) answer(peer, text, length);
    else answered(peer, text, length);
}

static void raw_publish(struct peer *peer) {
    peer_sayf(peer, "{\"type\":\"publish\",\"id\":\"1\",\"cmd\":\"t\",\"data\":" MESSAGE "}");
}

/* --- Socket.IO: Engine.IO 4 packets, acknowledgements answer ------------------------------------------------------ */

static void socketio_path(enum role role, char *path, size_t size) {
    static const char *const roles[] = {"front", "back", "sub", "pub"};
    snprintf(path, size, "/socket.io/?EIO=4&transport=websocket&role=%s", roles[role]);
}

static void socketio_greet(struct peer *peer) { peer_say(peer, "40", 2); }

static void socketio_message(struct peer *peer, char *text, size_t length) {
    if (begins(text, length, "2")) return peer_say(peer, "3", 1);
    if (begins(text, length, "0")) return;
    if (begins(text, length, "40")) return peer_ready(peer);
    if (begins(text, length, "43") && peer->role == FRONT) return ended_by_number(peer, text + 2);
    if (!begins(text, length, "42")) return went_wrong(peer, text, length);
    if (peer->role == SUBSCRIBER) return message_delivered(peer);
    peer_sayf(peer, "43%lu[" RESULT "]", strtoul(text + 2, NULL, 10));
}

static void socketio_call(struct peer *peer, int slot) {
    peer_sayf(peer, "42%u[\"call\",{\"cmd\":\"calculator:add\",\"data\":" DATA "}]", number_of(peer, slot));
}

static void socketio_publish(struct peer *peer) { peer_sayf(peer, "42[\"publish\"," MESSAGE "]"); }

/* --- NATS: its byte stream inside binary frames ------------------------------------------------------------------- */

static void root_path(enum role role, char *path, size_t size) {
    (void)role;
    snprintf(path, size, "/");
}

static void nats_greet(struct peer *peer) {
    char subscription[64] = "";
    if (peer->role == FRONT) snprintf(subscription, sizeof subscription, "SUB _INBOX.%d.* 1\r\n", peer->index);
    if (peer->role == BACK) snprintf(subscription, sizeof subscription, "SUB calculator.add q 1\r\n");
    if (peer->role == SUBSCRIBER) snprintf(subscription, sizeof subscription, "SUB t 1\r\n");
    peer_sayf(peer,
              "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"lang\":\"c\",\"version\":\"1\","
              "\"protocol\":1,\"no_responders\":false,\"headers\":false}\r\n%sPING\r\n",
              subscription);
}

/* `MSG subject sid [reply] size`, and the payload behind it: how many bytes, 0 while they are incomplete. */
static size_t nats_msg(struct peer *peer, const char *text, size_t line, size_t available) {
    char subject[64], second[64], third[64], fourth[64];
    char copy[256];
    snprintf(copy, sizeof copy, "%.*s", (int)line, text);
    int words = sscanf(copy, "MSG %63s %63s %63s %63s", subject, second, third, fourth);
    if (words < 3) die("not understood: %s", copy);
    size_t whole = line + strtoul(words == 4 ? fourth : third, NULL, 10) + 2;
    if (whole > available) return 0;
    if (peer->role == SUBSCRIBER) message_delivered(peer);
    else if (peer->role == FRONT) call_ended(peer, strtol(strrchr(subject, '.') + 1, NULL, 10));
    else peer_sayf(peer, "PUB %s %zu\r\n" RESULT "\r\n", third, sizeof RESULT - 1);
    return whole;
}

static size_t nats_step(struct peer *peer, const char *text, size_t available) {
    const char *end = memchr(text, '\n', available);
    if (!end) return 0;
    size_t line = end + 1 - text;
    if (begins(text, line, "MSG ")) return nats_msg(peer, text, line, available);
    if (begins(text, line, "PING")) peer_say(peer, "PONG\r\n", 6);
    else if (begins(text, line, "PONG") && peer->state == GREETING) peer_ready(peer);
    else if (begins(text, line, "-")) went_wrong(peer, text, line);
    return line;
}

static void nats_message(struct peer *peer, char *text, size_t length) {
    struct buffer *stream = &peer->stream;
    size_t used = 0, step;
    bool whole = stream->length == 0;
    if (!whole) {
        buffer_add(stream, text, length);
        text = stream->data, length = stream->length;
    }
    while (used < length && (step = nats_step(peer, text + used, length - used))) used += step;
    if (!whole) memmove(stream->data, stream->data + used, stream->length -= used);
    else if (used < length) buffer_add(stream, text + used, length - used);
}

static void nats_call(struct peer *peer, int slot) {
    peer_sayf(peer, "PUB calculator.add _INBOX.%d.%d %zu\r\n" DATA "\r\n", peer->index, slot, sizeof DATA - 1);
}

static void nats_publish(struct peer *peer) { peer_sayf(peer, "PUB t %zu\r\n" MESSAGE "\r\n", sizeof MESSAGE - 1); }

/* --- WAMP --------------------------------------------------------------------------------------------------------- */

enum wamp { WELCOME = 2, REGISTERED = 65, SUBSCRIBED = 33, RESULT_ = 50, INVOCATION = 68, EVENT = 36 };

static void wamp_path(enum role role, char *path, size_t size) {
    (void)role;
    snprintf(path, size, "/ws");
}

static void wamp_greet(struct peer *peer) {
    peer_sayf(peer, "[1,\"realm1\",{\"roles\":{\"caller\":{},\"callee\":{\"features\":{\"shared_registration\":true}},"
                    "\"publisher\":{},\"subscriber\":{}}}]");
}

static void wamp_welcomed(struct peer *peer) {
    if (peer->role == BACK) peer_sayf(peer, "[64,1,{\"invoke\":\"roundrobin\"},\"com.calculator.add\"]");
    else if (peer->role == SUBSCRIBER) peer_sayf(peer, "[32,1,{},\"com.t\"]");
    else peer_ready(peer);
}

static void wamp_message(struct peer *peer, char *text, size_t length) {
    char *rest;
    switch (strtol(text + 1, &rest, 10)) {
        case WELCOME: return wamp_welcomed(peer);
        case REGISTERED:
        case SUBSCRIBED: return peer_ready(peer);
        case RESULT_: return ended_by_number(peer, rest + 1);
        case INVOCATION: return peer_sayf(peer, "[70,%ld,{},[" RESULT "]]", strtol(rest + 1, NULL, 10));
        case EVENT: return message_delivered(peer);
        default: went_wrong(peer, text, length);
    }
}

static void wamp_call(struct peer *peer, int slot) {
    peer_sayf(peer, "[48,%u,{},\"com.calculator.add\",[" DATA "]]", number_of(peer, slot));
}

static void wamp_publish(struct peer *peer) { peer_sayf(peer, "[16,%u,{},\"com.t\",[" MESSAGE "]]", ++peer->next_id); }

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct dialect dialects[] = {
    {"gluer", "gluer.v1.json", false, gluer_path, gluer_greet, gluer_message, json_call, gluer_publish},
    {"raw", NULL, false, raw_path, peer_ready, raw_message, json_call, raw_publish},
    {"socketio", NULL, false, socketio_path, socketio_greet, socketio_message, socketio_call, socketio_publish},
    {"nats", NULL, true, root_path, nats_greet, nats_message, nats_call, nats_publish},
    {"wamp", "wamp.2.json", false, wamp_path, wamp_greet, wamp_message, wamp_call, wamp_publish},
};

const struct dialect *dialect_named(const char *name) {
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (!strcmp(dialects[i].name, name)) return &dialects[i];
    return NULL;
}
