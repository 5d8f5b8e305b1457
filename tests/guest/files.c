// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps all sorts of open files on a file system busy, and verifies them from
 * the same process after the move; "files check" verifies from the disk alone
 * that nothing is lost which fsync() said was safe.
 */
#include "work.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/syscall.h>

#define RECORD_MAGIC	0x44524352	/* "RCRD" */
#define MAP_PAGES	64
#define GONE_BYTES	(256 * 1024UL)
#define TMP_BYTES	(64 * 1024UL)
#define LIST_FILES	200
#define CHURN_KEEP	8

/* A record of the log; the log is nothing but records. */
struct record {
	u32 magic;
	u32 crc;		/* of all after it */
	u64 number;
	u64 synced;		/* records which are known to be on disk */
	u8 data[104];
};

/* The directory entries of getdents64(). */
struct dents {
	u64 ino;
	s64 off;
	u16 len;
	u8 type;
	char name[];
};

struct state {
	int dir, log, synced_fd, gone, big, map_fd, flock_fd, fcntl_fd;
	int tmp, list;		/* tmp: -1 if the file system has none */
	u64 records, synced;
	u64 big_pages, big_writes;
	u64 map_writes;
	u64 churn;		/* directories made so far */
	u8 *map;
	bool listed[LIST_FILES];
	struct stat log_stat;
	pid_t waiters[2];
};

static const char *dir_name;
static u64 seed = 1, period = 10, sync_every = 16, big_mib = 4, min_synced;

static const struct work_opt opts[] = {
	{ "dir", "DIR", "directory to work in (or as an argument)",
	  .str = &dir_name },
	{ "seed", "S", "seed of the patterns", .num = &seed },
	{ "period", "MS", "time between two rounds", .num = &period,
	  .max = 60000 },
	{ "sync", "N", "log records between two fsync()s",
	  .num = &sync_every, .max = 1000000 },
	{ "big", "MIB", "size of the file never synced", .num = &big_mib,
	  .max = 100000 },
	{ "synced", "N", "check: number of records which must be there",
	  .num = &min_synced },
	{ }
};

