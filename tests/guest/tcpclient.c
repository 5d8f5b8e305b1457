// SPDX-License-Identifier: GPL-2.0
/*
 * The other end of tcpserver: one connection, kept through whatever happens to
 * the server's machine, every byte which comes back verified.
 */
#include "tcpwork.h"

#include <poll.h>

struct client {
	int fd;
	struct sockaddr_in addr;
	/* This connection. */
	u64 sent, got;		/* requests, answers */
	u64 tx_state, rx_state;
	u64 pos;		/* bytes of the stream */
	u64 sent_at[256];	/* times, of the requests under way */
	union {
		struct tcp_msg msg;
		u8 buf[65536];
	};
	size_t have;		/* bytes in buf */
	/* All connections. */
	u64 count, bytes, errors, reconnects;
	u64 start, last, gap, gap_at, rtt;
};

static u64 port = TCP_PORT, seed = 1, stream, period = 5, window = 4;
static u64 grace = 120, patience = 60, min_len = TCP_MIN, max_len = TCP_MAX;

static const struct work_opt opts[] = {
	{ "port", "N", "port of the server", .num = &port, .max = 65535 },
	{ "seed", "S", "seed of the data", .num = &seed },
	{ "stream", NULL, "verify a stream which the server pushes",
	  .num = &stream },
	{ "period", "MS", "time between two requests or stream blocks",
	  .num = &period, .max = 60000 },
	{ "window", "N", "requests under way at most", .num = &window,
	  .max = 256 },
	{ "min", "BYTES", "size of the smallest request", .num = &min_len,
	  .max = TCP_MAX },
	{ "max", "BYTES", "size of the largest request", .num = &max_len,
	  .max = TCP_MAX },
	{ "patience", "S", "how long to try to get the first connection",
	  .num = &patience, .max = 100000 },
	{ "grace", "S", "after SIGUSR1, how long to wait for answers",
	  .num = &grace, .max = 100000 },
	{ }
};

/* Content and size of a request depend on its number only. */
static void make_request(struct tcp_msg *m, u64 seq, u64 state)
{
	u64 r = splitmix64(seed ^ splitmix64(~seq));

	m->head.magic = TCP_REQUEST;
	m->head.len = min_len + r % (max_len - min_len + 1);
	m->head.seq = seq;
	m->head.state = state;
	pattern_fill(m->data, tcp_data_len(&m->head), r, 0);
	m->head.data_crc = crc32(0, m->data, tcp_data_len(&m->head));
	m->head.crc = tcp_head_crc(&m->head);
}

static void note_arrival(struct client *c)
{
	u64 now = now_ns();

	if (now - c->last > c->gap) {
		c->gap = now - c->last;
		c->gap_at = c->last - c->start;
	}
	c->last = now;
}

static bool try_connect(struct client *c)
{
	struct tcp_hello hello = {
		.magic = TCP_HELLO,
		.mode = stream ? TCP_STREAM : TCP_ECHO,
		.seed = seed,
		.pace_us = period * 1000,
	};
	int syns = 3;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die_errno("cannot make a socket");
	hello.crc = tcp_hello_crc(&hello);
	/* Give up a connection attempt after 15 s, not after two minutes. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
	if (connect(c->fd, (struct sockaddr *)&c->addr, sizeof(c->addr)) ||
	    !send_all(c->fd, &hello, sizeof(hello))) {
		close(c->fd);
		c->fd = -1;
		return false;
	}
	tcp_nodelay(c->fd);
	c->sent = 0;
	c->got = 0;
	c->pos = 0;
	c->have = 0;
	c->tx_state = tcp_first_state(seed);
	c->rx_state = c->tx_state;
	return true;
}

static void first_connect(struct client *c)
{
	u64 end = now_ns() + patience * NSEC_PER_SEC;

	while (!try_connect(c)) {
		if (now_ns() > end)
			die_errno("cannot connect to %s:%llu",
				  inet_ntoa(c->addr.sin_addr), port);
		sleep_ms(100);
	}
}

/* The connection is of no use any more; another one tells more, perhaps. */
static void __printf(2, 3) broken(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	work_vbad(fmt, ap);
	va_end(ap);
	c->errors++;
	close(c->fd);
	c->fd = -1;
}

static void reconnect(struct client *c)
{
	if (try_connect(c))
		c->reconnects++;
	else
		sleep_ms(200);
}

static void send_request(struct client *c)
{
	struct tcp_msg m;

	make_request(&m, c->sent, c->tx_state);
	c->tx_state = tcp_next_state(c->tx_state, c->sent, m.head.data_crc);
	c->sent_at[c->sent % ARRAY_SIZE(c->sent_at)] = now_ns();
	if (send_all(c->fd, &m, m.head.len))
		c->sent++;
	else
		broken(c, "request %llu: cannot send: %s", c->sent,
		       strerror(errno));
}

static void check_answer(struct client *c, const struct tcp_msg *m)
{
	struct tcp_msg want;
	u64 rtt;

	make_request(&want, c->got, c->rx_state);
	c->rx_state = tcp_next_state(c->rx_state, c->got, want.head.data_crc);
	want.head.magic = TCP_ANSWER;
	want.head.state = c->rx_state;
	want.head.crc = tcp_head_crc(&want.head);
	if (memcmp(m, &want, want.head.len)) {
		broken(c, "answer %llu: found number %llu length %u (want %u) state %llx (%llx)",
		       c->got, m->head.seq, m->head.len, want.head.len,
		       m->head.state, c->rx_state);
		return;
	}
	note_arrival(c);
	rtt = c->last - c->sent_at[c->got % ARRAY_SIZE(c->sent_at)];
	if (rtt > c->rtt)
		c->rtt = rtt;
	c->got++;
	c->count++;
}

static void take_answers(struct client *c)
{
	size_t len;

	while (c->fd >= 0 && c->have >= sizeof(c->msg.head)) {
		if (!tcp_head_sound(&c->msg.head, TCP_ANSWER)) {
			broken(c, "answer %llu: bad header: magic %08x length %u",
			       c->got, c->msg.head.magic, c->msg.head.len);
			return;
		}
		len = c->msg.head.len;
		if (c->have < len)
			return;
		check_answer(c, &c->msg);
		c->have -= len;
		memmove(c->buf, c->buf + len, c->have);
	}
}

static void take_stream(struct client *c)
{
	size_t bad = pattern_check(c->buf, c->have, seed, c->pos);

	if (bad < c->have) {
		broken(c, "stream at byte %llu: expected 0x%02x, found 0x%02x",
		       c->pos + bad, pattern_byte(seed, c->pos + bad),
		       c->buf[bad]);
		return;
	}
	note_arrival(c);
	c->pos += c->have;
	c->count++;
	c->have = 0;
}

static void receive(struct client *c)
{
	ssize_t n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - c->have,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		broken(c, "connection lost after %llu answers: %s",
		       c->count, n ? strerror(errno) : "closed by the server");
		return;
	}
	c->have += n;
	c->bytes += n;
	if (stream)
		take_stream(c);
	else
		take_answers(c);
}

