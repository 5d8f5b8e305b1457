/* SPDX-License-Identifier: GPL-2.0 */
/* The part of ipc about processes: stopped, zombie, and their attributes. */
#ifndef PMSM_TESTS_GUEST_IPC_PROC_H
#define PMSM_TESTS_GUEST_IPC_PROC_H

#include "ipc.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#endif

static struct {
	pid_t stopped, untold, zombie, member;
	int pidfd;		/* of member; -1 if the kernel has none */
} tree;

static void stop_yourself(void)
{
	raise(SIGSTOP);
	_exit(7);
}

/* What a process has and must keep. */
struct attrs {
	pid_t pid, ppid, sid, pgid;
	mode_t mask;
	int nice, death;
	struct rlimit files;
	char name[16], cwd[PATH_MAX];
	sigset_t blocked;
};

static void get_attrs(struct attrs *a)
{
	/* Compared as a whole, so no byte may be left to chance. */
	memset(a, 0, sizeof(*a));
	a->pid = syscall(SYS_getpid);
	a->ppid = getppid();
	a->sid = getsid(0);
	a->pgid = getpgrp();
	a->mask = umask(0);
	umask(a->mask);
	a->nice = getpriority(PRIO_PROCESS, 0);
	getrlimit(RLIMIT_NOFILE, &a->files);
	prctl(PR_GET_NAME, a->name);
	prctl(PR_GET_PDEATHSIG, &a->death);
	sigprocmask(SIG_BLOCK, NULL, &a->blocked);
	if (!getcwd(a->cwd, sizeof(a->cwd)))
		die_errno("tree: cannot get the working directory");
}

static void be_member(void)
{
	struct rlimit files = { 123, 456 };
	struct attrs before, after;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	umask(027);
	prctl(PR_SET_NAME, "ipc-member");
	if (setsid() < 0 || chdir(ipc_dir) || nice(5) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &files))
		die_errno("tree: cannot set the attributes");
	get_attrs(&before);
	while (!work_wait(10000))
		;
	get_attrs(&after);
	if (memcmp(&before, &after, sizeof(before)))
		die("tree: pid %d (was %d) parent %d (%d) session %d (%d) nice %d mask %o %s",
		    (int)after.pid, (int)before.pid, (int)after.ppid,
		    (int)before.ppid, (int)after.sid, (int)before.sid,
		    after.nice, after.mask, after.name);
}

static void wait_state(pid_t pid, char state)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (work_proc_state(pid) == state)
			return;
		sleep_ms(10);
	}
	die("tree: process %d is in state %c, not %c", (int)pid,
	    work_proc_state(pid), state);
}

static pid_t stopped_child(void)
{
	pid_t pid = work_fork();

	if (!pid)
		stop_yourself();
	wait_state(pid, 'T');
	return pid;
}

static void tree_setup(void)
{
	int status;

	tree.stopped = stopped_child();
	if (waitpid(tree.stopped, &status, WUNTRACED) != tree.stopped ||
	    !WIFSTOPPED(status))
		die("tree: the child is not stopped");
	tree.untold = stopped_child();
	tree.zombie = work_fork();
	if (!tree.zombie)
		_exit(42);
	wait_state(tree.zombie, 'Z');
	tree.member = actor(be_member);
	tree.pidfd = syscall(SYS_pidfd_open, tree.member, 0);
}

static void expect_state(pid_t pid, char want, const char *what)
{
	char found = work_proc_state(pid);

	if (found != want)
		work_bad("tree: %s (pid %d) is in state %c, expected %c", what,
			 (int)pid, found ? found : '-', want);
}

/* What waitpid() tells must be just this, and now. */
static void expect_status(pid_t pid, int flags, int want, const char *what)
{
	int status = -1, tries;
	pid_t ret = 0;

	for (tries = 0; tries < 1000 && !ret; tries++) {
		ret = waitpid(pid, &status, flags | WNOHANG);
		if (!ret)
			sleep_ms(10);
	}
	if (ret != pid || status != want)
		work_bad("tree: %s: waitpid gave %d, status 0x%x, expected 0x%x",
			 what, (int)ret, status, want);
}

static void verify_stopped(void)
{
	int status;

	expect_state(tree.stopped, 'T', "stopped child");
	expect_state(tree.untold, 'T', "other stopped child");
	/* This stop was told before the move, the other one was not. */
	if (waitpid(tree.stopped, &status, WUNTRACED | WNOHANG))
		work_bad("tree: the stop is told twice, status 0x%x", status);
	expect_status(tree.untold, WUNTRACED, W_STOPCODE(SIGSTOP),
		      "stop told late");
	kill(tree.stopped, SIGCONT);
	expect_status(tree.stopped, 0, W_EXITCODE(7, 0), "stopped child");
	kill(tree.untold, SIGKILL);
	expect_status(tree.untold, 0, SIGKILL, "killed child");
}

static void tree_verify(void)
{
	verify_stopped();
	expect_state(tree.zombie, 'Z', "zombie");
	expect_status(tree.zombie, 0, W_EXITCODE(42, 0), "zombie");
	work_check_waiting(tree.member, "tree: member");
	if (getpgid(tree.member) != tree.member)
		work_bad("tree: process group %d, expected %d",
			 (int)getpgid(tree.member), (int)tree.member);
	if (tree.pidfd >= 0)
		expect_nothing(tree.pidfd, "tree: pidfd");
	kill(tree.member, CHILD_STOP);
	if (tree.pidfd >= 0)
		expect_soon(tree.pidfd, "tree: pidfd");
	work_reap(tree.member, "tree: member");
}

#endif
