// SPDX-License-Identifier: GPL-2.0
/*
 * Moves the machine with the N-th call failing that fault injection can make
 * fail (Documentation/fault-injection/fault-injection.rst, "fail-nth"):
 *
 *	failnth N
 *
 * Prints the errno of the attempt and how many calls were missing to the N-th.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_or_exit(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

int main(int argc, char **argv)
{
	int state = open_or_exit("/sys/power/state", O_WRONLY);
	int nth = open_or_exit("/proc/thread-self/fail-nth", O_RDWR);
	char left[16] = "";
	int error = 0;

	if (argc != 2 || write(nth, argv[1], strlen(argv[1])) < 0) {
		perror("fail-nth");
		return 2;
	}
	if (write(state, "pmsm", 4) < 0)
		error = errno;
	if (pread(nth, left, sizeof(left) - 1, 0) < 0)
		perror("fail-nth");
	if (write(nth, "0", 1) < 0)
		perror("fail-nth");
	printf("error=%d left=%d\n", error, atoi(left));
	return 0;
}
