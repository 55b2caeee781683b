/* Rooms full of members on WebSockets that are open already: sends numbered messages and checks that each arrives
   at every member exactly once, in its author's order, and is acknowledged.

   A room has lanes, each with one author; the messages of a lane have turns 0, 1, 2, ... In a closed loop a lane sends
   its next message when all members have the one before and its author has the acknowledgement; so as many messages
   are in flight as there are lanes. In an open loop messages are due at fixed moments, whatever has arrived, and
   latency counts from the moment that a message was due. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "measures.h"

#define READ_BYTES (1 << 18)
#define OUT_BYTES (1 << 14)
#define EVENTS 256
#define REFUSAL_BYTES 256
#define STEP 100               /* milliseconds between two looks at the clock */

enum failure { NONE, CLOSED, UNREAD, OVERRUN, BROKEN, REFUSED };

typedef struct {
    const int32_t *sockets; /* member m of room r is sockets[r * members + m] */
    const char *frames;     /* frame_count frames of frame_bytes each, masked with zero */
    const char *ping, *pong; /* what a server asks in a text frame of its own, and the frame that answers it */
    int32_t rooms, members, lanes, authors, depth;
    int32_t frame_bytes, frame_count, text_at, id_at; /* where in a frame the two numbers stand */
    int32_t ping_bytes, pong_bytes;
    int64_t patience; /* nanoseconds without a delivery, until what is missing counts as lost */
} Plan;

typedef struct {
    int64_t sent, completed, acked, delivered, lost, duplicated, stray;
    int64_t elapsed, busy; /* nanoseconds: until the last delivery; of processor time */
    int64_t failure;
    char refusal[REFUSAL_BYTES]; /* what a server has answered instead of an acknowledgement */
    int64_t latencies[BUCKETS], ack_latencies[BUCKETS];
} Result;

typedef struct {
    char *tail; /* the beginning of a frame whose end has not come */
    int32_t tail_bytes, out_bytes, room;
    char *out;
} Member;

typedef struct {
    int64_t due;
    int64_t waiting; /* deliveries and acknowledgements that are still to come */
} Message;

typedef struct {
    Plan plan;
    Member *members;
    Message *messages; /* of each lane a ring of plan.depth */
    uint32_t *sent, *acked; /* by lane */
    uint32_t *received; /* by member and lane */
    int32_t *waiting_out, waiting_count; /* members with something to send */
    char *input;
    int poller, timer;
    int64_t under_way, last, now, start;
    int64_t total; /* messages of an open loop */
    double rate;
    int is_over;
    Result *result;
} Flood;

static Message *message_of(Flood *flood, int64_t lane, int64_t turn) {
    return &flood->messages[lane * flood->plan.depth + turn % flood->plan.depth];
}

static void queue(Flood *flood, int32_t index, const char *bytes, int32_t size, int64_t number) {
    Member *member = &flood->members[index];
    if (member->out_bytes + size > OUT_BYTES) {
        flood->result->failure = OVERRUN;
        return;
    }
    if (member->out_bytes == 0) flood->waiting_out[flood->waiting_count++] = index;
    char *frame = memcpy(member->out + member->out_bytes, bytes, size);
    if (number >= 0) {
        write_number(frame + flood->plan.text_at, number);
        write_number(frame + flood->plan.id_at, number);
    }
    member->out_bytes += size;
}

/* Sends the next message of a lane; `lane` counts over all rooms. */
static void send_next(Flood *flood, int64_t lane, int64_t due) {
    Plan *plan = &flood->plan;
    int64_t room = lane / plan->lanes, turn = flood->sent[lane]++;
    Message *message = message_of(flood, lane, turn);
    if (message->waiting > 0) {
        flood->result->failure = OVERRUN;
        return;
    }
    *message = (Message){due, plan->members + 1};
    flood->under_way++;
    int64_t author = lane % plan->lanes % plan->authors;
    const char *frame = plan->frames + (size_t)plan->frame_bytes * ((lane * 7919 + turn) % plan->frame_count);
    int64_t number = (room * LANES + lane % plan->lanes) * TURNS + turn;
    queue(flood, room * plan->members + author, frame, plan->frame_bytes, number);
    flood->result->sent++;
}

