// SPDX-License-Identifier: GPL-2.0-only
/*
 * An Ethernet hub for QEMU's "-netdev stream": what comes in at one port goes
 * out at all others, with a share of frames lost, repeated, reordered or
 * damaged on the way.
 *
 * usage: relay [--loss P] [--dup P] [--reorder P] [--flip P] [--seed N]
 *	  [--switch 1] [--log FILE] SOCKET
 *
 * Percentages.  A switch is a hub that learns at which port an address is, and
 * sends what is for it nowhere else.  The log has a line for each frame that
 * comes in: when, by CLOCK_REALTIME in nanoseconds, at which port, counted from
 * 0 in the order of connection, and its first bytes in hex.
 *
 * Lines on standard input:
 *
 *	cut [N]			let nothing through (after N more frames)
 *	drop T			let no frame of PMSM's type T through
 *	trap T [N [after]]	from the N-th such frame on, or after it, hold all
 *				that comes
 *	spill			lose what is held, and hold no longer
 *	mend			end all of that; what is held goes its way
 *	mangle L D R F		percentages as above from now on
 *	only P Q		connect no other ports than these two
 *	log FILE		go on with another log
 *	quiet T			do not log frames of that type
 *	stats			print counters
 *
 * Lines on standard output: "port P" for each machine that is connected,
 * "trapped T", and "dropped T" for the first one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <asm/types.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The names that the kernel has for these */
#define u8	__u8
#define u32	__u32
#define u64	__u64

#define PORTS		8
#define STATIONS	64
#define FRAME_MAX	70000
#define IN_SIZE		(4 * FRAME_MAX)
/* Where a frame has its EtherType and its type: pmsm-protocol.rst */
#define ETHERTYPE_AT	12
#define ETHERTYPE	0x88b5
#define TYPE_AT		15
/* A port that does not read for so long loses frames, as on a real hub */
#define OUT_SIZE	(16U << 20)
/* Bytes of a frame that are logged: all of an ARP or a neighbour advertisement */
#define LOG_BYTES	96
/* As much is held: some windows full */
#define HELD_MAX	(64U << 20)

/**
 * struct port - one machine's end
 * @fd: Its socket, or -1.
 * @number: How many machines were connected before.
 * @in: What has come and is not a whole frame yet.
 * @in_len: Bytes of it.
 * @out: What it has not taken yet.
 * @out_start: Where that begins.
 * @out_len: Bytes of it.
 */
struct port {
	int fd;
	int number;
	u8 *in;
	size_t in_len;
	u8 *out;
	size_t out_start;
	size_t out_len;
};

/**
 * struct station - where an Ethernet address was last seen
 * @addr: The address.
 * @port: The port, an index into @ports.
 */
struct station {
	u8 addr[6];
	int port;
};

/**
 * struct held - a frame that waits for its fate
 * @next: The one that came after it.
 * @from: The port that it came in at.
 * @len: Its length.
 * @frame: All of it.
 */
struct held {
	struct held *next;
	int from;
	u32 len;
	u8 frame[];
};

static struct station stations[STATIONS];
static unsigned int nr_stations, switching;
static struct port ports[PORTS];
static unsigned int loss, dup_, reorder, flip;
static u64 seed = 1;
static bool cut;
static long cut_after = -1, drop_type = -1, trap_type = -1, trap_count;
static bool trap_after, holding, drop_told, quiet[256];
static int only[2] = { -1, -1 };
static struct held *first_held, **last_held = &first_held;
static u32 held_bytes;
static u8 late[FRAME_MAX];
static u32 late_len;
static int late_from;
static unsigned long frames, lost, doubled, moved, damaged, overrun;
static int connections;
static FILE *journal;

/* splitmix64 */
static u32 rnd(void)
{
	u64 z = seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) >> 32;
}

static bool hit(unsigned int percent, unsigned long *counter)
{
	if (!percent || rnd() % 100 >= percent)
		return false;
	++*counter;
	return true;
}

static void drop_port(struct port *port)
{
	close(port->fd);
	port->fd = -1;
	port->in_len = 0;
	port->out_start = 0;
	port->out_len = 0;
}

static void flush(struct port *port)
{
	ssize_t n;

	while (port->fd >= 0 && port->out_len) {
		n = send(port->fd, port->out + port->out_start, port->out_len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				drop_port(port);
			return;
		}
		port->out_start += n;
		port->out_len -= n;
	}
	port->out_start = 0;
}

static void append(struct port *port, const void *bytes, size_t len)
{
	memcpy(port->out + port->out_start + port->out_len, bytes, len);
	port->out_len += len;
}

static void put(struct port *port, const u8 *frame, u32 len)
{
	u32 be_len = htonl(len);

	if (port->out_start + port->out_len + 4 + len > OUT_SIZE) {
		memmove(port->out, port->out + port->out_start, port->out_len);
		port->out_start = 0;
	}
	if (port->out_len + 4 + len > OUT_SIZE) {
		overrun++;
		return;
	}
	append(port, &be_len, 4);
	append(port, frame, len);
}

