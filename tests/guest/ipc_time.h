/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of ipc about time: timers of all kinds, sleepers, queued signals.
 *
 * A timer is compared with its own clock, so all this holds whether or not the
 * clock counts the time of the move.
 */
#ifndef PMSM_TESTS_GUEST_IPC_TIME_H
#define PMSM_TESTS_GUEST_IPC_TIME_H

#include "ipc.h"

#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define TICK_NS		(100 * NSEC_PER_MSEC)
/* How late a timer may be on a slow machine. */
#define LATE_NS		(300 * NSEC_PER_MSEC)
#define SHOTS		64
#define SHOT_NS		(500 * NSEC_PER_MSEC)
#define SIG_TIMER	(SIGRTMIN + 1)
#define SIG_QUEUED	(SIGRTMIN + 2)

/* timerfd: periodic ones nobody reads, and many which fire once. */

struct periodic {
	clockid_t id;
	const char *name;
	int fd;
	u64 start;
};

static struct periodic periodics[] = {
	{ CLOCK_MONOTONIC, "MONOTONIC", -1, 0 },
	{ CLOCK_BOOTTIME, "BOOTTIME", -1, 0 },
	{ CLOCK_REALTIME, "REALTIME", -1, 0 },
};

struct shot {
	clockid_t id;
	int fd;
	u64 due;
};

static struct shot shots[SHOTS];
static u64 shots_fired;

static int make_timerfd(clockid_t id, u64 due, u64 interval)
{
	struct itimerspec t = { to_timespec(interval), to_timespec(due) };
	int fd = timerfd_create(id, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL))
		die_errno("timerfd: cannot set one of clock %d", (int)id);
	return fd;
}

static void timerfd_setup(void)
{
	struct periodic *p;
	struct shot *s;

	for (p = periodics; p < periodics + ARRAY_SIZE(periodics); p++) {
		p->start = clock_ns(p->id);
		p->fd = make_timerfd(p->id, p->start + TICK_NS, TICK_NS);
	}
	for (s = shots; s < shots + SHOTS; s++) {
		s->id = (s - shots) & 1 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
		s->due = clock_ns(s->id) + (s - shots + 1) * SHOT_NS;
		s->fd = make_timerfd(s->id, s->due, 0);
	}
}

static u64 expirations(int fd)
{
	u64 n = 0;

	if (read(fd, &n, sizeof(n)) != sizeof(n)) {
		if (errno != EAGAIN)
			work_bad("timerfd: cannot read: %s", strerror(errno));
		return 0;
	}
	return n;
}

static void check_periodic(const struct periodic *p)
{
	u64 least = clock_ns(p->id) - p->start - LATE_NS, n, most;

	n = expirations(p->fd);
	most = clock_ns(p->id) - p->start;
	if ((s64)least < 0)
		least = 0;
	if (n < least / TICK_NS || n > most / TICK_NS)
		work_bad("timerfd: %s: %llu expirations, expected %llu to %llu",
			 p->name, n, least / TICK_NS, most / TICK_NS);
	sleep_ms(3 * (TICK_NS / NSEC_PER_MSEC));
	if (!expirations(p->fd))
		work_bad("timerfd: %s: does not go on", p->name);
}

static void check_shot(const struct shot *s)
{
	u64 before = clock_ns(s->id), after;
	bool fired = expirations(s->fd);

	after = clock_ns(s->id);
	shots_fired += fired;
	if (fired && after < s->due)
		work_bad("timerfd: clock %d: fired %llu ns early", (int)s->id,
			 s->due - after);
	if (!fired && before > s->due + LATE_NS)
		work_bad("timerfd: clock %d: due %llu ms ago, has not fired",
			 (int)s->id, (before - s->due) / NSEC_PER_MSEC);
}

static void timerfd_verify(void)
{
	struct periodic *p;
	struct shot *s;

	for (s = shots; s < shots + SHOTS; s++)
		check_shot(s);
	for (p = periodics; p < periodics + ARRAY_SIZE(periodics); p++)
		check_periodic(p);
}

/* A POSIX timer whose signals nobody takes, so that they overrun. */

static struct {
	timer_t id;
	u64 start;
} ptimer;

static void ptimer_setup(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL };
	struct itimerspec t = { .it_interval = to_timespec(TICK_NS) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIG_TIMER);
	sigprocmask(SIG_BLOCK, &set, NULL);
	e.sigev_signo = SIG_TIMER;
	e.sigev_value.sival_int = 4711;
	if (timer_create(CLOCK_MONOTONIC, &e, &ptimer.id))
		die_errno("timer: cannot make one");
	ptimer.start = now_ns();
	t.it_value = to_timespec(ptimer.start + TICK_NS);
	if (timer_settime(ptimer.id, TIMER_ABSTIME, &t, NULL))
		die_errno("timer: cannot set it");
}

/* Takes one signal; returns how many expirations it stands for. */
static u64 take_timer_signal(void)
{
	struct timespec t = to_timespec(NSEC_PER_SEC);
	siginfo_t info;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIG_TIMER);
	do {
		sig = sigtimedwait(&set, &info, &t);
	} while (sig < 0 && interrupted());
	if (sig < 0) {
		work_bad("timer: no signal: %s", strerror(errno));
		return 0;
	}
	if (info.si_code != SI_TIMER || info.si_value.sival_int != 4711)
		work_bad("timer: signal of code %d, value %d", info.si_code,
			 info.si_value.sival_int);
	return 1 + info.si_overrun;
}