static void arrive(Flood *flood, int64_t lane, int64_t turn) {
    Message *message = message_of(flood, lane, turn);
    flood->last = flood->now;
    if (--message->waiting > 0) return;
    flood->result->completed++;
    flood->under_way--;
    if (flood->rate == 0 && !flood->is_over) send_next(flood, lane, flood->now);
}

/* Counts what has come against how many of its lane have come before. Returns whether it is the next one. */
static int is_next(Flood *flood, uint32_t *received, int64_t turn) {
    if (turn < *received) {
        flood->result->duplicated++;
        return 0;
    }
    flood->result->lost += turn - *received;
    *received = turn + 1;
    return 1;
}

static void delivered(Flood *flood, int32_t index, int64_t number) {
    Plan *plan = &flood->plan;
    int64_t turn = number % TURNS, in_room = number / TURNS % LANES, room = number / TURNS / LANES;
    int64_t lane = room * plan->lanes + in_room;
    if (room != flood->members[index].room || in_room >= plan->lanes || turn >= flood->sent[lane]) {
        flood->result->stray++;
    } else if (is_next(flood, &flood->received[(int64_t)index * plan->lanes + in_room], turn)) {
        flood->result->delivered++;
        flood->result->latencies[bucket_of(flood->now - message_of(flood, lane, turn)->due)]++;
        arrive(flood, lane, turn);
    }
}

static void acknowledged(Flood *flood, int32_t index, int64_t number) {
    Plan *plan = &flood->plan;
    int64_t turn = number % TURNS, in_room = number / TURNS % LANES, room = number / TURNS / LANES;
    int64_t lane = room * plan->lanes + in_room;
    int is_author = index == room * plan->members + in_room % plan->authors;
    if (!is_author || in_room >= plan->lanes || turn >= flood->sent[lane]) {
        flood->result->stray++;
    } else if (is_next(flood, &flood->acked[lane], turn)) {
        flood->result->acked++;
        flood->result->ack_latencies[bucket_of(flood->now - message_of(flood, lane, turn)->due)]++;
        arrive(flood, lane, turn);
    }
}

/* Whether a frame without a message in it is an error. The first one ends the run. */
static int is_refusal(Flood *flood, const char *payload, int64_t size) {
    if (!memmem(payload, size, "\"error\"", 7)) return 0;
    flood->result->failure = REFUSED;
    memcpy(flood->result->refusal, payload, size < REFUSAL_BYTES ? size : REFUSAL_BYTES - 1);
    return 1;
}

static void text_frame(Flood *flood, int32_t index, const char *payload, int64_t size) {
    Plan *plan = &flood->plan;
    if (plan->ping_bytes && size == plan->ping_bytes && !memcmp(payload, plan->ping, size)) {
        queue(flood, index, plan->pong, plan->pong_bytes, -1);
        return;
    }
    const char *end = payload + size, *mark = payload;
    int64_t acked = -1;
    while ((mark = memchr(mark, '~', end - mark)) && end - mark >= 2 + DIGITS) {
        int64_t number = read_number(mark + 2);
        if (mark[1] == 'd' && number >= 0) {
            delivered(flood, index, number);
            return;
        }
        if (mark[1] == 'a' && number >= 0) acked = number;
        mark++;
    }
    if (!is_refusal(flood, payload, size) && acked >= 0) acknowledged(flood, index, acked);
}

static void frame(Flood *flood, int32_t index, int opcode, const char *payload, int64_t size) {
    static const char PONG[6] = {(char)0x8a, (char)0x80};
    if (opcode == 1) text_frame(flood, index, payload, size);
    if (opcode == 8) flood->result->failure = CLOSED;
    if (opcode == 9) queue(flood, index, PONG, sizeof PONG, -1);
}

