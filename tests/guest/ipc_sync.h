/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of ipc about memory and waiting for each other: System V and POSIX
 * objects, futexes, eventfd, epoll, inotify.
 */
#ifndef PMSM_TESTS_GUEST_IPC_SYNC_H
#define PMSM_TESTS_GUEST_IPC_SYNC_H

#include "ipc.h"

#include <mqueue.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define SHM_BYTES	65536

/* System V: memory, a semaphore with a waiter, a queue with messages. */

struct text_msg {
	long type;
	char text[32];
};

static struct {
	int shm, sem, msg;
	u8 *mem;
	pid_t waiter;
} sysv;

/* Takes 2 from semaphore 0, which has 1. */
static void sysv_waiter(void)
{
	struct sembuf op = { .sem_num = 0, .sem_op = -2 };

	while (semop(sysv.sem, &op, 1))
		if (!interrupted())
			die_errno("sysv: waiting semop");
	if (pattern_check(sysv.mem, SHM_BYTES, 21, 0) != SHM_BYTES)
		die("sysv: the waiter sees other shared memory");
}

static void sysv_setup(void)
{
	struct text_msg a = { 5, "five" }, b = { 3, "three" };

	sysv.shm = shmget(IPC_PRIVATE, SHM_BYTES, IPC_CREAT | 0600);
	sysv.sem = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	sysv.msg = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (sysv.shm < 0 || sysv.sem < 0 || sysv.msg < 0)
		die_errno("sysv: cannot make the objects");
	sysv.mem = shmat(sysv.shm, NULL, 0);
	if (sysv.mem == (void *)-1)
		die_errno("sysv: cannot attach the memory");
	pattern_fill(sysv.mem, SHM_BYTES, 20, 0);
	if (semctl(sysv.sem, 0, SETVAL, 1) || semctl(sysv.sem, 2, SETVAL, 7))
		die_errno("sysv: cannot set the semaphores");
	if (msgsnd(sysv.msg, &a, sizeof(a.text), 0) ||
	    msgsnd(sysv.msg, &b, sizeof(b.text), 0))
		die_errno("sysv: cannot send messages");
	sysv.waiter = actor(sysv_waiter);
}

static void expect_sem(int number, int cmd, int want, const char *what)
{
	int n = semctl(sysv.sem, number, cmd);

	if (n != want)
		work_bad("sysv: semaphore %d: %s is %d, expected %d", number,
			 what, n, want);
}

static void expect_msg(long type, const char *want)
{
	struct text_msg m = { 0 };

	if (msgrcv(sysv.msg, &m, sizeof(m.text), type, IPC_NOWAIT) < 0)
		work_bad("sysv: no message of type %ld: %s", type,
			 strerror(errno));
	else if (strcmp(m.text, want))
		work_bad("sysv: message of type %ld is \"%s\"", type, m.text);
}

static void sysv_verify(void)
{
	struct sembuf op = { .sem_num = 0, .sem_op = 1 };

	work_check_waiting(sysv.waiter, "sysv: waiter");
	if (pattern_check(sysv.mem, SHM_BYTES, 20, 0) != SHM_BYTES)
		work_bad("sysv: the shared memory is damaged");
	expect_msg(3, "three");
	expect_msg(5, "five");
	expect_sem(0, GETVAL, 1, "value");
	expect_sem(0, GETNCNT, 1, "number of waiters");
	expect_sem(2, GETVAL, 7, "value");
	pattern_fill(sysv.mem, SHM_BYTES, 21, 0);
	if (semop(sysv.sem, &op, 1))
		work_bad("sysv: semop: %s", strerror(errno));
	work_reap(sysv.waiter, "sysv: waiter");
	expect_sem(0, GETVAL, 0, "value");
}

static void sysv_clean(void)
{
	shmctl(sysv.shm, IPC_RMID, NULL);
	semctl(sysv.sem, 0, IPC_RMID);
	msgctl(sysv.msg, IPC_RMID, NULL);
}

/* POSIX: named memory, a queue with messages, a queue with a waiter. */

static struct {
	char shm_name[32], mq_name[32], wait_name[32];
	u8 *mem;
	mqd_t mq, wait;
	pid_t waiter;
} posix;

static void posix_waiter(void)
{
	char text[64];
	unsigned int prio;

	while (mq_receive(posix.wait, text, sizeof(text), &prio) < 0)
		if (!interrupted())
			die_errno("posix: waiting mq_receive");
	if (strcmp(text, "wake up") || prio != 9)
		die("posix: waiter got \"%s\" of priority %u", text, prio);
	if (pattern_check(posix.mem, SHM_BYTES, 31, 0) != SHM_BYTES)
		die("posix: the waiter sees other shared memory");
}

