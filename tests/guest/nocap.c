// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command as root without CAP_SYS_ADMIN: nocap COMMAND...
 */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: nocap COMMAND...\n", stderr);
		return 2;
	}
	/* What is not in the bounding set is not regained by exec */
	if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)) {
		perror("prctl");
		return 2;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 2;
}