static void ptimer_verify(void)
{
	u64 least = now_ns() - ptimer.start - LATE_NS, n, most;

	n = take_timer_signal();
	most = now_ns() - ptimer.start;
	if ((s64)least < 0)
		least = 0;
	if (n < least / TICK_NS || n > most / TICK_NS)
		work_bad("timer: %llu expirations, expected %llu to %llu", n,
			 least / TICK_NS, most / TICK_NS);
	take_timer_signal();
	timer_delete(ptimer.id);
}

/* setitimer: a process which gets SIGALRM all the time. */

static struct {
	pid_t ticker;
	u32 *count;
} itimer;

static void on_alarm(int sig)
{
	(void)sig;
	__atomic_fetch_add(itimer.count, 1, __ATOMIC_SEQ_CST);
}

static u32 alarms(void)
{
	return __atomic_load_n(itimer.count, __ATOMIC_SEQ_CST);
}

static void itimer_ticker(void)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval t = { { 0, 50000 }, { 0, 50000 } };

	sigaction(SIGALRM, &sa, NULL);
	if (setitimer(ITIMER_REAL, &t, NULL))
		die_errno("itimer: cannot set it");
	/* Each signal ends one call, hence the loop. */
	while (!work_wait(10000))
		;
	if (getitimer(ITIMER_REAL, &t) || t.it_interval.tv_usec != 50000)
		die("itimer: interval is now %ld us", t.it_interval.tv_usec);
}

static void itimer_setup(void)
{
	itimer.count = xshared(sizeof(*itimer.count));
	itimer.ticker = actor(itimer_ticker);
}

static void itimer_verify(void)
{
	u32 before = alarms();

	work_check_waiting(itimer.ticker, "itimer: process");
	sleep_ms(1000);
	if (!before || alarms() - before < 3 || alarms() - before > 25)
		work_bad("itimer: %u signals, then %u in 1 s, expected 20",
			 before, alarms() - before);
	kill(itimer.ticker, CHILD_STOP);
	work_reap(itimer.ticker, "itimer: process");
}

/* Sleepers: a short one again and again, one which never gets up. */

static struct {
	pid_t napper, sleeper;
	u32 *naps;
} sleep_item;

static void nap(u64 ns)
{
	struct timespec t = to_timespec(ns);
	u64 start = now_ns(), slept;
	int err;

	/* This call is restarted after a stop: EINTR must not be seen. */
	err = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	slept = now_ns() - start;
	if (err)
		die("sleep: %s", strerror(err));
	if (slept < ns)
		die("sleep: woke up after %llu of %llu ns", slept, ns);
}

static void napper(void)
{
	while (!work_wait(0)) {
		nap(700 * NSEC_PER_MSEC);
		__atomic_fetch_add(sleep_item.naps, 1, __ATOMIC_SEQ_CST);
	}
}

static void sleeper(void)
{
	nap(1000000 * NSEC_PER_SEC);
}

static void sleep_setup(void)
{
	sleep_item.naps = xshared(sizeof(*sleep_item.naps));
	sleep_item.napper = actor(napper);
	sleep_item.sleeper = actor(sleeper);
}

static void sleep_verify(void)
{
	u32 before = __atomic_load_n(sleep_item.naps, __ATOMIC_SEQ_CST);
	int status;

	work_check_waiting(sleep_item.napper, "sleep: napper");
	work_check_waiting(sleep_item.sleeper, "sleep: sleeper");
	sleep_ms(1600);
	if (__atomic_load_n(sleep_item.naps, __ATOMIC_SEQ_CST) == before)
		work_bad("sleep: the napper does not wake up");
	if (work_proc_state(sleep_item.sleeper) != 'S')
		work_bad("sleep: the sleeper is in state %c",
			 work_proc_state(sleep_item.sleeper));
	kill(sleep_item.napper, CHILD_STOP);
	work_reap(sleep_item.napper, "sleep: napper");
	kill(sleep_item.sleeper, SIGKILL);
	waitpid(sleep_item.sleeper, &status, 0);
}

/* signalfd, with signals queued before the move. */

static int signal_fd;

static void signal_setup(void)
{
	union sigval v;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIG_QUEUED);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signal_fd < 0)
		die_errno("signalfd: cannot make one");
	for (v.sival_int = 1; v.sival_int <= 3; v.sival_int++)
		if (sigqueue(getpid(), SIG_QUEUED, v))
			die_errno("signalfd: cannot queue a signal");
}

static void signal_verify(void)
{
	struct signalfd_siginfo info;
	int i;

	for (i = 1; i <= 3; i++) {
		if (!expect_soon(signal_fd, "signalfd"))
			return;
		xread(signal_fd, &info, sizeof(info), "signalfd");
		if (info.ssi_int != i || info.ssi_pid != (u32)getpid())
			work_bad("signalfd: value %d of process %u, expected %d of %d",
				 info.ssi_int, info.ssi_pid, i, (int)getpid());
	}
	expect_nothing(signal_fd, "signalfd");
}

#endif