static mqd_t open_mq(const char *name)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 64 };
	mqd_t mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);

	if (mq < 0)
		die_errno("posix: cannot make the queue %s", name);
	return mq;
}

static u8 *map_shm(int flags)
{
	int fd = shm_open(posix.shm_name, O_RDWR | flags, 0600);
	u8 *p;

	if (fd < 0 || (flags && ftruncate(fd, SHM_BYTES)))
		die_errno("posix: cannot open the memory %s", posix.shm_name);
	p = mmap(NULL, SHM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die_errno("posix: cannot map %s", posix.shm_name);
	close(fd);
	return p;
}

static void posix_setup(void)
{
	int pid = getpid();

	/* On a tiny initramfs it may be missing; any directory does. */
	mkdir("/dev/shm", 01777);
	snprintf(posix.shm_name, sizeof(posix.shm_name), "/pmsm-%d", pid);
	snprintf(posix.mq_name, sizeof(posix.mq_name), "/pmsm-a%d", pid);
	snprintf(posix.wait_name, sizeof(posix.wait_name), "/pmsm-b%d", pid);
	posix.mem = map_shm(O_CREAT | O_EXCL);
	pattern_fill(posix.mem, SHM_BYTES, 30, 0);
	posix.mq = open_mq(posix.mq_name);
	posix.wait = open_mq(posix.wait_name);
	if (mq_send(posix.mq, "low", 4, 1) || mq_send(posix.mq, "high", 5, 8))
		die_errno("posix: cannot send messages");
	posix.waiter = actor(posix_waiter);
}

static void expect_mq(const char *want, unsigned int want_prio)
{
	struct timespec soon = to_timespec(clock_ns(CLOCK_REALTIME) +
					   NSEC_PER_SEC);
	unsigned int prio = 0;
	char text[64] = "";

	if (mq_timedreceive(posix.mq, text, sizeof(text), &prio, &soon) < 0)
		work_bad("posix: no message \"%s\": %s", want, strerror(errno));
	else if (strcmp(text, want) || prio != want_prio)
		work_bad("posix: message \"%s\" of priority %u, expected \"%s\" of %u",
			 text, prio, want, want_prio);
}

static void posix_verify(void)
{
	u8 *again = map_shm(0);

	work_check_waiting(posix.waiter, "posix: waiter");
	if (pattern_check(posix.mem, SHM_BYTES, 30, 0) != SHM_BYTES)
		work_bad("posix: the shared memory is damaged");
	pattern_fill(posix.mem, SHM_BYTES, 31, 0);
	if (pattern_check(again, SHM_BYTES, 31, 0) != SHM_BYTES)
		work_bad("posix: by its name, the shared memory is another");
	expect_mq("high", 8);
	expect_mq("low", 1);
	if (mq_send(posix.wait, "wake up", 8, 9))
		work_bad("posix: mq_send: %s", strerror(errno));
	work_reap(posix.waiter, "posix: waiter");
}

static void posix_clean(void)
{
	shm_unlink(posix.shm_name);
	mq_unlink(posix.mq_name);
	mq_unlink(posix.wait_name);
}

/* Futexes: a condition, robust and priority-inheriting mutexes. */

struct locks {
	pthread_mutex_t mutex, robust, pi;
	pthread_cond_t cond;
	u32 go;
};

static struct {
	struct locks *l;
	pid_t cond_waiter, thread_waiter;
	pid_t robust_holder, robust_waiter, pi_holder, pi_waiter;
} futex;

static void check(int err, const char *what)
{
	if (err)
		die("futex: %s: %s", what, strerror(err));
}

static void init_mutex(pthread_mutex_t *m, bool robust, bool pi)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	if (robust)
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (pi)
		pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	check(pthread_mutex_init(m, &a), "cannot make a mutex");
}

static void wait_for_go(struct locks *l)
{
	check(pthread_mutex_lock(&l->mutex), "lock of condition");
	while (!l->go)
		check(pthread_cond_wait(&l->cond, &l->mutex), "condition");
	check(pthread_mutex_unlock(&l->mutex), "unlock of condition");
}

static void give_go(struct locks *l)
{
	check(pthread_mutex_lock(&l->mutex), "lock of condition");
	l->go = 1;
	check(pthread_cond_broadcast(&l->cond), "broadcast");
	check(pthread_mutex_unlock(&l->mutex), "unlock of condition");
}

static void cond_waiter(void)
{
	wait_for_go(futex.l);
}

static void *private_waiter(void *arg)
{
	wait_for_go(arg);
	return NULL;
}

/* The same between the threads of one process, so with private futexes. */
static void thread_waiter(void)
{
	struct locks own = {
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};
	pthread_t thread;

	check(pthread_create(&thread, NULL, private_waiter, &own), "thread");
	while (!work_wait(10000))
		;
	give_go(&own);
	check(pthread_join(thread, NULL), "join");
}

static void robust_holder(void)
{
	check(pthread_mutex_lock(&futex.l->robust), "robust lock");
	for (;;)
		pause();
}

static void robust_waiter(void)
{
	int err = pthread_mutex_lock(&futex.l->robust);

	if (err != EOWNERDEAD)
		die("futex: robust lock gave %d (%s), expected EOWNERDEAD",
		    err, strerror(err));
	check(pthread_mutex_consistent(&futex.l->robust), "consistent");
	check(pthread_mutex_unlock(&futex.l->robust), "robust unlock");
}

static void pi_holder(void)
{
	check(pthread_mutex_lock(&futex.l->pi), "PI lock");
	while (!work_wait(10000))
		;
	check(pthread_mutex_unlock(&futex.l->pi), "PI unlock");
}

static void pi_waiter(void)
{
	check(pthread_mutex_lock(&futex.l->pi), "waiting PI lock");
	check(pthread_mutex_unlock(&futex.l->pi), "PI unlock");
}

static void futex_setup(void)
{
	pthread_condattr_t a;

	futex.l = xshared(sizeof(*futex.l));
	init_mutex(&futex.l->mutex, false, false);
	init_mutex(&futex.l->robust, true, false);
	init_mutex(&futex.l->pi, false, true);
	pthread_condattr_init(&a);
	pthread_condattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	check(pthread_cond_init(&futex.l->cond, &a), "cannot make a condition");
	futex.cond_waiter = actor(cond_waiter);
	futex.thread_waiter = actor(thread_waiter);
	futex.robust_holder = actor(robust_holder);
	futex.robust_waiter = actor(robust_waiter);
	futex.pi_holder = actor(pi_holder);
	futex.pi_waiter = actor(pi_waiter);
}

static void expect_locked(pthread_mutex_t *m, const char *what)
{
	int err = pthread_mutex_trylock(m);

	if (err != EBUSY)
		work_bad("futex: %s lock: trylock gave %d, expected EBUSY",
			 what, err);
}

static void futex_verify(void)
{
	int status;

	work_check_waiting(futex.cond_waiter, "futex: condition waiter");
	work_check_waiting(futex.thread_waiter, "futex: process of threads");
	work_check_waiting(futex.robust_waiter, "futex: robust waiter");
	work_check_waiting(futex.pi_waiter, "futex: PI waiter");
	expect_locked(&futex.l->robust, "robust");
	expect_locked(&futex.l->pi, "PI");
	give_go(futex.l);
	work_reap(futex.cond_waiter, "futex: condition waiter");
	kill(futex.thread_waiter, CHILD_STOP);
	work_reap(futex.thread_waiter, "futex: process of threads");
	kill(futex.robust_holder, SIGKILL);
	waitpid(futex.robust_holder, &status, 0);
	work_reap(futex.robust_waiter, "futex: robust waiter");
	kill(futex.pi_holder, CHILD_STOP);
	work_reap(futex.pi_holder, "futex: PI holder");
	work_reap(futex.pi_waiter, "futex: PI waiter");
}

/* eventfd: a count, and a waiter. */

static struct {
	int count, wait;
	pid_t waiter;
} event;

static int xeventfd(unsigned int count)
{
	int fd = eventfd(count, EFD_CLOEXEC);

	if (fd < 0)
		die_errno("cannot make an eventfd");
	return fd;
}

static void expect_count(int fd, u64 want)
{
	u64 n = 0;

	xread(fd, &n, sizeof(n), "eventfd");
	if (n != want)
		die("eventfd: count %llu, expected %llu", n, want);
}

static void event_waiter(void)
{
	expect_count(event.wait, 99);
}

static void event_setup(void)
{
	event.count = xeventfd(5);
	event.wait = xeventfd(0);
	event.waiter = actor(event_waiter);
}

static void event_verify(void)
{
	u64 n = 99;

	work_check_waiting(event.waiter, "eventfd: waiter");
	if (expect_soon(event.count, "eventfd"))
		expect_count(event.count, 5);
	expect_nothing(event.count, "eventfd");
	xwrite(event.wait, &n, sizeof(n), "eventfd");
	work_reap(event.waiter, "eventfd: waiter");
}

