/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A serial line as a plain stream of bytes to an observer outside.
 */
#ifndef PMSM_TESTS_GUEST_SERIAL_H
#define PMSM_TESTS_GUEST_SERIAL_H

#include "work.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

static inline int open_line(const char *path, int flags)
{
	struct termios t;
	int fd = open(path, flags | O_NOCTTY);

	if (fd < 0)
		die_errno("cannot open %s", path);
	if (!isatty(fd))
		return fd;
	if (tcgetattr(fd, &t))
		die_errno("cannot read the settings of %s", path);
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	/* Nobody drives the modem lines: do not wait for them. */
	t.c_cflag |= CLOCAL;
	t.c_cflag &= ~(CRTSCTS | HUPCL);
	if (tcsetattr(fd, TCSANOW, &t))
		die_errno("cannot change the settings of %s", path);
	return fd;
}

#endif
