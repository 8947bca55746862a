// What Linux offers and Glibc's Swift overlay does not show: header-only, nothing but the calls themselves.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/filter.h>
#include <malloc.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <pthread.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IP6T_SO_ORIGINAL_DST
#define IP6T_SO_ORIGINAL_DST 80
#endif
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

// glibc declares these only under _GNU_SOURCE, which would make types differ from those of Swift's Glibc module.
extern int unshare(int);
extern intptr_t getrandom(void *, uintptr_t, unsigned);
extern int close_range(unsigned, unsigned, int);
extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern int pipe2(int[2], int);
extern int pthread_setname_np(pthread_t, const char *);
extern ssize_t splice(int, off_t *, int, off_t *, size_t, unsigned);

// fcntl is variadic in C and so does not import. 1031: F_SETPIPE_SZ.
static inline int weir_set_pipe_size(int fd, int size) { return fcntl(fd, 1031, size); }

// So is prctl.
static inline int weir_forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
static inline int weir_may_be_dumped(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }
