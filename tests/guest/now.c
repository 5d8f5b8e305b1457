// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the time: answers each byte from a serial line with the clocks, in
 * nanoseconds, so that an observer outside can compare them with his own.
 */
#include "serial.h"
#include "work.h"

int main(int argc, char **argv)
{
	char line[200];
	int fd;
	char c;

	work_init("now");
	if (argc != 2)
		die("usage: now DEVICE");
	fd = open_line(argv[1], O_RDWR);
	while (read(fd, &c, 1) == 1) {
		snprintf(line, sizeof(line), "%llu %llu %llu\n",
			 clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC),
			 clock_ns(CLOCK_BOOTTIME));
		if (write(fd, line, strlen(line)) < 0)
			die_errno("cannot write to %s", argv[1]);
	}
	die_errno("cannot read from %s", argv[1]);
}
