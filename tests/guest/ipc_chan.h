/* SPDX-License-Identifier: GPL-2.0 */
/* The part of ipc about channels: pipes, Unix sockets, a pseudo-terminal. */
#ifndef PMSM_TESTS_GUEST_IPC_CHAN_H
#define PMSM_TESTS_GUEST_IPC_CHAN_H

#include "ipc.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

/* Pipes: unread data, a reader which waits, a writer which waits. */

static struct {
	int unread[2], empty[2], full[2];
	pid_t reader, writer;
} pipes;

static void pipe_reader(void)
{
	expect_pattern(pipes.empty[0], 100, 2, "pipe: waiting reader");
	if (work_failures())
		_exit(1);
}

static void pipe_writer(void)
{
	send_pattern(pipes.full[1], 10000, 3, "pipe: waiting writer");
}

static void pipe_setup(void)
{
	xpipe(pipes.unread);
	xpipe(pipes.empty);
	xpipe(pipes.full);
	if (fcntl(pipes.full[1], F_SETPIPE_SZ, 4096) < 0)
		die_errno("pipe: cannot set the size");
	send_pattern(pipes.unread[1], 3000, 1, "pipe");
	pipes.reader = actor(pipe_reader);
	pipes.writer = actor(pipe_writer);
}

static void pipe_verify(void)
{
	work_check_waiting(pipes.reader, "pipe: waiting reader");
	work_check_waiting(pipes.writer, "pipe: waiting writer");
	expect_unread(pipes.unread[0], 3000, "pipe");
	expect_pattern(pipes.unread[0], 3000, 1, "pipe: unread data");
	expect_nothing(pipes.unread[0], "pipe");
	expect_unread(pipes.full[0], 4096, "pipe: full pipe");
	expect_pattern(pipes.full[0], 10000, 3, "pipe: full pipe");
	work_reap(pipes.writer, "pipe: waiting writer");
	send_pattern(pipes.empty[1], 100, 2, "pipe");
	work_reap(pipes.reader, "pipe: waiting reader");
}

/* Unix sockets: unread data, messages, a file descriptor, a connection. */

static struct {
	int stream[2], dgram[2], pass[2], wait[2];
	int listener, client;
	pid_t reader;
} socks;

static void xsocketpair(int type, int *fds)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds))
		die_errno("socket: cannot make a pair");
}

static void socket_reader(void)
{
	expect_pattern(socks.wait[0], 200, 5, "socket: waiting reader");
	if (work_failures())
		_exit(1);
}

/* Sends (@fd >= 0) or receives a file descriptor, which is returned. */
static int pass_fd(int sock, int fd)
{
	char c = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	if (fd < 0) {
		if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
			die_errno("socket: cannot receive a descriptor");
		h = CMSG_FIRSTHDR(&m);
		if (!h || h->cmsg_type != SCM_RIGHTS)
			die("socket: the descriptor is lost");
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
		return fd;
	}
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		die_errno("socket: cannot send a descriptor");
	return fd;
}

/* A pipe of which nothing is left but what is on its way through a socket. */
static void send_pipe(void)
{
	int fds[2];

	xpipe(fds);
	send_pattern(fds[1], 77, 6, "socket: pipe");
	pass_fd(socks.pass[1], fds[0]);
	close(fds[0]);
	close(fds[1]);
}

/* A connection which the listener has not accepted yet. */
static void make_connection(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len;

	/* An abstract name: the first byte is zero. */
	len = offsetof(struct sockaddr_un, sun_path) + 1 +
	      snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
		       "pmsm-ipc-%d", (int)getpid());
	socks.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socks.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (socks.listener < 0 || socks.client < 0)
		die_errno("socket: cannot make one");
	if (bind(socks.listener, (struct sockaddr *)&addr, len) ||
	    listen(socks.listener, 5) ||
	    connect(socks.client, (struct sockaddr *)&addr, len))
		die_errno("socket: cannot connect");
	send_pattern(socks.client, 500, 7, "socket: client");
}

static void socket_setup(void)
{
	xsocketpair(SOCK_STREAM, socks.stream);
	xsocketpair(SOCK_DGRAM, socks.dgram);
	xsocketpair(SOCK_STREAM, socks.pass);
	xsocketpair(SOCK_STREAM, socks.wait);
	send_pattern(socks.stream[1], 5000, 4, "socket");
	send_pattern(socks.dgram[1], 10, 10, "socket: datagram");
	send_pattern(socks.dgram[1], 3000, 11, "socket: datagram");
	send_pattern(socks.dgram[1], 1, 12, "socket: datagram");
	send_pipe();
	make_connection();
	socks.reader = actor(socket_reader);
}

static void expect_datagram(ssize_t len, u64 seed)
{
	u8 buf[4096];
	ssize_t n = recv(socks.dgram[0], buf, sizeof(buf), MSG_DONTWAIT);

	if (n != len)
		work_bad("socket: datagram of %zd bytes, expected %zd", n, len);
	else if (pattern_check(buf, len, seed, 0) != (size_t)len)
		work_bad("socket: datagram of %zd bytes is damaged", len);
}

