/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers shared by the guest-side workload programs.
 *
 * The protocol between the test runner and a workload "PROG run ... &":
 *
 *  - the program does its set-up and replaces --status FILE (written aside and
 *    renamed, so a reader never sees half a line) by the line "ready";
 *  - it goes on working until it gets SIGUSR1, which may come at any time;
 *  - it then verifies everything, replaces the status file by one line, either
 *    "ok key=value..." or "FAIL reason failures=N key=value...", and exits
 *    with 0 or 1.
 *
 * A program which cannot even do its set-up, or meets an error it cannot go on
 * after, writes "FAIL reason" at once and exits with 1.  The first word of the
 * status file thus always tells the state.  Without --status the lines go to
 * standard output.
 */
#ifndef PMSM_TESTS_GUEST_WORK_H
#define PMSM_TESTS_GUEST_WORK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define __attribute(x)		__attribute__((x))
#define __printf(a, b)		__attribute(__format__(__printf__, a, b))
#define __noreturn		__attribute(__noreturn__)

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define NSEC_PER_SEC		1000000000ULL
#define NSEC_PER_MSEC		1000000ULL
#define PAGE_BYTES		4096UL
#define WORK_LINE		1024
#define WORK_REASON		512
/* Not SIGUSR1, so that a "killall -USR1" does no harm. */
#define CHILD_STOP		SIGUSR2

/* Failures are noted by all processes of a program, hence shared memory. */
struct work_shared {
	u32 failures;
	char reason[WORK_REASON];
};

static struct {
	const char *name;
	const char *status;
	struct work_shared *shared;
	sigset_t stop_set;
	pid_t owner;		/* the process which writes the status file */
	bool stop;
} work;

/*
 * Replaces the status file by one line.  Open-coded error messages: this is
 * what die() relies on.
 */
static inline void work_status(const char *line)
{
	char tmp[PATH_MAX];
	FILE *f;

	if (!work.status) {
		printf("%s\n", line);
		fflush(stdout);
		return;
	}
	snprintf(tmp, sizeof(tmp), "%s.tmp%d", work.status, (int)getpid());
	f = fopen(tmp, "w");
	if (!f) {
		fprintf(stderr, "%s: cannot create %s: %s\n", work.name, tmp,
			strerror(errno));
		return;
	}
	fprintf(f, "%s\n", line);
	if (fclose(f) || rename(tmp, work.status))
		fprintf(stderr, "%s: cannot write %s: %s\n", work.name,
			work.status, strerror(errno));
}

static inline void work_vbad(const char *fmt, va_list ap)
{
	char text[WORK_REASON], *p;

	vsnprintf(text, sizeof(text), fmt, ap);
	/* The verdict is one line, whatever was found. */
	for (p = text; *p; p++)
		if ((u8)*p < ' ')
			*p = ' ';
	fprintf(stderr, "%s: %s\n", work.name, text);
	if (!work.shared)
		return;
	/* The first failure is the interesting one, later ones follow from it. */
	if (!__atomic_fetch_add(&work.shared->failures, 1, __ATOMIC_SEQ_CST))
		memcpy(work.shared->reason, text, sizeof(text));
}

/* Notes a failure and goes on: there may be more to say about the state. */
static inline void __printf(1, 2) work_bad(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	work_vbad(fmt, ap);
	va_end(ap);
}

static inline u32 work_failures(void)
{
	return __atomic_load_n(&work.shared->failures, __ATOMIC_SEQ_CST);
}

/* Ends the process: exit status and verdict say that it failed. */
static inline void __noreturn work_give_up(void)
{
	char line[WORK_LINE];

	if (work.shared && getpid() == work.owner) {
		snprintf(line, sizeof(line), "FAIL %s failures=%u",
			 work.shared->reason, work_failures());
		work_status(line);
	}
	fflush(stdout);
	_exit(1);
}

static inline void __noreturn __printf(1, 2)
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	work_vbad(fmt, ap);
	va_end(ap);
	work_give_up();
}

/* As die(), with the text of errno. */
static inline void __noreturn __printf(1, 2)
die_errno(const char *fmt, ...)
{
	int err = errno;
	char text[WORK_REASON];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	die("%s: %s", text, strerror(err));
}

static inline void *xmalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die_errno("cannot allocate %zu bytes", size);
	return p;
}

/* Zeroed memory which is shared with all children. */
static inline void *xshared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die_errno("cannot map %zu shared bytes", size);
	return p;
}