/* Handles all complete frames. Returns how many bytes they had. */
static int64_t frames(Flood *flood, int32_t index, const char *data, int64_t size) {
    int64_t at = 0;
    while (size - at >= 2) {
        const unsigned char *head = (const unsigned char *)data + at;
        int64_t length = head[1] & 127, head_bytes = length == 126 ? 4 : length == 127 ? 10 : 2;
        if (size - at < head_bytes) break;
        if (head_bytes > 2) length = 0;
        for (int64_t place = 2; place < head_bytes; place++) length = length << 8 | head[place];
        if (size - at < head_bytes + length) break;
        frame(flood, index, head[0] & 15, data + at + head_bytes, length);
        at += head_bytes + length;
    }
    return at;
}

/* One read of a socket that has something. */
static void receive(Flood *flood, int32_t index) {
    Member *member = &flood->members[index];
    memcpy(flood->input, member->tail, member->tail_bytes);
    int64_t got = recv(flood->plan.sockets[index], flood->input + member->tail_bytes, READ_BYTES, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) flood->result->failure = CLOSED;
        return;
    }
    flood->now = nanoseconds(CLOCK_MONOTONIC);
    int64_t size = member->tail_bytes + got, used = frames(flood, index, flood->input, size);
    if (size - used > READ_BYTES) {
        flood->result->failure = BROKEN;
        return;
    }
    if (size - used > member->tail_bytes) member->tail = realloc(member->tail, size - used);
    member->tail_bytes = size - used;
    memcpy(member->tail, flood->input + used, size - used);
}

/* Hands over what is to be sent, one call for each member. */
static void flush(Flood *flood) {
    for (int32_t place = 0; place < flood->waiting_count; place++) {
        int32_t index = flood->waiting_out[place];
        Member *member = &flood->members[index];
        int32_t at = 0;
        while (at < member->out_bytes && flood->result->failure == NONE) {
            ssize_t sent = send(flood->plan.sockets[index], member->out + at, member->out_bytes - at,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
            struct pollfd wanted = {flood->plan.sockets[index], POLLOUT, 0};
            if (sent > 0) at += sent;
            else if (errno != EAGAIN) flood->result->failure = CLOSED;
            else if (poll(&wanted, 1, 1000) == 0) flood->result->failure = UNREAD;
        }
        member->out_bytes = 0;
    }
    flood->waiting_count = 0;
}

/* Sends what is due by now in an open loop. */
static void send_due(Flood *flood) {
    Plan *plan = &flood->plan;
    int64_t now = nanoseconds(CLOCK_MONOTONIC);
    while (flood->result->sent < flood->total && flood->result->failure == NONE) {
        int64_t count = flood->result->sent, due = flood->start + (int64_t)(count * (SECOND / flood->rate));
        if (due > now) break;
        send_next(flood, count % plan->rooms * plan->lanes + count / plan->rooms % plan->lanes, due);
    }
}

static void turn(Flood *flood) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(flood->poller, events, EVENTS, STEP);
    for (int place = 0; place < count && flood->result->failure == NONE; place++) {
        uint64_t ticks;
        if (events[place].data.u32 != UINT32_MAX) receive(flood, events[place].data.u32);
        else if (read(flood->timer, &ticks, sizeof ticks) > 0) send_due(flood);
    }
    flush(flood);
}

static void start_sending(Flood *flood) {
    if (flood->rate > 0) {
        struct timespec each = {(time_t)(1 / flood->rate), (long)((int64_t)(SECOND / flood->rate) % SECOND)};
        struct itimerspec times = {each, {0, 1}};
        timerfd_settime(flood->timer, 0, &times, NULL);
    }
    for (int64_t lane = 0; flood->rate == 0 && lane < (int64_t)flood->plan.rooms * flood->plan.lanes; lane++)
        send_next(flood, lane, flood->start);
    flush(flood);
}