static struct station *find_station(const u8 *addr)
{
	unsigned int i;

	for (i = 0; i < nr_stations; i++)
		if (!memcmp(stations[i].addr, addr, sizeof(stations[i].addr)))
			return &stations[i];
	return NULL;
}

static void learn(int from, const u8 *addr)
{
	struct station *station = find_station(addr);

	if (!station) {
		if (nr_stations == STATIONS)
			return;
		station = &stations[nr_stations++];
		memcpy(station->addr, addr, sizeof(station->addr));
	}
	station->port = from;
}

static bool connected(int port)
{
	int number = ports[port].number;

	return ports[port].fd >= 0 &&
	       (only[0] < 0 || number == only[0] || number == only[1]);
}

/* Destination first, then source */
static void spread(int from, const u8 *frame, u32 len)
{
	const struct station *station = NULL;
	int i;

	if (!connected(from))
		return;
	if (switching) {
		learn(from, frame + 6);
		station = find_station(frame);
	}
	for (i = 0; i < PORTS; i++)
		if (i != from && connected(i) &&
		    (!station || station->port == i))
			put(&ports[i], frame, len);
}

static void note(int from, const u8 *frame, u32 len)
{
	struct timespec now;
	u32 i;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(journal, "%lld%09ld %d ", (long long)now.tv_sec, now.tv_nsec,
		ports[from].number);
	for (i = 0; i < len && i < LOG_BYTES; i++)
		fprintf(journal, "%02x", frame[i]);
	putc('\n', journal);
	/* Whoever reads it waits for certain frames */
	fflush(journal);
}

/* PMSM's type of a frame, -1 if it is not one of those */
static int type_of(const u8 *frame, u32 len)
{
	if (len > TYPE_AT && frame[ETHERTYPE_AT] == ETHERTYPE >> 8 &&
	    frame[ETHERTYPE_AT + 1] == (ETHERTYPE & 0xff))
		return frame[TYPE_AT];
	return -1;
}

static bool unwanted(int type)
{
	if (type < 0 || type != drop_type)
		return false;
	if (!drop_told)
		printf("dropped %d\n", type);
	drop_told = true;
	return true;
}

/* What is not cut and not held */
static void pass(int from, u8 *frame, u32 len)
{
	u32 bit;

	if (hit(loss, &lost))
		return;
	if (hit(flip, &damaged)) {
		bit = rnd() % (len * 8);
		frame[bit / 8] ^= 1 << (bit % 8);
	}
	if (!late_len && hit(reorder, &moved)) {
		memcpy(late, frame, len);
		late_len = len;
		late_from = from;
		return;
	}
	spread(from, frame, len);
	if (hit(dup_, &doubled))
		spread(from, frame, len);
	if (late_len && rnd() % 2) {
		spread(late_from, late, late_len);
		late_len = 0;
	}
}

static void hold(int from, const u8 *frame, u32 len)
{
	struct held *held = NULL;

	if (held_bytes + len <= HELD_MAX)
		held = malloc(sizeof(*held) + len);
	if (!held) {
		overrun++;
		return;
	}
	held->next = NULL;
	held->from = from;
	held->len = len;
	memcpy(held->frame, frame, len);
	held_bytes += len;
	*last_held = held;
	last_held = &held->next;
}

/* What is held goes its way, or is lost */
static void release(bool going)
{
	struct held *held;

	holding = false;
	while ((held = first_held)) {
		first_held = held->next;
		if (going)
			pass(held->from, held->frame, held->len);
		free(held);
	}
	last_held = &first_held;
	held_bytes = 0;
}

/* Whether this frame is the one that the trap is for */
static bool springs(int from, int type)
{
	if (holding || type < 0 || type != trap_type || !connected(from) ||
	    --trap_count)
		return false;
	trap_type = -1;
	holding = true;
	return true;
}

static void forward(int from, u8 *frame, u32 len)
{
	int type = type_of(frame, len);
	bool sprung;

	frames++;
	if (journal && (type < 0 || !quiet[type]))
		note(from, frame, len);
	if (cut_after >= 0 && cut_after-- == 0)
		cut = true;
	if (cut || unwanted(type))
		return;
	sprung = springs(from, type);
	if (holding && !(sprung && trap_after))
		hold(from, frame, len);
	else
		pass(from, frame, len);
	if (sprung)
		printf("trapped %d\n", type);
}

static void take(int number)
{
	struct port *port = &ports[number];
	size_t done = 0;
	u32 len;
	ssize_t n;

	n = recv(port->fd, port->in + port->in_len, IN_SIZE - port->in_len,
		 MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			drop_port(port);
		return;
	}
	port->in_len += n;
	while (port->in_len - done >= 4) {
		memcpy(&len, port->in + done, 4);
		len = ntohl(len);
		if (!len || len > FRAME_MAX) {
			drop_port(port);
			return;
		}
		if (port->in_len - done < 4 + len)
			break;
		forward(number, port->in + done + 4, len);
		done += 4 + len;
	}
	memmove(port->in, port->in + done, port->in_len - done);
	port->in_len -= done;
}

