// As glibc lays out its structures for everybody who asks for all of them.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "datagrams.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// Room for the original destination and the packet information of either family.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(struct sockaddr_in6)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
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

int weir_receive_datagrams(int fd, struct weir_datagram *datagrams, unsigned count) {
    struct mmsghdr messages[WEIR_DATAGRAMS];
    struct iovec pieces[WEIR_DATAGRAMS];
    union address peers[WEIR_DATAGRAMS];
    union control controls[WEIR_DATAGRAMS];
    if (count > WEIR_DATAGRAMS) count = WEIR_DATAGRAMS;
    for (unsigned i = 0; i < count; i++) {
        pieces[i] = (struct iovec){datagrams[i].bytes, datagrams[i].count};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &pieces[i], .msg_iovlen = 1,
            .msg_control = &controls[i], .msg_controllen = sizeof controls[i]};
    }
    int got = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        datagrams[i].count = messages[i].msg_len;
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

int weir_send_datagrams(int fd, const struct weir_datagram *datagrams, unsigned count) {
    struct mmsghdr messages[WEIR_DATAGRAMS];
    struct iovec pieces[WEIR_DATAGRAMS];
    union address peers[WEIR_DATAGRAMS];
    union control controls[WEIR_DATAGRAMS];
    if (count > WEIR_DATAGRAMS) count = WEIR_DATAGRAMS;
    for (unsigned i = 0; i < count; i++) {
        const struct weir_datagram *datagram = &datagrams[i];
        int v4 = is_v4(&datagram->peer);
        pieces[i] = (struct iovec){datagram->bytes, datagram->count};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = v4 ? sizeof peers[i].v4 : sizeof peers[i].v6, .msg_iov = &pieces[i],
            .msg_iovlen = 1, .msg_control = &controls[i], .msg_controllen = put_source(&controls[i], &datagram->local, v4)};
        if (v4) {
            peers[i].v4 = (struct sockaddr_in){
                .sin_family = AF_INET, .sin_port = htons(datagram->peer.port),
                .sin_addr.s_addr = htonl((uint32_t)datagram->peer.low)};
        } else {
            peers[i].v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(datagram->peer.port)};
            to6(&datagram->peer, &peers[i].v6.sin6_addr);
        }
    }
    return sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}