static int xopen(struct state *s, const char *name, int flags)
{
	int fd = openat(s->dir, name, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die_errno("cannot open %s/%s", dir_name, name);
	return fd;
}

static void xpwrite(int fd, const void *buf, size_t len, u64 pos,
		    const char *what)
{
	ssize_t n = pwrite(fd, buf, len, pos);

	if (n != (ssize_t)len)
		die_errno("wrote %zd of %zu bytes to %s at %llu", n, len, what,
			  pos);
}

static void write_pattern(int fd, u64 len, u64 id, const char *what)
{
	u8 buf[PAGE_BYTES];
	u64 pos;

	for (pos = 0; pos < len; pos += sizeof(buf)) {
		pattern_fill(buf, sizeof(buf), seed + (id << 40), pos);
		xpwrite(fd, buf, sizeof(buf), pos, what);
	}
}

static void check_pattern(int fd, u64 len, u64 id, const char *what)
{
	u8 buf[PAGE_BYTES];
	struct stat st;
	size_t bad;
	u64 pos;

	if (fstat(fd, &st) || (u64)st.st_size != len)
		work_bad("%s: size %lld, expected %llu", what,
			 (long long)st.st_size, len);
	for (pos = 0; pos < len; pos += sizeof(buf)) {
		if (pread(fd, buf, sizeof(buf), pos) != sizeof(buf)) {
			work_bad("%s: cannot read at %llu: %s", what, pos,
				 strerror(errno));
			return;
		}
		bad = pattern_check(buf, sizeof(buf), seed + (id << 40), pos);
		if (bad == sizeof(buf))
			continue;
		work_bad("%s: offset %llu: found 0x%02x, expected 0x%02x", what,
			 pos + bad, buf[bad],
			 pattern_byte(seed + (id << 40), pos + bad));
		return;
	}
}

/* The log. */

static void make_record(struct record *r, u64 number, u64 synced)
{
	r->magic = RECORD_MAGIC;
	r->number = number;
	r->synced = synced;
	pattern_fill(r->data, sizeof(r->data), number << 8, 0);
	r->crc = crc32(0, &r->number, sizeof(*r) - 8);
}

static bool record_sound(const struct record *r, u64 number)
{
	return r->magic == RECORD_MAGIC && r->number == number &&
	       r->crc == crc32(0, &r->number, sizeof(*r) - 8) &&
	       pattern_check(r->data, sizeof(r->data), number << 8, 0) ==
	       sizeof(r->data);
}

static void append_record(struct state *s)
{
	struct record r;

	make_record(&r, s->records, s->synced);
	if (write(s->log, &r, sizeof(r)) != sizeof(r))
		die_errno("cannot append record %llu to %s/log", s->records,
			  dir_name);
	s->records++;
}

/* The number is written down only after the records it vouches for. */
static void sync_log(struct state *s)
{
	struct record r;

	if (fsync(s->log))
		die_errno("cannot fsync %s/log at record %llu", dir_name,
			  s->records);
	s->synced = s->records;
	make_record(&r, s->synced, s->synced);
	xpwrite(s->synced_fd, &r, sizeof(r), 0, "synced");
	if (fsync(s->synced_fd))
		die_errno("cannot fsync %s/synced", dir_name);
}

/* Counts the sound records at the start of the log. */
static u64 count_records(int fd)
{
	struct record r;
	u64 n = 0;

	while (pread(fd, &r, sizeof(r), n * sizeof(r)) == sizeof(r) &&
	       record_sound(&r, n))
		n++;
	return n;
}

static void check_log(struct state *s)
{
	u64 found = count_records(s->log);
	struct stat st;

	if (found != s->records)
		work_bad("log: %llu sound records, expected %llu", found,
			 s->records);
	if (fstat(s->log, &st))
		die_errno("cannot stat log");
	if (st.st_size != (off_t)(s->records * sizeof(struct record)))
		work_bad("log: size %lld, expected %llu records",
			 (long long)st.st_size, s->records);
	if (st.st_ino != s->log_stat.st_ino || st.st_dev != s->log_stat.st_dev)
		work_bad("log: inode %llu on device %llx was %llu on %llx",
			 (u64)st.st_ino, (u64)st.st_dev,
			 (u64)s->log_stat.st_ino, (u64)s->log_stat.st_dev);
}

/* The big file and the shared mapping: pages with a generation. */

static u64 page_gen(u64 writes, u64 pages, u64 page)
{
	return writes / pages + (page < writes % pages);
}

static u64 page_seed(u64 id, u64 page, u64 gen)
{
	return splitmix64(splitmix64(seed + id) ^ (page << 32 | gen));
}

static void dirty_big(struct state *s)
{
	u64 page = s->big_writes % s->big_pages;
	u8 buf[PAGE_BYTES];

	pattern_fill(buf, sizeof(buf),
		     page_seed(1, page, s->big_writes / s->big_pages + 1), 0);
	xpwrite(s->big, buf, sizeof(buf), page * PAGE_BYTES, "big");
	s->big_writes++;
}

static void dirty_map(struct state *s)
{
	u64 page = s->map_writes % MAP_PAGES;

	pattern_fill(s->map + page * PAGE_BYTES, PAGE_BYTES,
		     page_seed(2, page, s->map_writes / MAP_PAGES + 1), 0);
	s->map_writes++;
}

static void check_page(const u8 *buf, u64 id, u64 page, u64 gen,
		       const char *what)
{
	u64 want = page_seed(id, page, gen);
	size_t bad = pattern_check(buf, PAGE_BYTES, want, 0);

	if (bad < PAGE_BYTES)
		work_bad("%s: page %llu generation %llu offset %zu: found 0x%02x, expected 0x%02x",
			 what, page, gen, bad, buf[bad],
			 pattern_byte(want, bad));
}

static void check_pages(int fd, u64 id, u64 pages, u64 writes,
			const char *what)
{
	u8 buf[PAGE_BYTES];
	u64 page;

	for (page = 0; page < pages; page++) {
		if (pread(fd, buf, sizeof(buf), page * PAGE_BYTES) !=
		    sizeof(buf))
			work_bad("%s: cannot read page %llu: %s", what, page,
				 strerror(errno));
		else
			check_page(buf, id, page, page_gen(writes, pages, page),
				   what);
	}
}

static void check_map(struct state *s)
{
	u64 page;

	for (page = 0; page < MAP_PAGES; page++)
		check_page(s->map + page * PAGE_BYTES, 2, page,
			   page_gen(s->map_writes, MAP_PAGES, page), "mapping");
	check_pages(s->map_fd, 2, MAP_PAGES, s->map_writes, "mapped file");
}

/* Directories which are made, renamed, and removed again in turn. */

static void churn_path(char *path, size_t size, u64 n, const char *rest)
{
	snprintf(path, size, "churn/new.%llu%s", n, rest);
}

static void churn_add(struct state *s, u64 n)
{
	char from[64], to[64];
	int fd;

	snprintf(from, sizeof(from), "churn/old.%llu", n);
	churn_path(to, sizeof(to), n, "");
	if (mkdirat(s->dir, from, 0700))
		die_errno("cannot make %s/%s", dir_name, from);
	if (renameat(s->dir, from, s->dir, to))
		die_errno("cannot rename %s/%s", dir_name, from);
	churn_path(to, sizeof(to), n, "/f");
	fd = xopen(s, to, O_WRONLY | O_CREAT | O_EXCL);
	xpwrite(fd, &n, sizeof(n), 0, to);
	close(fd);
}

static void churn_remove(struct state *s, u64 n)
{
	char path[64];

	churn_path(path, sizeof(path), n, "/f");
	if (unlinkat(s->dir, path, 0))
		die_errno("cannot remove %s/%s", dir_name, path);
	churn_path(path, sizeof(path), n, "");
	if (unlinkat(s->dir, path, AT_REMOVEDIR))
		die_errno("cannot remove %s/%s", dir_name, path);
}

static void churn(struct state *s)
{
	churn_add(s, s->churn);
	if (s->churn >= CHURN_KEEP)
		churn_remove(s, s->churn - CHURN_KEEP);
	s->churn++;
}

static void check_churn_file(struct state *s, u64 n)
{
	char path[64];
	u64 found = 0;
	int fd;

	churn_path(path, sizeof(path), n, "/f");
	fd = openat(s->dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &found, sizeof(found)) != sizeof(found))
		work_bad("%s: cannot read: %s", path, strerror(errno));
	else if (found != n)
		work_bad("%s: found %llu, expected %llu", path, found, n);
	if (fd >= 0)
		close(fd);
}

