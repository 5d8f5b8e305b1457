// SPDX-License-Identifier: GPL-2.0
/*
 * Processes which talk to each other and wait in all the ways there are; after
 * the move each of them must go on as if nothing had happened.
 */
#include "ipc.h"
#include "ipc_chan.h"
#include "ipc_proc.h"
#include "ipc_sync.h"
#include "ipc_time.h"

struct item {
	const char *name;
	void (*setup)(void);
	void (*verify)(void);
	void (*clean)(void);
};

/* More than the sum of all waits of an item. */
#define WATCHDOG_S	150

static const char *only, *skip, *verifying;

static const struct work_opt opts[] = {
	{ "only", "A,B", "do only these items", .str = &only },
	{ "skip", "A,B", "leave out these items", .str = &skip },
	{ "dir", "DIR", "where inotify watches", .str = &ipc_dir },
	{ }
};

/*
 * The timers come last, not to fire before all is ready.  But the signals
 * which they use are blocked in all children, which does no harm.
 */
static const struct item items[] = {
	{ "pipe", pipe_setup, pipe_verify, NULL },
	{ "socket", socket_setup, socket_verify, NULL },
	{ "pty", pty_setup, pty_verify, NULL },
	{ "sysv", sysv_setup, sysv_verify, sysv_clean },
	{ "posix", posix_setup, posix_verify, posix_clean },
	{ "futex", futex_setup, futex_verify, NULL },
	{ "eventfd", event_setup, event_verify, NULL },
	{ "epoll", epoll_setup, epoll_verify, NULL },
	{ "inotify", watch_setup, watch_verify, watch_clean },
	{ "tree", tree_setup, tree_verify, NULL },
	{ "signalfd", signal_setup, signal_verify, NULL },
	{ "sleep", sleep_setup, sleep_verify, NULL },
	{ "itimer", itimer_setup, itimer_verify, NULL },
	{ "timer", ptimer_setup, ptimer_verify, NULL },
	{ "timerfd", timerfd_setup, timerfd_verify, NULL },
};

/* Is @name one of the comma-separated words of @list? */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list) {
		if (!strncmp(list, name, len) &&
		    (!list[len] || list[len] == ','))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

static bool wanted(const struct item *i)
{
	return only ? listed(only, i->name) : !listed(skip, i->name);
}

/* System V and POSIX objects outlive the process, whatever its end. */
static void clean_up(void)
{
	const struct item *i;

	for (i = items; i < items + ARRAY_SIZE(items); i++)
		if (wanted(i) && i->clean)
			i->clean();
}

/* A lock which is never given must not hang the program. */
static void on_watchdog(int sig)
{
	(void)sig;
	die("%s: the verification hangs", verifying);
}

static u64 verify_all(void)
{
	const struct item *i;
	u64 done = 0;

	signal(SIGALRM, on_watchdog);
	for (i = items; i < items + ARRAY_SIZE(items); i++) {
		if (!wanted(i))
			continue;
		verifying = i->name;
		alarm(WATCHDOG_S);
		i->verify();
		done++;
	}
	alarm(0);
	return done;
}

int main(int argc, char **argv)
{
	const struct item *i;
	u64 done;

	work_init("ipc");
	if (work_options(argc, argv, "ipc run [options]",
			 "Items: pipe socket pty sysv posix futex eventfd epoll inotify\n"
			 "tree signalfd sleep itimer timer timerfd.", opts))
		die("%s: no such argument (try --help)", argv[0]);
	ipc = xshared(sizeof(*ipc));
	for (i = items; i < items + ARRAY_SIZE(items); i++)
		if (wanted(i))
			i->setup();
	work_ready();
	while (!work_wait(10000))
		;
	done = verify_all();
	clean_up();
	return work_verdict("items=%llu timers_fired=%llu eintr=%llu", done,
			    shots_fired, ipc->eintr);
}
