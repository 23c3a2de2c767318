/* A load generator for relays: one thread, epoll.

   gen --dialect gluer --port 8000 --pids 123,124 --mode calls    one JSON line about calls per second, CPU, latency
                                                  --mode fanout   … about deliveries to many subscribers
                                                  --mode idle     … about connecting; then holds them until stdin ends
   --back-port 8001: back ends and subscribers connect there, to the same relay's second process.

   `used` is what the generator itself took of its core: above 0.9 it was the bottleneck, and the figures are worthless. */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 32           /* connections opened at a time; Twisted listens with a backlog of 50 */
#define LONGEST 2000000      /* us; longer calls count as this long */
#define MOST_PIDS 64
#define SETUP_SECONDS 300
#define TOLD_SECONDS 0.5     /* until both processes of a relay know of a back end that one of them was told of */

struct usage {
    double user, system; /* s */
};

static struct {
    const char *mode;
    int port, back_port, front, depth, back, subscribers, window, connections;
    double warm, seconds; /* warm: of the relay's CPU */
    int pids[MOST_PIDS], number_of_pids;
} options = {
    .mode = "calls", .front = 32, .depth = 8, .back = 2, .subscribers = 1000, .window = 4, .connections = 5000,
    .warm = 0.5, .seconds = 2,
};

static const struct dialect *dialect;
static int epoll_fd, ready;
static bool measuring, running;
static uint64_t calls, delivered, published, errors;
static uint32_t histogram[LONGEST + 1]; /* calls by their us */

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* --- what peers tell ---------------------------------------------------------------------------------------------- */

void peer_ready(struct peer *peer) {
    peer->state = READY;
    ready++;
}

static void call(struct peer *peer, int slot) {
    peer->called_at[slot] = now();
    dialect->call(peer, slot);
}

void call_ended(struct peer *peer, long slot) {
    if (peer->role != FRONT || slot < 0 || slot >= options.depth) return went_wrong(peer, "an answer nobody asked", 22);
    if (measuring) {
        uint64_t us = (now() - peer->called_at[slot]) / 1000;
        histogram[us < LONGEST ? us : LONGEST]++;
        calls++;
    }
    if (running) call(peer, slot);
}

void message_delivered(struct peer *peer) {
    (void)peer;
    delivered++;
}

void went_wrong(struct peer *peer, const char *text, size_t length) {
    if (errors++ < 5) fprintf(stderr, "gen: role %d was told: %.*s\n", peer->role, (int)length, text);
}

/* --- time and CPU ------------------------------------------------------------------------------------------------- */

static struct usage own_usage(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct usage){usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6,
                          usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6};
}

static struct usage usage_of(int pid) {
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) die("the relay's process %d is gone", pid);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    double hertz = sysconf(_SC_CLK_TCK);
    return (struct usage){user / hertz, system / hertz};
}

static struct usage relay_usage(void) {
    struct usage sum = {0, 0};
    for (int i = 0; i < options.number_of_pids; i++) {
        struct usage one = usage_of(options.pids[i]);
        sum.user += one.user, sum.system += one.system;
    }
    return sum;
}

/* Core-seconds that the whole machine was busy; what neither relay nor generator used, others did. */
static double machine_busy(void) {
    unsigned long user = 0, nice = 0, system = 0, irq = 0, softirq = 0, steal = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (!file || fscanf(file, "cpu %lu %lu %lu %*u %*u %lu %lu %lu", &user, &nice, &system, &irq, &softirq, &steal) != 6)
        die("/proc/stat cannot be read");
    fclose(file);
    return (user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
}

static double total(struct usage usage) { return usage.user + usage.system; }

struct sample {
    uint64_t at;
    struct usage relay, own;
    double busy;
};

static struct sample sample(void) { return (struct sample){now(), relay_usage(), own_usage(), machine_busy()}; }

/* Prints what lies between two samples, per item, and leaves the object open for more. */
static void print_between(struct sample from, struct sample to, uint64_t items) {
    double elapsed = (to.at - from.at) / 1e9, relay = total(to.relay) - total(from.relay);
    double own = total(to.own) - total(from.own), per = items ? 1e6 / items : 0;
    printf("{\"items\":%lu,\"rate\":%.1f,\"cpu\":%.3f,\"user\":%.3f,\"system\":%.3f,\"relay\":%.3f,\"used\":%.3f,"
           "\"others\":%.3f,\"errors\":%lu",
           items, items / elapsed, relay * per, (to.relay.user - from.relay.user) * per,
           (to.relay.system - from.relay.system) * per, relay / elapsed, own / elapsed,
           (to.busy - from.busy - relay - own) / elapsed, errors);
}

static int percentile(double share) {
    uint64_t seen = 0;
    for (int us = 0; us <= LONGEST; us++)
        if ((seen += histogram[us]) && seen >= share * calls) return us;
    return 0;
}

/* --- the runs ----------------------------------------------------------------------------------------------------- */

static void turn(int patience) {
    struct epoll_event events[512];
    int count = epoll_wait(epoll_fd, events, 512, patience);
    if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct peer *peer = events[i].data.ptr;
        if (!peer) _exit(0); /* stdin ended: nobody needs the connections any more */
        if (events[i].events & EPOLLOUT) peer_flush(peer);
        if (events[i].events & ~EPOLLOUT) peer_readable(peer);
    }
}