static void check_churn(struct state *s)
{
	u64 n = s->churn > CHURN_KEEP ? s->churn - CHURN_KEEP : 0;
	u64 expected = s->churn - n, found = 0;
	DIR *d = fdopendir(xopen(s, "churn", O_RDONLY | O_DIRECTORY));
	struct dirent *e;

	while (d) {
		e = readdir(d);
		if (!e)
			break;
		found += e->d_name[0] != '.';
	}
	if (d)
		closedir(d);
	if (found != expected)
		work_bad("churn: %llu entries, expected %llu", found, expected);
	for (; n < s->churn; n++)
		check_churn_file(s, n);
}

/* A directory which is read half before the move and half after it. */

static bool list_some(struct state *s)
{
	char buf[256] __attribute(__aligned__(8));
	struct dents *e;
	long n, at;
	int index;

	n = syscall(SYS_getdents64, s->list, buf, sizeof(buf));
	if (n < 0)
		die_errno("cannot read directory %s/list", dir_name);
	for (at = 0; at < n; at += e->len) {
		e = (struct dents *)(buf + at);
		if (e->name[0] == '.')
			continue;
		index = atoi(e->name);
		if (index < 0 || index >= LIST_FILES)
			work_bad("list: unknown entry %s", e->name);
		else if (s->listed[index])
			work_bad("list: entry %s comes twice", e->name);
		else
			s->listed[index] = true;
	}
	return n > 0;
}

static void check_list(struct state *s)
{
	int i;

	while (list_some(s))
		;
	for (i = 0; i < LIST_FILES; i++)
		if (!s->listed[i])
			work_bad("list: entry %d is missing", i);
}

static void make_list(struct state *s)
{
	char path[64];
	int i;

	for (i = 0; i < LIST_FILES; i++) {
		snprintf(path, sizeof(path), "list/%d", i);
		close(xopen(s, path, O_WRONLY | O_CREAT));
	}
	s->list = xopen(s, "list", O_RDONLY | O_DIRECTORY);
	/* 256 bytes at a time: some ten entries, some twenty calls. */
	for (i = 0; i < 5; i++)
		list_some(s);
}

/* Locks: one child waits for each of the two. */

static struct flock byte_range(int type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET,
			       .l_start = 100, .l_len = 50 };
}

static void wait_flock(struct state *s)
{
	/* Another open file: its lock is not the one inherited. */
	int fd = xopen(s, "flock", O_RDWR);

	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			die_errno("flock: waiter: cannot lock");
	_exit(0);
}

static void wait_fcntl(struct state *s)
{
	struct flock l = byte_range(F_WRLCK);

	while (fcntl(s->fcntl_fd, F_SETLKW, &l))
		if (errno != EINTR)
			die_errno("fcntl: waiter: cannot lock");
	_exit(0);
}

