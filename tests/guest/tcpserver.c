// SPDX-License-Identifier: GPL-2.0
/*
 * TCP server for tcpclient: answers checksummed requests, or pushes a
 * deterministic stream, one thread for each connection.
 */
#include "tcpwork.h"

#include <pthread.h>

struct conn {
	int fd;
	char peer[64];
};

static u64 port = TCP_PORT, want_conns;
static u64 conns, live, requests, stream_kib;
static bool stopping;

static const struct work_opt opts[] = {
	{ "port", "N", "port to listen on", .num = &port, .max = 65535 },
	{ "conns", "N", "fail unless so many connections came (0: any number)",
	  .num = &want_conns, .max = 100000 },
	{ }
};

static void add(u64 *counter, s64 n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static u64 get(u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* When the server itself is about to end, a broken connection is no news. */
static void __printf(1, 2) conn_bad(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_load_n(&stopping, __ATOMIC_RELAXED))
		return;
	va_start(ap, fmt);
	work_vbad(fmt, ap);
	va_end(ap);
}

/*
 * Receives all; false if the connection ended.  The end is in order only
 * @at_start, that is between two messages.
 */
static bool recv_all(struct conn *c, void *buf, size_t len, bool at_start)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = recv(c->fd, (u8 *)buf + got, len - got, 0);
		if (n > 0) {
			got += n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		/* A client that ends with data unread; it would say if it minded */
		if (n < 0 && errno == ECONNRESET && at_start && !got)
			return false;
		if (n < 0)
			conn_bad("%s: cannot receive: %s", c->peer,
				 strerror(errno));
		else if (got || !at_start)
			conn_bad("%s: ended after %zu of %zu bytes", c->peer,
				 got, len);
		return false;
	}
	return true;
}

static bool check_request(struct conn *c, const struct tcp_msg *m, u64 seq,
			  u64 state)
{
	u32 crc = crc32(0, m->data, tcp_data_len(&m->head));

	if (m->head.seq == seq && m->head.state == state &&
	    m->head.data_crc == crc)
		return true;
	conn_bad("%s: request %llu (expected %llu) state %llx (%llx) data %08x (%08x)",
		 c->peer, m->head.seq, seq, m->head.state, state, crc,
		 m->head.data_crc);
	return false;
}

static bool read_request(struct conn *c, struct tcp_msg *m)
{
	if (!recv_all(c, &m->head, sizeof(m->head), true))
		return false;
	if (!tcp_head_sound(&m->head, TCP_REQUEST)) {
		conn_bad("%s: bad header: magic %08x length %u checksum %08x",
			 c->peer, m->head.magic, m->head.len, m->head.crc);
		return false;
	}
	return recv_all(c, m->data, tcp_data_len(&m->head), false);
}

static void serve_echo(struct conn *c, const struct tcp_hello *hello)
{
	u64 state = tcp_first_state(hello->seed), seq = 0;
	struct tcp_msg m;

	while (read_request(c, &m)) {
		/* A bad request gets no answer: the client is to notice. */
		if (!check_request(c, &m, seq, state))
			return;
		state = tcp_next_state(state, seq, m.head.data_crc);
		seq++;
		m.head.magic = TCP_ANSWER;
		m.head.state = state;
		m.head.crc = tcp_head_crc(&m.head);
		add(&requests, 1);
		if (!send_all(c->fd, &m, m.head.len)) {
			conn_bad("%s: cannot send answer %llu: %s", c->peer,
				 seq - 1, strerror(errno));
			return;
		}
	}
}

static void serve_stream(struct conn *c, const struct tcp_hello *hello)
{
	const struct timespec pace = to_timespec(hello->pace_us * 1000ULL);
	u8 block[8192];
	u64 pos;

	for (pos = 0;; pos += sizeof(block)) {
		pattern_fill(block, sizeof(block), hello->seed, pos);
		if (!send_all(c->fd, block, sizeof(block)))
			break;
		add(&stream_kib, sizeof(block) / 1024);
		if (hello->pace_us)
			nanosleep(&pace, NULL);
	}
	/* A client which has seen enough closes with data unread. */
	if (errno != EPIPE && errno != ECONNRESET)
		conn_bad("%s: cannot send at %llu: %s", c->peer, pos,
			 strerror(errno));
}

static void *serve(void *arg)
{
	struct tcp_hello hello;
	struct conn *c = arg;

	if (recv_all(c, &hello, sizeof(hello), false)) {
		if (hello.magic != TCP_HELLO ||
		    hello.crc != tcp_hello_crc(&hello))
			conn_bad("%s: bad opening: magic %08x", c->peer,
				 hello.magic);
		else if (hello.mode == TCP_STREAM)
			serve_stream(c, &hello);
		else
			serve_echo(c, &hello);
	}
	add(&live, -1);
	close(c->fd);
	free(c);
	return NULL;
}

static void accept_one(int listener)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	struct conn *c = xmalloc(sizeof(*c));
	pthread_t thread;
	int err;

	c->fd = accept(listener, (struct sockaddr *)&peer, &len);
	if (c->fd < 0) {
		if (errno != EINTR && errno != ECONNABORTED)
			die_errno("cannot accept a connection");
		free(c);
		return;
	}
	snprintf(c->peer, sizeof(c->peer), "client %s:%u",
		 inet_ntoa(peer.sin_addr), ntohs(peer.sin_port));
	tcp_nodelay(c->fd);
	add(&conns, 1);
	add(&live, 1);
	err = pthread_create(&thread, NULL, serve, c);
	if (err)
		die("cannot start a thread: %s", strerror(err));
	pthread_detach(thread);
}

static void *accept_all(void *arg)
{
	for (;;)
		accept_one(*(int *)arg);
	return NULL;
}

static int listen_on(u64 number)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(number),
		.sin_addr.s_addr = htonl(INADDR_ANY),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die_errno("cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 64))
		die_errno("cannot listen on port %llu", number);
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int listener, err;

	work_init("tcpserver");
	if (work_options(argc, argv, "tcpserver run [PORT] [options]",
			 "Serves tcpclient.  Stop the clients before the server.",
			 opts))
		port = work_number("port", argv[0], 65535);
	listener = listen_on(port);
	err = pthread_create(&thread, NULL, accept_all, &listener);
	if (err)
		die("cannot start a thread: %s", strerror(err));
	work_ready();
	while (!work_wait(10000))
		;
	if (want_conns && get(&conns) != want_conns)
		work_bad("%llu connections came, expected %llu", get(&conns),
			 want_conns);
	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	return work_verdict("conns=%llu live=%llu requests=%llu stream_kib=%llu",
			    get(&conns), get(&live), get(&requests),
			    get(&stream_kib));
}