static void welcome(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	int i;

	for (i = 0; i < PORTS && fd >= 0; i++) {
		if (ports[i].fd >= 0)
			continue;
		ports[i].fd = fd;
		ports[i].number = connections++;
		printf("port %d\n", ports[i].number);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void mend(void)
{
	cut = false;
	cut_after = -1;
	drop_type = -1;
	trap_type = -1;
	release(true);
}

static void set_trap(const char *line)
{
	char after[8] = "";
	long count = 1;

	if (sscanf(line, "trap %ld %ld %7s", &trap_type, &count, after) < 1)
		return;
	trap_count = count;
	trap_after = !strcmp(after, "after");
}

static void go_on_in(const char *path)
{
	if (journal)
		fclose(journal);
	journal = fopen(path, "w");
}

/* Words that set something; returns whether it was one of these */
static bool set(const char *line)
{
	char path[200];
	unsigned int type;

	if (sscanf(line, "mangle %u %u %u %u", &loss, &dup_, &reorder,
		   &flip) == 4)
		return true;
	if (sscanf(line, "only %d %d", &only[0], &only[1]) == 2)
		return true;
	if (sscanf(line, "log %199s", path) == 1)
		go_on_in(path);
	else if (sscanf(line, "quiet %u", &type) == 1 && type < 256)
		quiet[type] = true;
	else
		return false;
	return true;
}

static void obey(const char *line)
{
	long count;

	if (set(line))
		return;
	if (sscanf(line, "cut %ld", &count) == 1) {
		cut_after = count;
	} else if (!strcmp(line, "cut")) {
		cut = true;
		release(false);
	} else if (sscanf(line, "drop %ld", &count) == 1) {
		drop_type = count;
		drop_told = false;
	} else if (!strncmp(line, "trap", 4)) {
		set_trap(line);
	} else if (!strcmp(line, "spill")) {
		release(false);
	} else if (!strcmp(line, "mend")) {
		mend();
	} else if (!strcmp(line, "stats")) {
		printf("frames %lu lost %lu doubled %lu moved %lu damaged %lu overrun %lu\n",
		       frames, lost, doubled, moved, damaged, overrun);
	}
}

/* Returns false when whoever started us has gone */
static bool listen_to_words(void)
{
	static char words[1000];
	static size_t len;
	char *line, *end;
	ssize_t n;

	n = read(0, words + len, sizeof(words) - 1 - len);
	if (n <= 0)
		return false;
	len += n;
	words[len] = '\0';
	for (line = words; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		obey(line);
	}
	len -= line - words;
	memmove(words, line, len);
	return true;
}

static void loop(int listener)
{
	struct pollfd fds[PORTS + 2];
	int i;

	for (;;) {
		for (i = 0; i < PORTS; i++) {
			flush(&ports[i]);
			fds[i].fd = ports[i].fd;
			fds[i].events = POLLIN | (ports[i].out_len ? POLLOUT : 0);
		}
		fds[PORTS] = (struct pollfd){ listener, POLLIN, 0 };
		fds[PORTS + 1] = (struct pollfd){ 0, POLLIN, 0 };
		if (poll(fds, PORTS + 2, late_len ? 20 : -1) == 0 && late_len) {
			spread(late_from, late, late_len);
			late_len = 0;
		}
		for (i = 0; i < PORTS; i++)
			if (fds[i].fd >= 0 && fds[i].fd == ports[i].fd &&
			    fds[i].revents & (POLLIN | POLLHUP | POLLERR))
				take(i);
		if (fds[PORTS].revents & POLLIN)
			welcome(listener);
		if (fds[PORTS + 1].revents && !listen_to_words())
			return;
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, PORTS)) {
		fprintf(stderr, "relay: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static void parse(int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		unsigned long value = strtoul(argv[i + 1], NULL, 10);

		if (!strcmp(argv[i], "--loss"))
			loss = value;
		else if (!strcmp(argv[i], "--dup"))
			dup_ = value;
		else if (!strcmp(argv[i], "--reorder"))
			reorder = value;
		else if (!strcmp(argv[i], "--flip"))
			flip = value;
		else if (!strcmp(argv[i], "--seed"))
			seed = value;
		else if (!strcmp(argv[i], "--switch"))
			switching = value;
		else if (!strcmp(argv[i], "--log"))
			journal = fopen(argv[i + 1], "w");
		else
			i = argc;
	}
	if (i != argc - 1) {
		fprintf(stderr, "usage: relay [--loss|dup|reorder|flip P] [--seed N]\n"
			"             [--switch 1] [--log FILE] SOCKET\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int i;

	parse(argc, argv);
	/* Whoever started us waits for it */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < PORTS; i++) {
		ports[i].fd = -1;
		ports[i].in = malloc(IN_SIZE);
		ports[i].out = malloc(OUT_SIZE);
		if (!ports[i].in || !ports[i].out)
			return 1;
	}
	loop(listen_at(argv[argc - 1]));
	return 0;
}
