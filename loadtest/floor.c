/* The floor: what it costs to forward bytes and do nothing else. One recv and one send each way, no parsing, one thread,
 * edge-triggered epoll, one origin connection for each client connection. `floor LISTEN-PORT ORIGIN-ADDRESS ORIGIN-PORT`. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS = 65536, BUFFER = 65536 };

/* One end of a pair. What the other end could not take yet is kept; until it is gone this end is not read. */
struct side {
    int peer;
    int waiting;
    size_t kept;
    char *data;
};

static struct side sides[FDS];
static int epoll_fd;
static char buffer[BUFFER];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void drop(int fd) {
    int peer = sides[fd].peer;
    if (peer < 0) return;
    for (int each = fd;; each = peer) {
        free(sides[each].data);
        sides[each] = (struct side){.peer = -1};
        close(each);
        if (each == peer) break;
    }
}

/* Sends what `from` keeps to its peer; 0 while some is left. */
static int flush(int from) {
    struct side *side = &sides[from];
    while (side->kept > 0) {
        ssize_t sent = send(side->peer, side->data, side->kept, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN ? 0 : -1;
        side->kept -= (size_t)sent;
        memmove(side->data, side->data + sent, side->kept);
    }
    return 1;
}

static void pump(int from) {
    struct side *side = &sides[from];
    int done = flush(from);
    if (done < 0) return drop(from);
    if (done == 0) return;
    for (;;) {
        ssize_t got = recv(from, buffer, BUFFER, 0);
        if (got == 0) return drop(from);
        if (got < 0) {
            if (errno != EAGAIN) drop(from);
            return;
        }
        ssize_t sent = send(side->peer, buffer, (size_t)got, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return drop(from);
        if (sent < 0) sent = 0;
        if (sent < got) {
            if (!side->data && !(side->data = malloc(BUFFER))) die("malloc");
            side->kept = (size_t)(got - sent);
            memcpy(side->data, buffer + sent, side->kept);
            return;
        }
        /* A read that did not fill the buffer emptied the socket: the next edge tells of more. */
        if (got < BUFFER) return;
    }
}

int main(int count, char **words) {
    if (count != 4) {
        fputs("usage: floor LISTEN-PORT ORIGIN-ADDRESS ORIGIN-PORT\n", stderr);
        return 2;
    }
    struct rlimit limit = {FDS, FDS};
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < FDS; i++) sides[i].peer = -1;
    struct sockaddr_in origin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[3]))};
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    if (inet_pton(AF_INET, words[2], &origin.sin_addr) != 1) die("address");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&local, sizeof local) < 0) die("bind");
    if (listen(listener, 4096) < 0) die("listen");
    epoll_fd = epoll_create1(0);
    struct epoll_event first = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &first);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (client < 0) continue;
                int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
                if (up < 0 || client >= FDS || up >= FDS) die("descriptors");
                if (connect(up, (struct sockaddr *)&origin, sizeof origin) < 0 && errno != EINPROGRESS) die("connect");
                sides[client] = (struct side){.peer = up};
                sides[up] = (struct side){.peer = client};
                watch(client);
                watch(up);
                continue;
            }
            if (sides[fd].peer < 0) continue;
            if (events[i].events & EPOLLOUT) {
                int peer = sides[fd].peer;
                if (sides[peer].kept > 0) pump(peer);
            }
            if (sides[fd].peer >= 0 && events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) pump(fd);
        }
    }
}