static void take_locks(struct state *s)
{
	struct flock l = byte_range(F_WRLCK);

	s->flock_fd = xopen(s, "flock", O_RDWR | O_CREAT);
	s->fcntl_fd = xopen(s, "fcntl", O_RDWR | O_CREAT);
	if (flock(s->flock_fd, LOCK_EX | LOCK_NB))
		die_errno("cannot flock %s/flock", dir_name);
	if (fcntl(s->fcntl_fd, F_SETLK, &l))
		die_errno("cannot lock %s/fcntl", dir_name);
	s->waiters[0] = work_fork();
	if (!s->waiters[0])
		wait_flock(s);
	s->waiters[1] = work_fork();
	if (!s->waiters[1])
		wait_fcntl(s);
	work_wait_asleep(s->waiters[0]);
	work_wait_asleep(s->waiters[1]);
}

/* To be run in a child: it sees the locks as a stranger does. */
static void try_locks(struct state *s)
{
	struct flock l = byte_range(F_WRLCK);
	int fd = xopen(s, "flock", O_RDWR);

	if (!flock(fd, LOCK_EX | LOCK_NB))
		work_bad("flock: the lock is lost");
	if (fcntl(s->fcntl_fd, F_GETLK, &l))
		work_bad("fcntl: cannot ask for lock: %s", strerror(errno));
	else if (l.l_type != F_WRLCK || l.l_pid != getppid() ||
		 l.l_start != 100 || l.l_len != 50)
		work_bad("fcntl: lock type %d pid %d start %lld length %lld",
			 l.l_type, (int)l.l_pid, (long long)l.l_start,
			 (long long)l.l_len);
	_exit(work_failures() ? 1 : 0);
}

static void check_locks(struct state *s)
{
	struct flock l = byte_range(F_UNLCK);
	pid_t pid;

	work_check_waiting(s->waiters[0], "waiter for flock");
	work_check_waiting(s->waiters[1], "waiter for fcntl lock");
	pid = work_fork();
	if (!pid)
		try_locks(s);
	work_reap(pid, "lock prober");
	if (flock(s->flock_fd, LOCK_UN))
		work_bad("flock: cannot unlock: %s", strerror(errno));
	if (fcntl(s->fcntl_fd, F_SETLK, &l))
		work_bad("fcntl: cannot unlock: %s", strerror(errno));
	work_reap(s->waiters[0], "waiter for flock");
	work_reap(s->waiters[1], "waiter for fcntl lock");
}

/* Files without a name. */

static void make_nameless(struct state *s)
{
	s->gone = xopen(s, "gone", O_RDWR | O_CREAT | O_EXCL);
	write_pattern(s->gone, GONE_BYTES, 3, "deleted file");
	if (unlinkat(s->dir, "gone", 0))
		die_errno("cannot remove %s/gone", dir_name);
	if (lseek(s->gone, 4242, SEEK_SET) != 4242)
		die_errno("cannot seek in deleted file");
	s->tmp = openat(s->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->tmp < 0 && errno != EOPNOTSUPP && errno != EISDIR)
		die_errno("cannot make an O_TMPFILE in %s", dir_name);
	if (s->tmp >= 0)
		write_pattern(s->tmp, TMP_BYTES, 4, "O_TMPFILE");
}

static void check_gone(struct state *s)
{
	off_t at = lseek(s->gone, 0, SEEK_CUR);
	struct stat st;

	check_pattern(s->gone, GONE_BYTES, 3, "deleted file");
	if (at != 4242)
		work_bad("deleted file: position %lld, expected 4242",
			 (long long)at);
	if (fstat(s->gone, &st) || st.st_nlink)
		work_bad("deleted file: has %llu links", (u64)st.st_nlink);
}

static void check_tmp(struct state *s)
{
	char path[64];

	if (s->tmp < 0)
		return;
	check_pattern(s->tmp, TMP_BYTES, 4, "O_TMPFILE");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->tmp);
	if (linkat(AT_FDCWD, path, s->dir, "linked", AT_SYMLINK_FOLLOW))
		work_bad("O_TMPFILE: cannot give it a name: %s",
			 strerror(errno));
	else
		check_pattern(xopen(s, "linked", O_RDONLY), TMP_BYTES, 4,
			      "O_TMPFILE with a name");
}

/* All together. */

static void make_dir(struct state *s, const char *name)
{
	if (mkdirat(s->dir, name, 0700))
		die_errno("cannot make %s/%s (it must be new)", dir_name, name);
}

