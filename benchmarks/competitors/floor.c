/* The floor: about the least that a server can do. What it read in one turn goes out with one send to each receiver.

   It knows one request (/<room>), answers every handshake alike (the load always sends the same key), takes frames that
   came whole, and sends the text to the room and the id, which stands after "~a", to the author. Nothing is stored. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES 65536
#define ROOMS 8192
#define READ_BYTES 65536
#define OUT_BYTES (1 << 20)
#define ID_BYTES 16

static const char ANSWER[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n\x81\x0aidentified";

typedef struct {
    int *files;
    int count, room_for, out_bytes;
    unsigned char *out; /* what this turn has for everybody */
} Room;

static Room rooms[ROOMS];
static int room_of[FILES]; /* 0: not open yet */
static int talking[ROOMS], talking_count; /* rooms with something to send */

static void enter(int file, int number) {
    Room *room = &rooms[number];
    if (room->count == room->room_for) {
        room->room_for = room->room_for ? 2 * room->room_for : 4;
        room->files = realloc(room->files, room->room_for * sizeof *room->files);
    }
    room->files[room->count++] = file;
    room_of[file] = number;
    send(file, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
}

static void leave(int file) {
    Room *room = &rooms[room_of[file]];
    for (int place = 0; place < room->count; place++)
        if (room->files[place] == file) room->files[place--] = room->files[--room->count];
    room_of[file] = 0;
    close(file);
}

static void flush(void) {
    for (int place = 0; place < talking_count; place++) {
        Room *room = &rooms[talking[place]];
        for (int member = 0; member < room->count; member++)
            send(room->files[member], room->out, room->out_bytes, MSG_NOSIGNAL);
        room->out_bytes = 0;
    }
    talking_count = 0;
}

static void broadcast(int author, const unsigned char *payload, int size) {
    Room *room = &rooms[room_of[author]];
    const unsigned char *id = memmem(payload, size, "~a", 2);
    if (id == NULL || payload + size - id < ID_BYTES) return;
    unsigned char answer[2 + ID_BYTES] = {0x81, ID_BYTES};
    memcpy(answer + 2, id, ID_BYTES);
    send(author, answer, sizeof answer, MSG_NOSIGNAL);
    if (room->out == NULL) room->out = malloc(OUT_BYTES);
    if (room->out_bytes + size + 4 > OUT_BYTES) flush();
    if (room->out_bytes == 0) talking[talking_count++] = room_of[author];
    unsigned char *frame = room->out + room->out_bytes;
    int head = size < 126 ? 2 : 4;
    frame[0] = 0x81;
    frame[1] = head == 2 ? size : 126;
    if (head == 4) frame[2] = size >> 8, frame[3] = size & 255;
    memcpy(frame + head, payload, size);
    room->out_bytes += head + size;
}

/* All frames of a read; the load sends none in two parts. */
static void take(int file, unsigned char *data, int size) {
    while (size >= 6) {
        int short_length = data[1] & 127, head = short_length == 126 ? 4 : 2;
        int length = head == 4 ? data[2] << 8 | data[3] : short_length;
        unsigned char *key = data + head, *payload = key + 4;
        if (size < head + 4 + length) return;
        for (int place = 0; place < length; place++) payload[place] ^= key[place & 3];
        if ((data[0] & 15) == 1) broadcast(file, payload, length);
        data = payload + length;
        size -= head + 4 + length;
    }
}

static void readable(int file) {
    static unsigned char data[READ_BYTES];
    int size = recv(file, data, READ_BYTES - 1, 0);
    if (size <= 0) {
        leave(file);
    } else if (room_of[file]) {
        take(file, data, size);
    } else {
        data[size] = 0;
        int number = 0;
        if (sscanf((char *)data, "GET /%d ", &number) == 1 && number > 0 && number < ROOMS) enter(file, number);
        else leave(file);
    }
}

static int listen_on_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return -1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    int listener = listen_on_loopback(), poller = epoll_create1(0), on = 1;
    if (listener < 0) return 1;
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        int count = epoll_wait(poller, events, 256, -1);
        for (int place = 0; place < count; place++) {
            int file = events[place].data.fd;
            if (file != listener) {
                readable(file);
                continue;
            }
            wanted.data.fd = accept(listener, NULL, NULL);
            if (wanted.data.fd < 0 || wanted.data.fd >= FILES) return 1;
            setsockopt(wanted.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            epoll_ctl(poller, EPOLL_CTL_ADD, wanted.data.fd, &wanted);
        }
        flush();
    }
}
