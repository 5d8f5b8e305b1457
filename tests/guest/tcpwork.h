/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tcpserver and tcpclient say to each other.  Both are of the same byte
 * order.
 *
 * The client opens with a struct tcp_hello.  In stream mode the server then
 * pushes the pattern of the seed for ever.  In echo mode the client sends
 * messages, each of which the server sends back with its own magic number and
 * the running state after the message: a chain over everything sent so far, by
 * which either side notices a message which is lost, repeated or out of turn.
 */
#ifndef PMSM_TESTS_GUEST_TCPWORK_H
#define PMSM_TESTS_GUEST_TCPWORK_H

#include "work.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define TCP_HELLO	0x4f4c4548	/* "HELO" */
#define TCP_REQUEST	0x54534552	/* "REST" */
#define TCP_ANSWER	0x52534e41	/* "ANSR" */
#define TCP_PORT	7777
#define TCP_MIN		64
#define TCP_MAX		4096

enum tcp_mode {
	TCP_ECHO,
	TCP_STREAM,
};

struct tcp_hello {
	u32 magic;
	u32 mode;
	u64 seed;
	u32 pace_us;		/* stream: sleep between two blocks */
	u32 crc;		/* of all before */
};

struct tcp_head {
	u32 magic;
	u32 len;		/* of the whole message */
	u64 seq;
	u64 state;		/* request: before it, answer: after it */
	u32 data_crc;
	u32 crc;		/* of all before */
};

struct tcp_msg {
	struct tcp_head head;
	u8 data[TCP_MAX - sizeof(struct tcp_head)];
};

static inline u64 tcp_first_state(u64 seed)
{
	return splitmix64(~seed);
}

static inline u64 tcp_next_state(u64 state, u64 seq, u32 data_crc)
{
	return splitmix64(state ^ splitmix64(seq)) + data_crc;
}

static inline u32 tcp_head_crc(const struct tcp_head *h)
{
	return crc32(0, h, offsetof(struct tcp_head, crc));
}

static inline u32 tcp_hello_crc(const struct tcp_hello *h)
{
	return crc32(0, h, offsetof(struct tcp_hello, crc));
}

static inline size_t tcp_data_len(const struct tcp_head *h)
{
	return h->len - sizeof(*h);
}

/* True if the header is sound, so that its length can be relied on. */
static inline bool tcp_head_sound(const struct tcp_head *h, u32 magic)
{
	return h->magic == magic && h->crc == tcp_head_crc(h) &&
	       h->len >= TCP_MIN && h->len <= TCP_MAX;
}

/* Sends all; false with errno set if the connection broke. */
static inline bool send_all(int fd, const void *buf, size_t len)
{
	const u8 *p = buf;
	ssize_t n;

	while (len) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/* Small messages are to leave at once. */
static inline void tcp_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

#endif