static void verify_connection(void)
{
	int fd;

	if (!expect_soon(socks.listener, "socket: listener"))
		return;
	fd = accept4(socks.listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		work_bad("socket: cannot accept: %s", strerror(errno));
		return;
	}
	expect_pattern(fd, 500, 7, "socket: connection");
	send_pattern(fd, 600, 8, "socket: connection");
	expect_pattern(socks.client, 600, 8, "socket: client");
}

static void verify_passed(void)
{
	int fd = pass_fd(socks.pass[0], -1);
	char c;

	expect_pattern(fd, 77, 6, "socket: passed pipe");
	if (read(fd, &c, 1))
		work_bad("socket: passed pipe: not at its end");
	close(fd);
}

static void socket_verify(void)
{
	work_check_waiting(socks.reader, "socket: waiting reader");
	expect_unread(socks.stream[0], 5000, "socket: stream");
	expect_pattern(socks.stream[0], 5000, 4, "socket: unread data");
	expect_datagram(10, 10);
	expect_datagram(3000, 11);
	expect_datagram(1, 12);
	expect_nothing(socks.dgram[0], "socket: datagrams");
	verify_passed();
	verify_connection();
	send_pattern(socks.wait[1], 200, 5, "socket");
	work_reap(socks.reader, "socket: waiting reader");
}

/* A pseudo-terminal with a child like a shell. */

static struct {
	int master;
	char name[64];
	pid_t shell;
} pty;

/* Told by the handler itself: it may run just before the next read(). */
static void on_sigint(int sig)
{
	static const char text[] = "interrupted\n";

	if (sig == SIGINT &&
	    write(STDOUT_FILENO, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(2);
}

static void say(const char *word, const char *line)
{
	char buf[256];
	int n = snprintf(buf, sizeof(buf), "%s%s\n", word, line);

	xwrite(STDOUT_FILENO, buf, n, "pty: shell");
}

/* Answers lines, ends at ^D. */
static void shell_loop(void)
{
	char line[128];
	ssize_t n;

	for (;;) {
		n = read(STDIN_FILENO, line, sizeof(line) - 1);
		if (n <= 0)
			break;
		line[n - 1] = 0;
		say("you said ", line);
	}
	if (n)
		die_errno("pty: shell: cannot read");
}

static void shell(void)
{
	struct sigaction sa = { .sa_handler = on_sigint, .sa_flags = SA_RESTART };
	struct winsize size = { .ws_row = 33, .ws_col = 77 };
	struct termios t;
	int fd;

	if (setsid() < 0)
		die_errno("pty: cannot make a session");
	fd = open(pty.name, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) || tcgetattr(fd, &t))
		die_errno("pty: cannot use %s", pty.name);
	t.c_lflag &= ~ECHO;
	t.c_lflag |= ICANON | ISIG;
	t.c_oflag &= ~OPOST;
	if (tcsetattr(fd, TCSANOW, &t) || ioctl(fd, TIOCSWINSZ, &size))
		die_errno("pty: cannot set up %s", pty.name);
	sigaction(SIGINT, &sa, NULL);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	say("hello", "");
	shell_loop();
}

/* A tiny initramfs may have no devpts mounted. */
static void open_pty(void)
{
	pty.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty.master < 0) {
		mkdir("/dev/pts", 0755);
		if (mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666"))
			die_errno("pty: cannot mount /dev/pts");
		pty.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	if (pty.master < 0 || unlockpt(pty.master) ||
	    ptsname_r(pty.master, pty.name, sizeof(pty.name)))
		die_errno("pty: cannot get one");
}

static void expect_line(const char *want)
{
	size_t len = strlen(want), got = 0;
	char buf[256] = "";
	ssize_t n;

	while (got < len) {
		if (!expect_soon(pty.master, "pty"))
			break;
		n = read(pty.master, buf + got, len - got);
		if (n < 0 && interrupted())
			continue;
		if (n <= 0)
			break;
		got += n;
	}
	buf[got] = 0;
	if (strcmp(buf, want))
		work_bad("pty: found \"%s\", expected \"%s\"", buf, want);
}

static void type(const char *text)
{
	xwrite(pty.master, text, strlen(text), "pty: keyboard");
}

static void pty_setup(void)
{
	open_pty();
	pty.shell = actor(shell);
	expect_line("hello\n");
	type("before\n");
	/* An answer nobody has read yet, and half a line typed. */
	if (!expect_soon(pty.master, "pty"))
		die("pty: the shell does not work");
	type("half ");
	work_wait_asleep(pty.shell);
}

static void pty_verify(void)
{
	struct winsize size = { 0 };
	struct termios t;

	work_check_waiting(pty.shell, "pty: shell");
	if (tcgetpgrp(pty.master) != pty.shell)
		work_bad("pty: foreground process is %d, expected %d",
			 (int)tcgetpgrp(pty.master), (int)pty.shell);
	if (ioctl(pty.master, TIOCGWINSZ, &size) || size.ws_row != 33 ||
	    size.ws_col != 77)
		work_bad("pty: size is %dx%d, expected 33x77", size.ws_row,
			 size.ws_col);
	if (tcgetattr(pty.master, &t) || (t.c_lflag & ECHO) ||
	    !(t.c_lflag & ICANON))
		work_bad("pty: the settings have changed");
	expect_line("you said before\n");
	type("a line\n");
	expect_line("you said half a line\n");
	type("\003");
	expect_line("interrupted\n");
	type("\004");
	work_reap(pty.shell, "pty: shell");
}

#endif
