// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps all processors busy, one pinned thread each, with chains of numbers in
 * which one wrong bit anywhere spoils all that follows.
 *
 * The chains are linear congruential generators: their state after n steps can
 * also be computed in log(n) steps, so that the verdict need not wait for as
 * long as the program has run.
 */
#include "work.h"

#include <pthread.h>
#include <sched.h>

#define LANES		4
#define BLOCK		65536

struct hog {
	pthread_t thread;
	int cpu;
	u64 first[LANES];
	u64 last[LANES];
	u64 steps;
	u64 strays;		/* blocks which ended on another processor */
};

static u64 threads, seed = 1, duty = 100;
static bool stopping;

static const struct work_opt opts[] = {
	{ "threads", "N", "threads (0: one for each processor)",
	  .num = &threads, .max = 4096 },
	{ "seed", "S", "seed of the chains", .num = &seed },
	{ "duty", "PCT", "share of the time to compute", .num = &duty,
	  .max = 100 },
	{ }
};

/* Known good multipliers; any odd increment will do. */
static const u64 mult[LANES] = {
	0x5851f42d4c957f2dULL, 0x2c6fe96ee78b6955ULL,
	0x369dea0f31a53f85ULL, 0xd1342543de82ef95ULL,
};

static u64 increment(unsigned int lane)
{
	return splitmix64(seed + lane) | 1;
}

static void compute_block(u64 *x)
{
	u64 a = x[0], b = x[1], c = x[2], d = x[3];
	const u64 ia = increment(0), ib = increment(1);
	const u64 ic = increment(2), id = increment(3);
	unsigned int i;

	for (i = 0; i < BLOCK; i++) {
		a = a * mult[0] + ia;
		b = b * mult[1] + ib;
		c = c * mult[2] + ic;
		d = d * mult[3] + id;
	}
	x[0] = a;
	x[1] = b;
	x[2] = c;
	x[3] = d;
}

/* @n steps at once: squares the step, like a power by repeated squaring. */
static u64 jump(u64 x, u64 n, unsigned int lane)
{
	u64 m = mult[lane], inc = increment(lane);

	for (; n; n >>= 1) {
		if (n & 1)
			x = x * m + inc;
		inc *= m + 1;
		m *= m;
	}
	return x;
}

static void pin(const struct hog *h)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(h->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die_errno("cannot run on processor %d", h->cpu);
}

static void check_pinned(const struct hog *h)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die_errno("cannot ask for the affinity");
	if (CPU_COUNT(&set) != 1 || !CPU_ISSET(h->cpu, &set))
		work_bad("processor %d: the thread is not bound to it any more",
			 h->cpu);
	if (h->strays)
		work_bad("processor %d: %llu of %llu blocks ran elsewhere",
			 h->cpu, h->strays, h->steps / BLOCK);
}

static void *hog(void *arg)
{
	struct hog *h = arg;
	u64 start;

	pin(h);
	while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
		start = now_ns();
		compute_block(h->last);
		h->steps += BLOCK;
		h->strays += sched_getcpu() != h->cpu;
		if (duty && duty < 100) {
			struct timespec t = to_timespec((now_ns() - start) *
							(100 - duty) / duty);

			nanosleep(&t, NULL);
		}
	}
	check_pinned(h);
	return NULL;
}

/* The @n-th of the processors this process may use. */
static int nth_cpu(u64 n)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		die_errno("cannot ask for the affinity");
	n %= CPU_COUNT(&set);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && !n--)
			break;
	return cpu;
}

static void start_hog(struct hog *h, u64 n)
{
	unsigned int i;
	int err;

	h->cpu = nth_cpu(n);
	for (i = 0; i < LANES; i++) {
		h->first[i] = splitmix64(seed ^ splitmix64(n * LANES + i));
		h->last[i] = h->first[i];
	}
	err = pthread_create(&h->thread, NULL, hog, h);
	if (err)
		die("cannot start a thread: %s", strerror(err));
}

static void check(struct hog *h, u64 n)
{
	unsigned int i;
	u64 want;

	pthread_join(h->thread, NULL);
	for (i = 0; i < LANES; i++) {
		want = jump(h->first[i], h->steps, i);
		if (h->last[i] != want)
			work_bad("thread %llu chain %u, %llu steps: found %llx, expected %llx",
				 n, i, h->steps, h->last[i], want);
	}
}

int main(int argc, char **argv)
{
	u64 n, steps = 0;
	struct hog *hogs;

	work_init("cpuhog");
	work_options(argc, argv, "cpuhog run [options]",
		     "Computes on all processors.", opts);
	if (!threads)
		threads = sysconf(_SC_NPROCESSORS_ONLN);
	hogs = xmalloc(threads * sizeof(*hogs));
	for (n = 0; n < threads; n++)
		start_hog(&hogs[n], n);
	work_ready();
	while (!work_wait(10000))
		;
	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	for (n = 0; n < threads; n++) {
		check(&hogs[n], n);
		steps += hogs[n].steps;
	}
	return work_verdict("threads=%llu steps=%llu", threads, steps);
}
