/* Clients that come, go through the steps of a visit, and leave: all at once, each once or again and again.

   In a step a client sends one request, on a new connection or on the one it has, and waits for the answer: until a
   certain text has come, or all messages that the client has to get, each exactly once. A step may take a token out of
   its answer, and later ones put it into their requests. Latency counts from the first connection to the last answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measures.h"

#define EVENTS 256
#define STEP 100                /* milliseconds between two looks at the clock */
#define READ_BYTES (1 << 16)
#define TOKEN_BYTES 64
#define TOLD_BYTES 256
#define MOST_MESSAGES 64

enum failure { NONE, REFUSED, CLOSED, SILENT, WRONG };

typedef struct {
    const char *const *requests; /* one for each client */
    const int32_t *request_bytes;
    const char *token_after, *until; /* texts that end with NUL; without `until` it is the messages that are waited for */
    int32_t connects, token_at, number_at; /* where token and number of the visit go, or -1 */
} Step;

typedef struct {
    const Step *steps;
    const int64_t *first; /* number of the first message of each client; the others follow it */
    int64_t first_visit; /* its number */
    int64_t patience;    /* nanoseconds without an answer to anybody, until those who wait have failed */
    int32_t step_count, clients, messages, port, repeats;
} Plan;

typedef struct {
    int64_t visits, lost, duplicated, elapsed, busy, failure, failed_step, error; /* a step is counted from 1; 0 if it was none */
    char told[TOLD_BYTES]; /* the last that a server said before a failure */
    int64_t latencies[BUCKETS];
} Result;

typedef struct {
    int file, step;
    int32_t bytes, space, scanned;
    int64_t began, visit;
    uint64_t seen; /* a bit for each message */
    char *input;
    char token[TOKEN_BYTES];
} Client;

typedef struct {
    const Plan *plan;
    Result *result;
    Client *clients;
    int poller;
    int64_t now, last, started, visiting;
    int is_over;
} Visits;

static void watch(Visits *visits, int32_t index, int action, uint32_t what) {
    struct epoll_event event = {.events = what, .data.u32 = index};
    if (epoll_ctl(visits->poller, action, visits->clients[index].file, &event)) visits->result->failure = REFUSED;
}

static void hang_up(Client *client) {
    struct linger at_once = {1, 0};
    if (client->file < 0) return;
    setsockopt(client->file, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client->file);
    client->file = -1;
}

static void fail(Visits *visits, int32_t index, enum failure failure) {
    Client *client = &visits->clients[index];
    int32_t size = client->bytes < TOLD_BYTES ? client->bytes : TOLD_BYTES - 1;
    visits->result->failure = failure;
    visits->result->failed_step = client->step + 1;
    for (int32_t place = 0; place < size; place++) {
        char sign = client->input[client->bytes - size + place];
        visits->result->told[place] = sign < ' ' ? ' ' : sign;
    }
}

static void call(Visits *visits, int32_t index) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(visits->plan->port)};
    Client *client = &visits->clients[index];
    int on = 1;
    hang_up(client);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(client->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->file, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        visits->result->error = errno;
        fail(visits, index, REFUSED);
    } else
        watch(visits, index, EPOLL_CTL_ADD, EPOLLOUT);
}

static void ask(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    const Step *step = &visits->plan->steps[client->step];
    char request[READ_BYTES];
    int32_t size = step->request_bytes[index];
    memcpy(request, step->requests[index], size);
    if (step->token_at >= 0) memcpy(request + step->token_at, client->token, TOKEN_BYTES);
    if (step->number_at >= 0) write_number(request + step->number_at, visits->plan->first_visit + client->visit);
    int64_t sent = send(client->file, request, size, MSG_NOSIGNAL);
    if (sent != size) {
        visits->result->error = sent < 0 ? errno : 0;
        fail(visits, index, CLOSED);
    }
}

static void begin_step(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    client->bytes = client->scanned = 0;
    if (visits->plan->steps[client->step].connects) call(visits, index);
    else ask(visits, index);
}

static void begin(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    client->step = 0;
    client->seen = 0;
    client->began = nanoseconds(CLOCK_MONOTONIC);
    client->visit = visits->started++;
    visits->visiting++;
    begin_step(visits, index);
}