/* A bijection of 64-bit numbers: distinct inputs give distinct outputs. */
static inline u64 splitmix64(u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Byte number @pos of the endless stream which belongs to @seed. */
static inline u8 pattern_byte(u64 seed, u64 pos)
{
	return splitmix64(seed + (pos >> 3)) >> (8 * (pos & 7));
}

static inline void pattern_fill(void *buf, size_t len, u64 seed, u64 pos)
{
	u8 *p = buf;
	u64 word;

	while (len) {
		if ((pos & 7) || len < 8) {
			*p++ = pattern_byte(seed, pos++);
			len--;
			continue;
		}
		word = splitmix64(seed + (pos >> 3));
		memcpy(p, &word, 8);
		p += 8;
		pos += 8;
		len -= 8;
	}
}

/* Offset of the first byte which is not the pattern's, or @len. */
static inline size_t pattern_check(const void *buf, size_t len, u64 seed,
				   u64 pos)
{
	const u8 *p = buf;
	size_t i = 0;
	u64 word;

	while (i < len) {
		if (!((pos + i) & 7) && len - i >= 8) {
			word = splitmix64(seed + ((pos + i) >> 3));
			if (!memcmp(p + i, &word, 8)) {
				i += 8;
				continue;
			}
		}
		if (p[i] != pattern_byte(seed, pos + i))
			return i;
		i++;
	}
	return len;
}

/* The CRC-32 of zlib, so that a script can check the same. */
static inline u32 crc32(u32 crc, const void *buf, size_t len)
{
	static u32 table[256];
	const u8 *p = buf;
	u32 c, i, k;

	/* Threads may race here: all of them write the same values. */
	if (!__atomic_load_n(&table[255], __ATOMIC_ACQUIRE)) {
		for (i = 0; i < 256; i++) {
			for (c = i, k = 0; k < 8; k++)
				c = c & 1 ? (c >> 1) ^ 0xedb88320 : c >> 1;
			__atomic_store_n(&table[i], c, __ATOMIC_RELEASE);
		}
	}
	crc = ~crc;
	while (len--)
		crc = (crc >> 8) ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

static inline u64 clock_ns(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t))
		die_errno("cannot read clock %d", (int)id);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static inline u64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline struct timespec to_timespec(u64 ns)
{
	return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
}

/* A sleep may be cut short by the freezer: the deadline counts. */
static inline void sleep_ms(u64 ms)
{
	struct timespec t = to_timespec(now_ns() + ms * NSEC_PER_MSEC);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* To be called first thing by main(): before any thread or child exists. */
static inline void work_init(const char *name)
{
	work.name = name;
	work.owner = getpid();
	work.shared = xshared(sizeof(*work.shared));
	sigemptyset(&work.stop_set);
	sigaddset(&work.stop_set, SIGUSR1);
	sigaddset(&work.stop_set, CHILD_STOP);
	/* Blocked and waited for: a signal which comes early is not lost. */
	sigprocmask(SIG_BLOCK, &work.stop_set, NULL);
	sigdelset(&work.stop_set, CHILD_STOP);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline void work_ready(void)
{
	work_status("ready");
}

/*
 * Sleeps up to @ms milliseconds, less if told to stop.  Also returns early
 * when the freezer interrupts the system call.
 */
static inline bool work_wait(u32 ms)
{
	struct timespec t = to_timespec(ms * NSEC_PER_MSEC);

	if (work.stop)
		return true;
	if (sigtimedwait(&work.stop_set, NULL, &t) > 0)
		work.stop = true;
	else if (errno != EAGAIN && errno != EINTR)
		die_errno("cannot wait for a signal");
	return work.stop;
}

/*
 * Writes the verdict, which the failures noted so far decide, and returns the
 * exit status.  The arguments give the "key=value..." part.
 */
static inline int __printf(1, 2) work_verdict(const char *fmt, ...)
{
	char line[WORK_LINE], keys[WORK_LINE / 4];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(keys, sizeof(keys), fmt, ap);
	va_end(ap);
	if (work_failures())
		snprintf(line, sizeof(line), "FAIL %s failures=%u %s",
			 work.shared->reason, work_failures(), keys);
	else
		snprintf(line, sizeof(line), "ok %s", keys);
	work_status(line);
	return !!work_failures();
}

/*
 * A child dies with its parent, so a failed program leaves nothing behind.
 * Its work_wait() waits for CHILD_STOP.
 */
static inline pid_t work_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die_errno("cannot fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	work.stop = false;
	sigemptyset(&work.stop_set);
	sigaddset(&work.stop_set, CHILD_STOP);
	return 0;
}

/* Says how a child ended; true if it ended well. */
static inline bool work_ended_well(const char *what, pid_t pid, int status)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	/* A child which exits with 1 has said why. */
	if (WIFSIGNALED(status))
		work_bad("%s (pid %d) was killed by signal %d", what, (int)pid,
			 WTERMSIG(status));
	else if (!work_failures() || WEXITSTATUS(status) != 1)
		work_bad("%s (pid %d) exited with status %d", what, (int)pid,
			 WEXITSTATUS(status));
	return false;
}

/* The state of a process as /proc gives it: R, S, T, Z..., or 0. */
static inline char work_proc_state(pid_t pid)
{
	char path[64], buf[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	/* The name in parentheses may hold anything. */
	p = strrchr(buf, ')');
	return p && p[1] ? p[2] : 0;
}

/* Lets a child come to the call in which it is to wait. */
static inline void work_wait_asleep(pid_t pid)
{
	int tries, asleep = 0;

	for (tries = 0; tries < 1000 && asleep < 3; tries++) {
		sleep_ms(10);
		asleep = work_proc_state(pid) == 'S' ? asleep + 1 : 0;
	}
	if (asleep < 3)
		die("process %d does not fall asleep (state '%c')", (int)pid,
		    work_proc_state(pid));
}

/* A child which waits for something must not have ended by itself. */
static inline void work_check_waiting(pid_t pid, const char *what)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT))
		work_bad("%s (pid %d): %s", what, (int)pid, strerror(errno));
	else if (info.si_pid)
		work_bad("%s (pid %d) ended early (code %d, status %d)", what,
			 (int)pid, info.si_code, info.si_status);
}

