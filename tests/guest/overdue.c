// SPDX-License-Identifier: GPL-2.0
/*
 * Sets many timers by the clocks that count the time of a move, so that some
 * fall due while the machine stands still: those have to fire at once when it
 * goes on, and none may fire early or be forgotten.
 */
#include "work.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#define TIMERS		400
#define PERIOD_NS	(50 * NSEC_PER_MSEC)
/* An ordinary delay is shorter than this. */
#define NOISE_NS	(30 * NSEC_PER_MSEC)

/* A time by the clock that counts the pause, and by the one that does not. */
struct moment {
	u64 own, mono;
};

struct timer {
	clockid_t id;
	int fd;
	u64 due;
	struct moment fired;
};

static struct timer timers[TIMERS];
static u64 late_ms = 150;

static const struct work_opt opts[] = {
	{ "late", "MS", "how late a timer may be, the pause apart",
	  .num = &late_ms },
	{ }
};

static struct moment moment(clockid_t id)
{
	return (struct moment){ clock_ns(id), clock_ns(CLOCK_MONOTONIC) };
}

static void set_timers(int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct itimerspec when = { };
	struct timer *t;
	int i;

	for (i = 0; i < TIMERS; i++) {
		t = &timers[i];
		t->id = i & 1 ? CLOCK_BOOTTIME : CLOCK_REALTIME;
		t->due = clock_ns(t->id) + (i + 1) * PERIOD_NS;
		t->fd = timerfd_create(t->id, TFD_NONBLOCK | TFD_CLOEXEC);
		when.it_value = to_timespec(t->due);
		event.data.ptr = t;
		if (t->fd < 0 ||
		    timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &when, NULL) ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, t->fd, &event))
			die_errno("cannot set timer %d", i);
	}
}

static void take(struct timer *t)
{
	u64 n;

	t->fired = moment(t->id);
	if (read(t->fd, &n, sizeof(n)) != sizeof(n))
		die_errno("cannot read a timer");
	if (t->fired.own < t->due)
		work_bad("clock %d: fired %llu ns early", (int)t->id,
			 t->due - t->fired.own);
}

static void collect(int epoll, int ms)
{
	struct epoll_event events[64];
	int i, n;

	n = epoll_wait(epoll, events, ARRAY_SIZE(events), ms);
	for (i = 0; i < n; i++)
		take(events[i].data.ptr);
}

/*
 * The pause, by the clock that stood still in it, is nobody's fault; what comes
 * on top of it is.  @missed counts the timers that fell due in the pause.
 */
static void judge(const struct timer *t, struct moment start, u64 *missed)
{
	u64 late = t->fired.own - t->due;
	u64 pause = (t->fired.own - start.own) - (t->fired.mono - start.mono);

	if (!t->fired.own) {
		if (clock_ns(t->id) > t->due + late_ms * NSEC_PER_MSEC)
			work_bad("clock %d: a timer has not fired", (int)t->id);
		return;
	}
	if (pause > NOISE_NS && late > NOISE_NS)
		++*missed;
	if (late > pause + late_ms * NSEC_PER_MSEC)
		work_bad("clock %d: %llu ms late, after a pause of %llu ms",
			 (int)t->id, late / NSEC_PER_MSEC,
			 pause / NSEC_PER_MSEC);
}

int main(int argc, char **argv)
{
	struct rlimit limit = { 2 * TIMERS, 2 * TIMERS };
	struct moment real, boot;
	u64 missed = 0;
	int epoll, i;

	work_init("overdue");
	work_options(argc, argv, "overdue run [options]",
		     "Sets timers that fall due while the machine moves.", opts);
	setrlimit(RLIMIT_NOFILE, &limit);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die_errno("epoll");
	real = moment(CLOCK_REALTIME);
	boot = moment(CLOCK_BOOTTIME);
	set_timers(epoll);
	work_ready();
	while (!work_wait(0))
		collect(epoll, 20);
	collect(epoll, 0);
	for (i = 0; i < TIMERS; i++)
		judge(&timers[i], timers[i].id == CLOCK_BOOTTIME ? boot : real,
		      &missed);
	return work_verdict("timers=%d overdue=%llu", TIMERS, missed);
}
