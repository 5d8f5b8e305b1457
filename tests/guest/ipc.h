/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the ipc program share.  Each part has items; an item has a
 * set-up before the move, which leaves processes waiting and data under way,
 * and a verification after it, which uses up everything the set-up left.
 *
 * A process of an item ("actor") exits with 0 if all went well for it.
 */
#ifndef PMSM_TESTS_GUEST_IPC_H
#define PMSM_TESTS_GUEST_IPC_H

#include "work.h"

#include <poll.h>
#include <sys/ioctl.h>

/* How long a machine may take to do what it should do at once. */
#define SOON_MS		20000

/* Memory which all actors share. */
struct ipc_shared {
	u64 eintr;
};

static struct ipc_shared *ipc;
static const char *ipc_dir = "/tmp";

/*
 * signal(7) lists system calls which fail with EINTR when a process is stopped
 * and continued, even without a signal handler.  The freezer has the same
 * effect, so this is no error; but it is told how often it happened.
 */
static inline bool interrupted(void)
{
	if (errno != EINTR)
		return false;
	__atomic_fetch_add(&ipc->eintr, 1, __ATOMIC_RELAXED);
	return true;
}

/* Starts an actor and lets it come to the point where it waits. */
static inline pid_t actor(void (*act)(void))
{
	pid_t pid = work_fork();

	if (!pid) {
		act();
		_exit(0);
	}
	work_wait_asleep(pid);
	return pid;
}

static inline void xpipe(int *fds)
{
	if (pipe2(fds, O_CLOEXEC))
		die_errno("cannot make a pipe");
}

/* Whether something can be read within @ms milliseconds. */
static inline bool readable(int fd, u64 ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 end = now_ns() + ms * NSEC_PER_MSEC;
	int n;

	do {
		n = poll(&p, 1, ms);
	} while (n < 0 && interrupted() && now_ns() < end);
	return n > 0 && (p.revents & (POLLIN | POLLHUP));
}

/*
 * Reads all of it, however many calls it takes.  Actors may wait for ever, but
 * data which is lost must not hang the process which gives the verdict.
 */
static inline void xread(int fd, void *buf, size_t len, const char *what)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		if (getpid() == work.owner && !readable(fd, SOON_MS))
			die("%s: only %zu of %zu bytes within %d ms", what,
			    got, len, SOON_MS);
		n = read(fd, (u8 *)buf + got, len - got);
		if (n < 0 && interrupted())
			continue;
		if (n <= 0)
			die("%s: read %zu of %zu bytes: %s", what, got, len,
			    n ? strerror(errno) : "end of file");
		got += n;
	}
}

static inline void xwrite(int fd, const void *buf, size_t len,
			  const char *what)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, (const u8 *)buf + done, len - done);
		if (n < 0 && interrupted())
			continue;
		if (n < 0)
			die_errno("%s: wrote %zu of %zu bytes", what, done,
				  len);
		done += n;
	}
}

/* Data on its way: the pattern of a seed, up to 16 KiB. */
static inline void send_pattern(int fd, size_t len, u64 seed, const char *what)
{
	u8 buf[16384];

	pattern_fill(buf, len, seed, 0);
	xwrite(fd, buf, len, what);
}

static inline void expect_pattern(int fd, size_t len, u64 seed,
				  const char *what)
{
	u8 buf[16384];
	size_t bad;

	xread(fd, buf, len, what);
	bad = pattern_check(buf, len, seed, 0);
	if (bad < len)
		work_bad("%s: byte %zu of %zu: found 0x%02x, expected 0x%02x",
			 what, bad, len, buf[bad], pattern_byte(seed, bad));
}

/* Is there just so much to read? */
static inline void expect_unread(int fd, int len, const char *what)
{
	int n = -1;

	if (ioctl(fd, FIONREAD, &n))
		work_bad("%s: FIONREAD: %s", what, strerror(errno));
	else if (n != len)
		work_bad("%s: %d bytes unread, expected %d", what, n, len);
}

/* Not readable now, as nothing has been sent. */
static inline void expect_nothing(int fd, const char *what)
{
	if (readable(fd, 0))
		work_bad("%s: readable, though there is nothing to read", what);
}

/* An answer which must come; a lost wake-up must not hang the test. */
static inline bool expect_soon(int fd, const char *what)
{
	if (readable(fd, SOON_MS))
		return true;
	work_bad("%s: nothing to read within %d ms", what, SOON_MS);
	return false;
}

#endif
