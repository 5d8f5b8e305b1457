// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the frequency of this host's time stamp counter in kHz.  QEMU's machines
 * see the same counter, but a kernel that finds out for itself while the host is
 * busy may be wrong by far.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES	20

/* A moment by both clocks, the closest of some tries */
static void both(unsigned long long *ns, unsigned long long *cycles)
{
	unsigned long long before, after, best = ~0ULL;
	struct timespec now;
	int i;

	for (i = 0; i < TRIES; i++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		*cycles = before + best / 2;
		*ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	}
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	unsigned long long ns[2], cycles[2];

	both(&ns[0], &cycles[0]);
	nanosleep(&pause, NULL);
	both(&ns[1], &cycles[1]);
	printf("%.0f\n", (cycles[1] - cycles[0]) * 1e6 / (ns[1] - ns[0]));
	return 0;
}
