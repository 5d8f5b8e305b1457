// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the clocks all the time, on all processors in turn and both through
 * the vDSO and by system calls: none may go back, and the longest gap of each
 * says for how long the machine stood still by that clock.
 */
#include "work.h"

#include <sched.h>
#include <sys/syscall.h>

struct clock {
	clockid_t id;
	const char *name;
	bool may_step;		/* it may be set, so it may go back */
	u64 last;
	u64 gap;
	u64 back;		/* largest step back */
	u64 backs;
};

static u64 period = 5, max_gap, strict;

static const struct work_opt opts[] = {
	{ "period", "MS", "time between two samples", .num = &period,
	  .max = 60000 },
	{ "max-gap", "MS", "fail if MONOTONIC has a longer gap (0: any)",
	  .num = &max_gap },
	{ "strict", NULL, "fail if REALTIME goes back, too", .num = &strict },
	{ }
};

enum { MONO, BOOT, REAL, RAW, COARSE };

static struct clock clocks[] = {
	[MONO] = { CLOCK_MONOTONIC, "MONOTONIC" },
	[BOOT] = { CLOCK_BOOTTIME, "BOOTTIME" },
	[REAL] = { CLOCK_REALTIME, "REALTIME", .may_step = true },
	[RAW] = { CLOCK_MONOTONIC_RAW, "MONOTONIC_RAW" },
	[COARSE] = { CLOCK_MONOTONIC_COARSE, "MONOTONIC_COARSE" },
};

/* By the system call: the vDSO may have another idea of the time. */
static u64 clock_ns_syscall(clockid_t id)
{
	struct timespec t;

	if (syscall(SYS_clock_gettime, id, &t))
		die_errno("cannot read clock %d", (int)id);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static void went_back(struct clock *c, u64 now, const char *how)
{
	u64 by = c->last - now;

	c->backs++;
	if (by > c->back)
		c->back = by;
	if (!c->may_step || strict)
		work_bad("%s by %s went back %llu ns from %llu", c->name, how,
			 by, c->last);
}

static void note(struct clock *c, u64 now, const char *how)
{
	if (now < c->last)
		went_back(c, now, how);
	else if (c->last && now - c->last > c->gap)
		c->gap = now - c->last;
	c->last = now;
}

static void sample(void)
{
	struct clock *c;

	for (c = clocks; c < clocks + ARRAY_SIZE(clocks); c++) {
		note(c, clock_ns(c->id), "vDSO");
		note(c, clock_ns_syscall(c->id), "system call");
		note(c, clock_ns(c->id), "vDSO");
	}
}

/* A processor which is not there (any more) is no concern of this test. */
static void next_cpu(void)
{
	static int cpu;
	int n = sysconf(_SC_NPROCESSORS_CONF);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu++ % (n > 0 ? n : 1), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* By how much two clocks have moved against each other, signed. */
static s64 apart(const struct clock *a, const struct clock *b)
{
	return a->last - b->last;
}

static void keep_larger(s64 *largest, s64 step)
{
	if (llabs(step) > llabs(*largest))
		*largest = step;
}

static u64 ms(u64 ns)
{
	return ns / NSEC_PER_MSEC;
}

static s64 signed_ms(s64 ns)
{
	return ns / (s64)NSEC_PER_MSEC;
}

int main(int argc, char **argv)
{
	s64 boot_mono, real_boot, boot_step = 0, real_step = 0;
	u64 samples = 0;
	char steps[120];

	work_init("clocks");
	work_options(argc, argv, "clocks run [options]",
		     "Reads clocks which must not go back.", opts);
	sample();
	work_ready();
	while (!work_wait(period)) {
		boot_mono = apart(&clocks[BOOT], &clocks[MONO]);
		real_boot = apart(&clocks[REAL], &clocks[BOOT]);
		next_cpu();
		sample();
		samples++;
		keep_larger(&boot_step,
			    apart(&clocks[BOOT], &clocks[MONO]) - boot_mono);
		keep_larger(&real_step,
			    apart(&clocks[REAL], &clocks[BOOT]) - real_boot);
	}
	if (max_gap && ms(clocks[MONO].gap) > max_gap)
		work_bad("MONOTONIC has a gap of %llu ms",
			 ms(clocks[MONO].gap));
	snprintf(steps, sizeof(steps),
		 "boot_step_ms=%lld real_step_ms=%lld real_backs=%llu",
		 signed_ms(boot_step), signed_ms(real_step),
		 clocks[REAL].backs);
	return work_verdict("samples=%llu mono_gap_ms=%llu boot_gap_ms=%llu real_gap_ms=%llu %s",
			    samples, ms(clocks[MONO].gap), ms(clocks[BOOT].gap),
			    ms(clocks[REAL].gap), steps);
}