/* Marks what has come since the last look. Returns whether all messages are there. */
static int has_all(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    const char *end = client->input + client->bytes, *mark = client->input + client->scanned;
    while ((mark = memmem(mark, end - mark, "~d", 2)) && end - mark >= 2 + DIGITS) {
        int64_t number = read_number(mark + 2), place = number - visits->plan->first[index];
        mark += 2;
        client->scanned = mark - client->input;
        if (number < 0) continue; /* the head of a frame may have these two bytes, too */
        if (place < 0 || place >= visits->plan->messages) fail(visits, index, WRONG);
        else if (client->seen >> place & 1) visits->result->duplicated++;
        else client->seen |= 1ULL << place;
    }
    return __builtin_popcountll(client->seen) == visits->plan->messages;
}

static int is_answered(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    const Step *step = &visits->plan->steps[client->step];
    if (step->until == NULL) return has_all(visits, index);
    if (!memmem(client->input, client->bytes, step->until, strlen(step->until))) return 0;
    if (step->token_after == NULL) return 1;
    const char *before = memmem(client->input, client->bytes, step->token_after, strlen(step->token_after));
    const char *token = before ? before + strlen(step->token_after) : NULL;
    if (token == NULL || client->input + client->bytes - token < TOKEN_BYTES) return 0;
    memcpy(client->token, token, TOKEN_BYTES);
    return 1;
}

static void finish(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    hang_up(client);
    visits->result->visits++;
    visits->visiting--;
    visits->result->latencies[bucket_of(visits->now - client->began)]++;
    if (visits->plan->repeats && !visits->is_over) begin(visits, index);
}

static void readable(Visits *visits, int32_t index) {
    Client *client = &visits->clients[index];
    if (client->space - client->bytes < READ_BYTES) {
        client->space = 2 * client->space + READ_BYTES;
        client->input = realloc(client->input, client->space);
    }
    int64_t got = recv(client->file, client->input + client->bytes, client->space - client->bytes, 0);
    int error = errno;
    visits->now = visits->last = nanoseconds(CLOCK_MONOTONIC);
    if (got <= 0) {
        visits->result->error = got ? error : 0;
        fail(visits, index, CLOSED);
        return;
    }
    client->bytes += got;
    if (!is_answered(visits, index)) return;
    client->step++;
    if (client->step == visits->plan->step_count) finish(visits, index);
    else begin_step(visits, index);
}

static void writable(Visits *visits, int32_t index) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(visits->clients[index].file, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        visits->result->error = error;
        fail(visits, index, REFUSED);
        return;
    }
    watch(visits, index, EPOLL_CTL_MOD, EPOLLIN);
    ask(visits, index);
}

static void turn(Visits *visits) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(visits->poller, events, EVENTS, STEP);
    for (int place = 0; place < count && visits->result->failure == NONE; place++) {
        if (events[place].events & EPOLLIN) readable(visits, events[place].data.u32);
        else if (events[place].events & EPOLLOUT) writable(visits, events[place].data.u32);
        else visits->result->failure = REFUSED;
    }
    if (visits->now - visits->last > visits->plan->patience) visits->result->failure = SILENT;
}

static void count_lost(Visits *visits) {
    for (int32_t index = 0; index < visits->plan->clients; index++) {
        Client *client = &visits->clients[index];
        if (client->file >= 0 && visits->plan->steps[client->step].until == NULL)
            visits->result->lost += visits->plan->messages - __builtin_popcountll(client->seen);
        hang_up(client);
        free(client->input);
    }
}

/* All clients at once, each once, or each again and again for `duration` nanoseconds. */
void visits_run(const Plan *plan, int64_t duration, Result *result) {
    memset(result, 0, sizeof *result);
    Visits visits = {.plan = plan, .result = result, .clients = calloc(plan->clients, sizeof(Client))};
    int64_t busy = nanoseconds(CLOCK_THREAD_CPUTIME_ID), start = nanoseconds(CLOCK_MONOTONIC);
    visits.poller = epoll_create1(EPOLL_CLOEXEC);
    visits.last = visits.now = start;
    for (int32_t index = 0; index < plan->clients; index++) visits.clients[index].file = -1;
    for (int32_t index = 0; index < plan->clients && result->failure == NONE; index++) begin(&visits, index);
    while (visits.visiting && result->failure == NONE) {
        visits.now = nanoseconds(CLOCK_MONOTONIC);
        visits.is_over = visits.now - start >= duration;
        turn(&visits);
    }
    result->elapsed = visits.last - start;
    result->busy = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - busy;
    count_lost(&visits);
    close(visits.poller);
    free(visits.clients);
}