/* epoll: one waiter for level, edge, and one-shot. */

static struct {
	int ep, level, edge[2], once, ack;
	pid_t waiter;
} poller;

static void add_to_epoll(int fd, u32 events, u64 data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	if (epoll_ctl(poller.ep, EPOLL_CTL_ADD, fd, &e))
		die_errno("epoll: cannot add descriptor %d", fd);
}

static void expect_event(u64 want)
{
	struct epoll_event e[4] = { 0 };
	int n;

	do {
		n = epoll_wait(poller.ep, e, 4, -1);
	} while (n < 0 && interrupted());
	if (n != 1 || e[0].data.u64 != want)
		die("epoll: %d events, first is %llx, expected one, %llx", n,
		    (u64)e[0].data.u64, want);
}

/* Nobody reads the data: the edge must not come again, the level must. */
static void epoll_waiter(void)
{
	u64 one = 1;

	expect_event(0x2222222222222222ULL);
	xwrite(poller.ack, &one, sizeof(one), "epoll: answer");
	expect_event(0x1111111111111111ULL);
	expect_event(0x1111111111111111ULL);
}

static void epoll_setup(void)
{
	struct epoll_event e;

	poller.ep = epoll_create1(EPOLL_CLOEXEC);
	if (poller.ep < 0)
		die_errno("epoll: cannot make one");
	poller.level = xeventfd(0);
	poller.once = xeventfd(1);
	poller.ack = xeventfd(0);
	xpipe(poller.edge);
	add_to_epoll(poller.level, EPOLLIN, 0x1111111111111111ULL);
	add_to_epoll(poller.edge[0], EPOLLIN | EPOLLET, 0x2222222222222222ULL);
	add_to_epoll(poller.once, EPOLLIN | EPOLLONESHOT,
		     0x3333333333333333ULL);
	/* Now it has happened, and must not happen again. */
	if (epoll_wait(poller.ep, &e, 1, 1000) != 1)
		die("epoll: no event");
	poller.waiter = actor(epoll_waiter);
}

static void epoll_verify(void)
{
	u64 one = 1;

	work_check_waiting(poller.waiter, "epoll: waiter");
	xwrite(poller.edge[1], "x", 1, "epoll: pipe");
	if (expect_soon(poller.ack, "epoll: waiter"))
		xwrite(poller.level, &one, sizeof(one), "epoll: eventfd");
	work_reap(poller.waiter, "epoll: waiter");
}

/* inotify: an event nobody has read, and a waiter. */

static struct {
	char dir[PATH_MAX];
	int fd, wait_fd;
	pid_t waiter;
} watch;

static int make_watch(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0 || inotify_add_watch(fd, watch.dir, IN_CREATE) < 0)
		die_errno("inotify: cannot watch %s", watch.dir);
	return fd;
}

static void watch_file(const char *name, bool make)
{
	char path[PATH_MAX + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", watch.dir, name);
	if (!make) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		die_errno("inotify: cannot make %s", path);
	close(fd);
}

static void expect_created(int fd, const char *name)
{
	char buf[4096] __attribute(__aligned__(8));
	const struct inotify_event *e = (void *)buf;
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
	} while (n < 0 && interrupted());
	if (n < (ssize_t)sizeof(*e))
		die_errno("inotify: cannot read");
	if (e->mask != IN_CREATE || strcmp(e->name, name) ||
	    n != (ssize_t)(sizeof(*e) + e->len))
		die("inotify: event %x of %s, %zd bytes, expected only %s",
		    e->mask, e->name, n, name);
}

static void watch_waiter(void)
{
	expect_created(watch.wait_fd, "after");
}

static void watch_setup(void)
{
	snprintf(watch.dir, sizeof(watch.dir), "%s/ipc-watch.%d", ipc_dir,
		 (int)getpid());
	if (mkdir(watch.dir, 0700))
		die_errno("inotify: cannot make %s", watch.dir);
	watch.fd = make_watch();
	watch_file("before", true);
	watch.wait_fd = make_watch();
	watch.waiter = actor(watch_waiter);
}

static void watch_verify(void)
{
	work_check_waiting(watch.waiter, "inotify: waiter");
	if (expect_soon(watch.fd, "inotify"))
		expect_created(watch.fd, "before");
	watch_file("after", true);
	if (expect_soon(watch.fd, "inotify"))
		expect_created(watch.fd, "after");
	work_reap(watch.waiter, "inotify: waiter");
}

static void watch_clean(void)
{
	watch_file("before", false);
	watch_file("after", false);
	rmdir(watch.dir);
}

#endif
