// Many datagrams in one call, each with the address that it was sent to: recvmmsg(2), sendmmsg(2) and UDP_SEGMENT (udp(7)),
// whose structures Swift cannot lay out.
#pragma once
#include <stdint.h>
#include <sys/socket.h>
#include "linux.h"

#ifndef IP_RECVORIGDSTADDR
#define IP_RECVORIGDSTADDR 20
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif
#ifndef IPV6_RECVPKTINFO
#define IPV6_RECVPKTINFO 49
#endif

// An address and a port in host byte order; IPv4 is mapped into IPv6 (RFC 4291 section 2.5.5.2).
struct weir_endpoint {
    uint64_t high, low;
    uint16_t port;
};

struct weir_datagram {
    uint8_t *bytes;
    // Room before a receive, what came after it; what is to be sent.
    uint32_t count;
    // The other side.
    struct weir_endpoint peer;
    // This side: where it was sent to, or comes from. The port is 0 where the kernel did not tell: it is the socket's.
    struct weir_endpoint local;
};

enum { WEIR_DATAGRAMS = 32 };

// Receives at most WEIR_DATAGRAMS datagrams; -1 with errno when none came. Their addresses are looked at where `addressed`.
int weir_receive_datagrams(int fd, struct weir_datagram *datagrams, unsigned count, int addressed);

// Sends at most WEIR_DATAGRAMS datagrams, each from its own address, and answers how many the kernel took; `refusal` becomes
// why it did not take one, or 0. Where the port of the other side is 0, the socket is connected and has both addresses. Those
// that differ in their bytes alone go through the kernel as one packet, which is cut where it arrives or leaves the machine.
unsigned weir_send_datagrams(int fd, const struct weir_datagram *datagrams, unsigned count, int *refusal);