static int port_of(enum role role) {
    return options.back_port && (role == BACK || role == SUBSCRIBER) ? options.back_port : options.port;
}

static void open_peers(struct peer **peers, int number, enum role role) {
    uint64_t until = now() + SETUP_SECONDS * 1000000000ull;
    int before = ready;
    for (int opened = 0; ready < before + number;) {
        if (now() > until) die("only %d of %d connections came up", ready - before, number);
        for (; opened < number && opened - (ready - before) < AT_ONCE; opened++)
            peers[opened] = peer_open(dialect, epoll_fd, port_of(role), role, opened, opened);
        turn(100);
    }
}

static struct peer **peers_of(enum role role, int number) {
    struct peer **peers = calloc(number, sizeof *peers);
    open_peers(peers, number, role);
    return peers;
}

static void publish_enough(struct peer *publisher) {
    uint64_t window = (uint64_t)(options.window - 1) * options.subscribers;
    while (published * options.subscribers - delivered <= window) {
        dialect->publish(publisher);
        published++;
    }
    peer_flush(publisher);
}

static void run(double seconds, struct peer *publisher) {
    for (uint64_t until = now() + seconds * 1e9; now() < until; turn(20))
        if (publisher) publish_enough(publisher);
}

/* Until the relay has used `warm` seconds of CPU (compilers need that long), or four times as long has passed. */
static void warm_up(struct peer *publisher) {
    double enough = total(relay_usage()) + options.warm;
    uint64_t until = now() + 4e9 * options.warm;
    while (total(relay_usage()) < enough && now() < until) run(0.05, publisher);
}

static void give_slots(struct peer *peer) {
    peer->called_at = calloc(options.depth, sizeof *peer->called_at);
    peer->slot_of = calloc(IDS, sizeof *peer->slot_of);
}

static void run_calls(void) {
    peers_of(BACK, options.back);
    struct peer **front = peers_of(FRONT, options.front);
    if (options.back_port) run(TOLD_SECONDS, NULL);
    running = true;
    for (int i = 0; i < options.front; i++) {
        give_slots(front[i]);
        for (int slot = 0; slot < options.depth; slot++) call(front[i], slot);
        peer_flush(front[i]);
    }
    warm_up(NULL);
    measuring = true;
    struct sample from = sample();
    run(options.seconds, NULL);
    measuring = false;
    print_between(from, sample(), calls);
    printf(",\"p50\":%d,\"p99\":%d}\n", percentile(.5), percentile(.99));
}

static void run_fanout(void) {
    peers_of(SUBSCRIBER, options.subscribers);
    struct peer **publisher = peers_of(PUBLISHER, 1);
    warm_up(*publisher);
    uint64_t before = delivered;
    struct sample from = sample();
    run(options.seconds, *publisher);
    uint64_t items = delivered - before;
    print_between(from, sample(), items);
    puts("}");
}

static void run_idle(void) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event)) die("stdin must be a pipe");
    struct sample from = sample();
    peers_of(FRONT, options.connections);
    print_between(from, sample(), options.connections);
    puts("}");
    fflush(stdout);
    for (;;) turn(1000);
}

static void read_pids(char *text) {
    for (char *pid = strtok(text, ","); pid; pid = strtok(NULL, ",")) {
        if (options.number_of_pids == MOST_PIDS) die("more than %d processes", MOST_PIDS);
        options.pids[options.number_of_pids++] = atoi(pid);
    }
}

static void read_option(const char *name, char *value) {
    const struct { const char *name; int *number; } numbers[] = {
        {"--port", &options.port}, {"--back-port", &options.back_port},
        {"--front", &options.front}, {"--depth", &options.depth}, {"--back", &options.back},
        {"--subscribers", &options.subscribers}, {"--window", &options.window}, {"--connections", &options.connections},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(name, numbers[i].name)) return (void)(*numbers[i].number = atoi(value));
    if (!strcmp(name, "--dialect")) dialect = dialect_named(value);
    else if (!strcmp(name, "--mode")) options.mode = value;
    else if (!strcmp(name, "--warm")) options.warm = atof(value);
    else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
    else if (!strcmp(name, "--pids")) read_pids(value);
    else die("no option %s", name);
}

int main(int count, char **arguments) {
    for (int i = 1; i + 1 < count; i += 2) read_option(arguments[i], arguments[i + 1]);
    if (!dialect) die("--dialect takes gluer, raw, socketio, nats or wamp");
    if (options.depth > IDS) die("--depth takes at most %d", IDS);
    epoll_fd = epoll_create1(0);
    if (!strcmp(options.mode, "calls")) run_calls();
    else if (!strcmp(options.mode, "fanout")) run_fanout();
    else if (!strcmp(options.mode, "idle")) run_idle();
    else die("--mode takes calls, fanout or idle");
    fflush(stdout);
    _exit(errors ? 4 : 0);
}
