// SPDX-License-Identifier: GPL-2.0
/*
 * Writes one byte to a serial line every 2 ms for ever, so that an observer
 * outside of the machine can tell for how long the machine stood still.
 */
#include "serial.h"
#include "work.h"

#include <sched.h>

static u64 period_us = 2000;
static u64 plain;

static const struct work_opt opts[] = {
	{ "us", "N", "microseconds of sleep between two bytes",
	  .num = &period_us, .max = 1000000000 },
	{ "normal", NULL, "do not become a real-time process", .num = &plain },
	{ }
};

/*
 * The machine is to be observed, not how its scheduler shares the processor
 * among busy processes.
 */
static void become_realtime(void)
{
	struct sched_param param = { .sched_priority = 50 };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		fprintf(stderr, "not a real-time process: %s\n",
			strerror(errno));
}

/*
 * The bytes run from '0' to 'o' again and again, so that lost and repeated
 * ones can be told.  When the line takes no byte, the tick is dropped: to
 * deliver it late would be a lie.
 */
static void tick(int fd, const char *path)
{
	const struct timespec period = to_timespec(period_us * 1000);
	int told = 0;
	u64 n = 0;
	char c;

	for (;;) {
		c = '0' + n % 64;
		if (write(fd, &c, 1) == 1) {
			n++;
			told = 0;
		} else if (errno != EAGAIN && errno != EINTR && told != errno) {
			told = errno;
			fprintf(stderr, "%s: cannot write to %s: %s\n",
				work.name, path, strerror(errno));
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL);
	}
}

int main(int argc, char **argv)
{
	const char *path = "/dev/ttyS2";
	int fd;

	work_init("tick");
	if (work_options(argc, argv, "tick run [DEVICE] [options]",
			 "Writes bytes to DEVICE (default /dev/ttyS2) until killed.",
			 opts))
		path = argv[0];
	/* There is nothing to verify: SIGUSR1 just ends it. */
	sigprocmask(SIG_UNBLOCK, &work.stop_set, NULL);
	fd = open_line(path, O_WRONLY | O_NONBLOCK);
	if (!plain)
		become_realtime();
	work_ready();
	tick(fd, path);
}