static void set_up_dir(struct state *s)
{
	if (mkdir(dir_name, 0700) && errno != EEXIST)
		die_errno("cannot make %s", dir_name);
	s->dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		die_errno("cannot open %s", dir_name);
	make_dir(s, "churn");
	make_dir(s, "list");
}

static void set_up(struct state *s)
{
	u64 i;

	set_up_dir(s);
	s->log = xopen(s, "log", O_RDWR | O_CREAT | O_EXCL | O_APPEND);
	s->synced_fd = xopen(s, "synced", O_RDWR | O_CREAT | O_EXCL);
	if (fstat(s->log, &s->log_stat))
		die_errno("cannot stat %s/log", dir_name);
	sync_log(s);
	/* fsync() of a new file does not vouch for its name. */
	if (fsync(s->dir))
		die_errno("cannot fsync %s", dir_name);
	make_nameless(s);
	make_list(s);
	s->big = xopen(s, "big", O_RDWR | O_CREAT | O_EXCL);
	s->big_pages = big_mib * 1048576 / PAGE_BYTES;
	for (i = 0; i < s->big_pages; i++)
		dirty_big(s);
	s->map_fd = xopen(s, "map", O_RDWR | O_CREAT | O_EXCL);
	if (ftruncate(s->map_fd, MAP_PAGES * PAGE_BYTES))
		die_errno("cannot set the size of %s/map", dir_name);
	s->map = mmap(NULL, MAP_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_SHARED, s->map_fd, 0);
	if (s->map == MAP_FAILED)
		die_errno("cannot map %s/map", dir_name);
	for (i = 0; i < MAP_PAGES; i++)
		dirty_map(s);
	take_locks(s);
}

static void work_round(struct state *s)
{
	append_record(s);
	if (sync_every && s->records - s->synced >= sync_every)
		sync_log(s);
	dirty_big(s);
	dirty_map(s);
	churn(s);
}

static void verify(struct state *s)
{
	check_log(s);
	check_pages(s->big, 1, s->big_pages, s->big_writes, "big");
	check_map(s);
	check_gone(s);
	check_tmp(s);
	check_churn(s);
	check_list(s);
	check_locks(s);
	/* Can it all go on? */
	work_round(s);
	sync_log(s);
	check_log(s);
}

static int run(void)
{
	struct state *s = xmalloc(sizeof(*s));

	set_up(s);
	work_ready();
	while (!work_wait(period))
		work_round(s);
	verify(s);
	return work_verdict("records=%llu synced=%llu writes=%llu churn=%llu tmpfile=%s",
			    s->records, s->synced,
			    s->big_writes + s->map_writes, s->churn,
			    s->tmp < 0 ? "skipped" : "yes");
}

/* "files check": only the log and what it was said to be safe. */

static u64 read_synced(struct state *s)
{
	int fd = xopen(s, "synced", O_RDONLY);
	struct record r;

	/* While it was being overwritten, it may be the older one. */
	if (read(fd, &r, sizeof(r)) != sizeof(r) ||
	    !record_sound(&r, r.number))
		die("%s/synced: damaged", dir_name);
	return r.number;
}

static int check(void)
{
	struct state s = { .dir = open(dir_name, O_RDONLY | O_DIRECTORY) };
	u64 synced, found;
	struct stat st;
	int fd;

	if (s.dir < 0)
		die_errno("cannot open %s", dir_name);
	synced = read_synced(&s);
	fd = xopen(&s, "log", O_RDONLY);
	found = count_records(fd);
	if (fstat(fd, &st))
		die_errno("cannot stat %s/log", dir_name);
	if (synced < min_synced)
		work_bad("log: synced up to %llu, expected at least %llu",
			 synced, min_synced);
	if (found < synced || found < min_synced)
		work_bad("log: %llu sound records, but %llu were synced", found,
			 synced > min_synced ? synced : min_synced);
	return work_verdict("records=%llu synced=%llu tail_bytes=%lld", found,
			    synced,
			    st.st_size - (long long)(found * sizeof(struct record)));
}

int main(int argc, char **argv)
{
	bool checking = argc > 1 && !strcmp(argv[1], "check");

	work_init("files");
	if (checking) {
		argc--;
		argv++;
	}
	if (work_options(argc, argv, "files run|check DIR [options]",
			 "Works on files in DIR, or checks what is on disk.",
			 opts))
		dir_name = argv[0];
	if (!dir_name || !big_mib)
		die("bad argument (try --help)");
	return checking ? check() : run();
}