/* What never came, of all that was sent so far. */
static void count_lost(Flood *flood) {
    Plan *plan = &flood->plan;
    for (int64_t index = 0; index < (int64_t)plan->rooms * plan->members; index++)
        for (int64_t lane = 0; lane < plan->lanes; lane++)
            flood->result->lost += flood->sent[index / plan->members * plan->lanes + lane] -
                                   flood->received[index * plan->lanes + lane];
    for (int64_t lane = 0; lane < (int64_t)plan->rooms * plan->lanes; lane++)
        flood->result->lost += flood->sent[lane] - flood->acked[lane];
}

/* Sends for `duration` nanoseconds: `rate` messages a second, in a closed loop if it is 0, nothing if it is negative.
   Returns when all that was sent has arrived, or nothing more comes. */
void flood_run(Flood *flood, int64_t duration, double rate, Result *result) {
    static const struct itimerspec NEVER;
    memset(result, 0, sizeof *result);
    flood->result = result;
    flood->rate = rate;
    flood->total = rate > 0 ? (int64_t)(rate * duration / SECOND + 0.5) : 0;
    flood->is_over = 0;
    int64_t busy = nanoseconds(CLOCK_THREAD_CPUTIME_ID), now = nanoseconds(CLOCK_MONOTONIC), end = now + duration;
    flood->start = flood->last = flood->now = now;
    start_sending(flood);
    while (result->failure == NONE) {
        now = nanoseconds(CLOCK_MONOTONIC);
        flood->is_over = now >= end && result->sent >= flood->total;
        int64_t since = flood->last > end ? flood->last : end;
        if (flood->is_over && (flood->under_way == 0 || now - since > flood->plan.patience)) break;
        turn(flood);
    }
    timerfd_settime(flood->timer, 0, &NEVER, NULL);
    result->elapsed = (rate < 0 ? now : flood->last) - flood->start;
    result->busy = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - busy;
    count_lost(flood);
}

static void watch(Flood *flood, int file, uint32_t index) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(flood->poller, EPOLL_CTL_ADD, file, &event);
}

/* The plan's arrays have to outlive the flood; the sockets stay open after it. */
Flood *flood_open(const Plan *plan) {
    int64_t members = (int64_t)plan->rooms * plan->members, lanes = (int64_t)plan->rooms * plan->lanes;
    Flood *flood = calloc(1, sizeof *flood);
    flood->plan = *plan;
    flood->members = calloc(members, sizeof *flood->members);
    flood->messages = calloc(lanes * plan->depth, sizeof *flood->messages);
    flood->sent = calloc(lanes, sizeof *flood->sent);
    flood->acked = calloc(lanes, sizeof *flood->acked);
    flood->received = calloc(members * plan->lanes, sizeof *flood->received);
    flood->waiting_out = calloc(members, sizeof *flood->waiting_out);
    flood->input = malloc(2 * READ_BYTES);
    flood->poller = epoll_create1(EPOLL_CLOEXEC);
    flood->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(flood, flood->timer, UINT32_MAX);
    for (int64_t index = 0; index < members; index++) {
        flood->members[index] = (Member){.room = index / plan->members, .out = malloc(OUT_BYTES)};
        watch(flood, plan->sockets[index], index);
    }
    return flood;
}

void flood_close(Flood *flood) {
    for (int64_t index = 0; index < (int64_t)flood->plan.rooms * flood->plan.members; index++) {
        free(flood->members[index].tail);
        free(flood->members[index].out);
    }
    free(flood->members);
    free(flood->messages);
    free(flood->sent);
    free(flood->acked);
    free(flood->received);
    free(flood->waiting_out);
    free(flood->input);
    close(flood->poller);
    close(flood->timer);
    free(flood);
}
