// As glibc lays out its structures for everybody who asks for all of them.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "datagrams.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// Room for the original destination, the packet information of either family, and the size of segments.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(struct sockaddr_in6)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
               CMSG_SPACE(sizeof(uint16_t))];
};

static struct weir_endpoint mapped(struct in_addr address, in_port_t port) {
    return (struct weir_endpoint){0, 0x0000ffff00000000ull | ntohl(address.s_addr), ntohs(port)};
}

static struct weir_endpoint from6(const struct in6_addr *address, in_port_t port) {
    uint64_t words[2];
    memcpy(words, address, sizeof words);
    return (struct weir_endpoint){__builtin_bswap64(words[0]), __builtin_bswap64(words[1]), ntohs(port)};
}

static int is_v4(const struct weir_endpoint *endpoint) {
    return endpoint->high == 0 && endpoint->low >> 32 == 0xffff;
}

static void to6(const struct weir_endpoint *endpoint, struct in6_addr *address) {
    uint64_t words[2] = {__builtin_bswap64(endpoint->high), __builtin_bswap64(endpoint->low)};
    memcpy(address, words, sizeof words);
}

static struct weir_endpoint endpoint_of(const union address *address) {
    if (address->any.sa_family == AF_INET) return mapped(address->v4.sin_addr, address->v4.sin_port);
    return from6(&address->v6.sin6_addr, address->v6.sin6_port);
}

// The original destination says address and port, the packet information the address alone.
static struct weir_endpoint local_of(struct msghdr *message) {
    struct weir_endpoint local = {0, 0, 0};
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        const void *data = CMSG_DATA(at);
        if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVORIGDSTADDR) {
            struct sockaddr_in v4;
            memcpy(&v4, data, sizeof v4);
            return mapped(v4.sin_addr, v4.sin_port);
        }
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVORIGDSTADDR) {
            struct sockaddr_in6 v6;
            memcpy(&v6, data, sizeof v6);
            return from6(&v6.sin6_addr, v6.sin6_port);
        }
        if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, data, sizeof info);
            local = mapped(info.ipi_addr, 0);
        }
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, data, sizeof info);
            local = from6(&info.ipi6_addr, 0);
        }
    }
    return local;
}

int weir_receive_datagrams(int fd, struct weir_datagram *datagrams, unsigned count, int addressed) {
    struct mmsghdr messages[WEIR_DATAGRAMS];
    struct iovec pieces[WEIR_DATAGRAMS];
    union address peers[WEIR_DATAGRAMS];
    union control controls[WEIR_DATAGRAMS];
    if (count > WEIR_DATAGRAMS) count = WEIR_DATAGRAMS;
    for (unsigned i = 0; i < count; i++) {
        pieces[i] = (struct iovec){datagrams[i].bytes, datagrams[i].count};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
        if (!addressed) continue;
        messages[i].msg_hdr.msg_name = &peers[i];
        messages[i].msg_hdr.msg_namelen = sizeof peers[i];
        messages[i].msg_hdr.msg_control = &controls[i];
        messages[i].msg_hdr.msg_controllen = sizeof controls[i];
    }
    int got = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        datagrams[i].count = messages[i].msg_len;
        if (!addressed) continue;
        datagrams[i].peer = endpoint_of(&peers[i]);
        datagrams[i].local = local_of(&messages[i].msg_hdr);
    }
    return got;
}

// The address that a datagram comes from, as control data of its family.
static socklen_t put_source(union control *control, const struct weir_endpoint *local, int v4) {
    struct cmsghdr *header = &control->header;
    if (v4) {
        struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl((uint32_t)local->low)};
        *header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(header), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in6_pktinfo info = {0};
    to6(local, &info.ipi6_addr);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(header), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

// Says that a message is several datagrams, of so many bytes each.
static socklen_t put_segments(union control *control, socklen_t at, uint16_t bytes) {
    struct cmsghdr *header = (struct cmsghdr *)(control->bytes + at);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof bytes), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};
    memcpy(CMSG_DATA(header), &bytes, sizeof bytes);
    return CMSG_SPACE(sizeof bytes);
}

// Datagrams that one message carries: linked by `next`, all as long as the first but for the last, which may be shorter.
struct run {
    uint8_t first, last, count;
    uint16_t bytes;
};

// What one message may carry, well below the largest IP packet.
enum { RUN_BYTES = 60000 };

