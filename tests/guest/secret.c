// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a page of secret memory until it is killed.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int main(void)
{
	long size = sysconf(_SC_PAGESIZE);
	char *page;
	int fd;

	fd = syscall(SYS_memfd_secret, 0);
	if (fd < 0 || ftruncate(fd, size)) {
		perror("memfd_secret");
		return 1;
	}
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	/* Only a page that was touched is there */
	*page = 1;
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}