static u64 ms(u64 ns)
{
	return ns / NSEC_PER_MSEC;
}

/* The longest gap so far, one which is still going on included. */
static u64 gap_ns(const struct client *c)
{
	u64 idle = now_ns() - c->last;

	return idle > c->gap ? idle : c->gap;
}

static void tell_numbers(const struct client *c, char *line, size_t size)
{
	size_t n;

	n = snprintf(line, size, "count=%llu kib=%llu errors=%llu reconnects=%llu",
		     c->count, c->bytes / 1024, c->errors, c->reconnects);
	snprintf(line + n, size - n, " gap_ms=%llu idle_ms=%llu elapsed_ms=%llu",
		 ms(gap_ns(c)), ms(now_ns() - c->last),
		 ms(now_ns() - c->start));
}

static void tell_progress(const struct client *c)
{
	char line[WORK_LINE] = "ready ";

	tell_numbers(c, line + strlen(line), sizeof(line) - strlen(line));
	work_status(line);
}

/* One turn: sends a request when it is time to, receives for up to 100 ms. */
static void turn(struct client *c, u64 *next)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	u64 now = now_ns(), wait = 100;

	if (!stream && c->sent - c->got < window) {
		if (now >= *next) {
			send_request(c);
			now = now_ns();
			*next = now + period * NSEC_PER_MSEC;
		}
		wait = ms(*next - now) + 1;
		if (wait > 100)
			wait = 100;
	}
	if (c->fd >= 0 && poll(&p, 1, wait) > 0)
		receive(c);
}

/*
 * A request is only answered if the connection is alive both ways; so let one
 * be sent and answered, or some more of the stream come, before the verdict.
 */
static void last_proof(struct client *c, u64 *next)
{
	u64 end = now_ns() + grace * NSEC_PER_SEC;
	u64 want = stream ? c->pos + 65536 : c->sent + 1;

	while (c->fd >= 0 && (stream ? c->pos : c->got) < want) {
		if (now_ns() > end) {
			broken(c, "no answer for %llu ms after %llu answers (%llu requests sent)",
			       ms(now_ns() - c->last), c->count, c->sent);
			return;
		}
		turn(c, next);
	}
	if (c->fd < 0 && !work_failures())
		work_bad("no connection at the end");
}

static void work_on(struct client *c)
{
	u64 next = 0, told = 0;

	while (!work_wait(0)) {
		if (c->fd < 0)
			reconnect(c);
		else
			turn(c, &next);
		/* The first answer says that all is set up. */
		if (c->count && now_ns() - told >= NSEC_PER_SEC) {
			tell_progress(c);
			told = now_ns();
		}
	}
	last_proof(c, &next);
}

static void parse(int argc, char **argv, struct client *c)
{
	int n = work_options(argc, argv, "tcpclient run SERVER [PORT] [options]",
			     "Talks to tcpserver at the IPv4 address SERVER.",
			     opts);

	c->addr.sin_family = AF_INET;
	if (n < 1 || inet_pton(AF_INET, argv[0], &c->addr.sin_addr) != 1)
		die("%s: not an IPv4 address (try --help)",
		    n ? argv[0] : "SERVER");
	if (n > 1)
		port = work_number("port", argv[1], 65535);
	c->addr.sin_port = htons(port);
	if (!window || min_len < TCP_MIN || min_len > max_len)
		die("bad --window %llu, --min %llu or --max %llu", window,
		    min_len, max_len);
}

int main(int argc, char **argv)
{
	struct client *c;
	char line[200];

	work_init("tcpclient");
	c = xmalloc(sizeof(*c));
	parse(argc, argv, c);
	first_connect(c);
	c->start = now_ns();
	c->last = c->start;
	work_on(c);
	tell_numbers(c, line, sizeof(line));
	return work_verdict("%s gap_at_ms=%llu rtt_max_ms=%llu", line,
			    ms(c->gap_at), ms(c->rtt));
}