static int same(const struct weir_endpoint *a, const struct weir_endpoint *b) {
    return a->low == b->low && a->port == b->port && a->high == b->high;
}

static int takes(const struct run *run, const struct weir_datagram *datagrams, const struct weir_datagram *datagram) {
    const struct weir_datagram *first = &datagrams[run->first];
    // An empty segment would be none.
    return datagram->count > 0 && datagram->count <= first->count && datagrams[run->last].count == first->count &&
           run->bytes + datagram->count <= RUN_BYTES && same(&first->peer, &datagram->peer) &&
           same(&first->local, &datagram->local);
}

static unsigned make_runs(const struct weir_datagram *datagrams, unsigned count, struct run *runs, uint8_t *next) {
    unsigned made = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned r = 0;
        while (r < made && !takes(&runs[r], datagrams, &datagrams[i])) r++;
        if (r == made) {
            runs[made++] = (struct run){i, i, 1, datagrams[i].count};
        } else {
            next[runs[r].last] = i;
            runs[r].last = i;
            runs[r].count++;
            runs[r].bytes += datagrams[i].count;
        }
    }
    return made;
}

static socklen_t put_peer(union address *address, const struct weir_endpoint *peer, int v4) {
    if (v4) {
        address->v4 = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(peer->port), .sin_addr.s_addr = htonl((uint32_t)peer->low)};
        return sizeof address->v4;
    }
    address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(peer->port)};
    to6(peer, &address->v6.sin6_addr);
    return sizeof address->v6;
}

// Sends the segments of a message one by one: whatever refused the whole may take its parts, as a device that cannot add up
// checksums does, or a path that is narrower than a segment.
static unsigned send_apart(int fd, struct msghdr *message, socklen_t source) {
    struct iovec *pieces = message->msg_iov;
    size_t count = message->msg_iovlen;
    unsigned sent = 0;
    message->msg_controllen = source;
    if (source == 0) message->msg_control = NULL;
    message->msg_iovlen = 1;
    for (size_t i = 0; i < count; i++) {
        message->msg_iov = &pieces[i];
        sent += sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    }
    return sent;
}

unsigned weir_send_datagrams(int fd, const struct weir_datagram *datagrams, unsigned count, int *refusal) {
    struct run runs[WEIR_DATAGRAMS];
    uint8_t next[WEIR_DATAGRAMS];
    struct mmsghdr messages[WEIR_DATAGRAMS];
    struct iovec pieces[WEIR_DATAGRAMS];
    union address peers[WEIR_DATAGRAMS];
    union control controls[WEIR_DATAGRAMS];
    socklen_t sources[WEIR_DATAGRAMS];
    if (count > WEIR_DATAGRAMS) count = WEIR_DATAGRAMS;
    unsigned made = make_runs(datagrams, count, runs, next), piece = 0;
    for (unsigned r = 0; r < made; r++) {
        const struct weir_datagram *first = &datagrams[runs[r].first];
        struct msghdr *message = &messages[r].msg_hdr;
        *message = (struct msghdr){.msg_iov = &pieces[piece], .msg_iovlen = runs[r].count};
        for (unsigned i = runs[r].first, left = runs[r].count; left > 0; i = next[i], left--)
            pieces[piece++] = (struct iovec){datagrams[i].bytes, datagrams[i].count};
        sources[r] = 0;
        if (first->peer.port != 0) {
            int v4 = is_v4(&first->peer);
            message->msg_name = &peers[r];
            message->msg_namelen = put_peer(&peers[r], &first->peer, v4);
            sources[r] = put_source(&controls[r], &first->local, v4);
        }
        message->msg_controllen = sources[r];
        if (runs[r].count > 1) message->msg_controllen += put_segments(&controls[r], sources[r], first->count);
        if (message->msg_controllen > 0) message->msg_control = &controls[r];
    }
    unsigned taken = 0;
    *refusal = 0;
    for (unsigned at = 0; at < made;) {
        int sent = sendmmsg(fd, messages + at, made - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        for (int i = 0; i < sent; i++) taken += runs[at++].count;
        if (sent > 0) continue;
        // The first of them was refused; the others may go.
        unsigned apart = runs[at].count > 1 ? send_apart(fd, &messages[at].msg_hdr, sources[at]) : 0;
        if (apart < runs[at].count) *refusal = errno;
        taken += apart;
        at++;
    }
    return taken;
}