/* A child which got what it waited for must end, and well. */
static inline void work_reap(pid_t pid, const char *what)
{
	int status, tries;

	for (tries = 0; tries < 3000; tries++) {
		if (waitpid(pid, &status, WNOHANG)) {
			work_ended_well(what, pid, status);
			return;
		}
		sleep_ms(10);
	}
	work_bad("%s (pid %d) did not end within 30 s", what, (int)pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* One command line option: a number, a string, or a flag (no @arg). */
struct work_opt {
	const char *name;
	const char *arg;
	const char *help;
	u64 *num;
	const char **str;
	u64 max;
};

static inline void work_usage(const char *synopsis, const char *about,
			      const struct work_opt *opts)
{
	const char *arg;

	printf("usage: %s\n%s\n", synopsis, about);
	for (; opts && opts->name; opts++) {
		arg = opts->arg ? opts->arg : "";
		printf("  --%s %-*s %s", opts->name,
		       (int)(14 - strlen(opts->name)), arg, opts->help);
		if (opts->num && opts->arg)
			printf(" (default %llu)", *opts->num);
		else if (opts->str && *opts->str)
			printf(" (default %s)", *opts->str);
		printf("\n");
	}
	printf("  --status FILE     for \"ready\" and the verdict (default: stdout)\n");
	printf("SIGUSR1: verify, write \"ok ...\" or \"FAIL reason\", exit.\n");
}

static inline u64 work_number(const char *name, const char *text, u64 max)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || (max && n > max))
		die("--%s %s: not a number up to %llu", name, text,
		    max ? max : ULLONG_MAX);
	return n;
}

static inline const struct work_opt *work_find(const struct work_opt *opts,
					       const char *name)
{
	for (; opts->name; opts++)
		if (!strcmp(opts->name, name))
			return opts;
	return NULL;
}

static inline void work_set(const struct work_opt *opt, const char *value)
{
	if (!opt->arg)
		*opt->num = 1;
	else if (opt->num)
		*opt->num = work_number(opt->name, value, opt->max);
	else
		*opt->str = value;
}

/*
 * Parses "[run] [--name value]...".  Arguments which are no options are moved
 * to the front of @argv; their number is returned.  @opts ends with an empty
 * entry.
 */
static inline int work_options(int argc, char **argv, const char *synopsis,
			       const char *about, const struct work_opt *opts)
{
	const struct work_opt *opt;
	int i, n = 0;

	i = argc > 1 && !strcmp(argv[1], "run") ? 2 : 1;
	for (; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			work_usage(synopsis, about, opts);
			exit(0);
		}
		if (strncmp(argv[i], "--", 2)) {
			argv[n++] = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--status") && i + 1 < argc) {
			work.status = argv[++i];
			continue;
		}
		opt = work_find(opts, argv[i] + 2);
		if (!opt || (opt->arg && i + 1 == argc))
			die("%s: %s (try --help)", argv[i],
			    opt ? "value missing" : "unknown option");
		work_set(opt, opt->arg ? argv[++i] : NULL);
	}
	return n;
}

#endif
