// SPDX-License-Identifier: GPL-2.0
/*
 * Fills memory with a pattern which depends on seed and position, rewrites a
 * small working set all the time, and verifies every byte when told to stop.
 */
#include "work.h"

#define WORDS		(PAGE_BYTES / 8)
#define PAGES_PER_MIB	(1048576UL / PAGE_BYTES)

enum kind {
	KIND_PATTERN,
	KIND_ZERO,		/* written with zeroes */
	KIND_ONES,
	KIND_HOLE,		/* never touched */
};

/* The part of the memory which one child process has. */
struct slice {
	u64 first;		/* index of its first page in the whole */
	u64 pages;
	u64 hot;		/* pages of the working set, at the start */
	u64 writes;		/* pages rewritten so far */
	u8 *mem;
};

/* What a child tells its parent. */
struct report {
	u64 filled;
	u64 writes;
	u64 bad_bytes;
	u64 bad_pages;
};

/* The first bad byte of a slice, and how many there are. */
struct damage {
	u64 offset;
	u64 expected;
	u64 found;
	u64 bytes;
	u64 pages;
	bool through_file;
};

static u64 mib, percent, procs = 1, seed = 1, reserve = 4, shrink;
static u64 zero_pct = 10, ones_pct = 5, hole_pct = 1;
static u64 hot_kib = 1024, burst = 16, period = 10;
static const char *file;
static int file_fd = -1;
static struct report *reports;

static const struct work_opt opts[] = {
	{ "mib", "N", "MiB to fill", .num = &mib, .max = 1 << 24 },
	{ "percent", "P", "or: percent of MemTotal to fill", .num = &percent,
	  .max = 100 },
	{ "procs", "K", "processes to spread it over", .num = &procs,
	  .max = 256 },
	{ "seed", "S", "seed of the pattern", .num = &seed },
	{ "zero", "PCT", "percent of pages written with 0x00",
	  .num = &zero_pct, .max = 100 },
	{ "ones", "PCT", "percent of pages written with 0xff",
	  .num = &ones_pct, .max = 100 },
	{ "hole", "PCT", "percent of pages never touched", .num = &hole_pct,
	  .max = 100 },
	{ "hot", "KIB", "working set of each process", .num = &hot_kib,
	  .max = 1 << 24 },
	{ "burst", "N", "pages rewritten at once", .num = &burst,
	  .max = 1 << 24 },
	{ "period", "MS", "sleep between two bursts", .num = &period,
	  .max = 1000000 },
	{ "file", "PATH", "use a MAP_SHARED mapping of this file",
	  .str = &file },
	{ "reserve", "MIB", "memory to be left over", .num = &reserve,
	  .max = 1 << 24 },
	{ "shrink", NULL, "fill less if there is too little memory",
	  .num = &shrink },
	{ }
};

static enum kind page_kind(const struct slice *s, u64 page)
{
	u64 h;

	if (page < s->hot)
		return KIND_PATTERN;
	h = splitmix64(~seed ^ splitmix64(s->first + page)) % 100;
	if (h < zero_pct)
		return KIND_ZERO;
	if (h < zero_pct + ones_pct)
		return KIND_ONES;
	if (h < zero_pct + ones_pct + hole_pct)
		return KIND_HOLE;
	return KIND_PATTERN;
}

/* The working set is rewritten in turn, so one count tells all generations. */
static u64 generation(const struct slice *s, u64 page)
{
	if (page >= s->hot)
		return 0;
	return s->writes / s->hot + (page < s->writes % s->hot);
}

/*
 * Word @i of a page is splitmix64(base + i).  The base has the generation in
 * its upper bits, so no two words of any two generations are the same.
 */
static u64 page_base(const struct slice *s, u64 page, u64 gen)
{
	return splitmix64(seed) + (gen << 40) + (s->first + page) * WORDS;
}

static u64 expected_word(enum kind kind, u64 base, u64 i)
{
	if (kind == KIND_PATTERN)
		return splitmix64(base + i);
	return kind == KIND_ONES ? ~0ULL : 0;
}

static void write_page(struct slice *s, u64 page, u64 gen)
{
	enum kind kind = page_kind(s, page);
	u64 base = page_base(s, page, gen), i;
	u64 *p = (u64 *)(s->mem + page * PAGE_BYTES);

	if (kind == KIND_HOLE)
		return;
	for (i = 0; i < WORDS; i++)
		p[i] = expected_word(kind, base, i);
}

static void rewrite_burst(struct slice *s)
{
	u64 n;

	for (n = 0; s->hot && n < burst; n++) {
		u64 page = s->writes % s->hot;

		write_page(s, page, generation(s, page) + 1);
		s->writes++;
	}
}

static void note_word(struct damage *d, u64 offset, u64 expected, u64 found)
{
	u64 diff = expected ^ found;
	unsigned int i;

	if (!d->bytes) {
		d->offset = offset + __builtin_ctzll(diff) / 8;
		d->expected = expected;
		d->found = found;
	}
	for (i = 0; i < 8; i++)
		d->bytes += !!((diff >> (8 * i)) & 0xff);
}

static void check_page(const struct slice *s, u64 page, const u64 *p,
		       struct damage *d)
{
	enum kind kind = page_kind(s, page);
	u64 base = page_base(s, page, generation(s, page));
	u64 before = d->bytes, expected, i;

	for (i = 0; i < WORDS; i++) {
		expected = expected_word(kind, base, i);
		if (p[i] != expected)
			note_word(d, page * PAGE_BYTES + i * 8, expected, p[i]);
	}
	d->pages += d->bytes != before;
}

static void check_mapping(const struct slice *s, struct damage *d)
{
	u64 page;

	for (page = 0; page < s->pages; page++)
		check_page(s, page, (u64 *)(s->mem + page * PAGE_BYTES), d);
}

/* What read() gives must be the same as what the mapping gives. */
static void check_file(const struct slice *s, struct damage *d)
{
	u64 buf[WORDS], page;
	off_t offset;

	for (page = 0; page < s->pages; page++) {
		offset = (s->first + page) * PAGE_BYTES;
		if (pread(file_fd, buf, sizeof(buf), offset) != sizeof(buf))
			die_errno("cannot read %s at %lld", file,
				  (long long)offset);
		check_page(s, page, buf, d);
	}
	d->through_file = true;
}

static void tell_damage(const struct slice *s, unsigned int k,
			const struct damage *d)
{
	unsigned int byte = (d->offset & 7) * 8;
	u64 page = d->offset / PAGE_BYTES;
	char where[128];

	reports[k].bad_bytes += d->bytes;
	reports[k].bad_pages += d->pages;
	if (!d->bytes)
		return;
	snprintf(where, sizeof(where), "offset 0x%llx of %s (%p, generation %llu%s)",
		 d->offset, d->through_file ? "file" : "memory",
		 s->mem + d->offset, generation(s, page),
		 page < s->hot ? ", working set" : "");
	work_bad("process %u: %s: expected 0x%02x found 0x%02x (%016llx: %016llx) bad_bytes=%llu",
		 k, where, (u32)(d->expected >> byte) & 0xff,
		 (u32)(d->found >> byte) & 0xff, d->expected, d->found,
		 d->bytes);
}

static void verify(const struct slice *s, unsigned int k)
{
	struct damage d = { 0 };

	/* Two copies on different pages: a stale one is seen here. */
	if (reports[k].writes != s->writes)
		work_bad("process %u: counts of rewrites differ: own %llu, shared %llu",
			 k, s->writes, reports[k].writes);
	check_mapping(s, &d);
	tell_damage(s, k, &d);
	if (!file || d.bytes)
		return;
	check_file(s, &d);
	tell_damage(s, k, &d);
}

static void map_slice(struct slice *s)
{
	size_t size = s->pages * PAGE_BYTES;

	if (file)
		s->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      file_fd, s->first * PAGE_BYTES);
	else
		s->mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			      -1, 0);
	if (s->mem == MAP_FAILED)
		die_errno("cannot map %zu bytes", size);
}

static void child(struct slice *s, unsigned int k)
{
	u64 page;

	map_slice(s);
	for (page = 0; page < s->pages; page++)
		write_page(s, page, 0);
	__atomic_store_n(&reports[k].filled, s->pages, __ATOMIC_SEQ_CST);
	while (!work_wait(period)) {
		rewrite_burst(s);
		reports[k].writes = s->writes;
	}
	verify(s, k);
	_exit(work_failures() ? 1 : 0);
}

/* A number of /proc/meminfo or of a one-number file, in KiB. */
static u64 read_kib(const char *path, const char *key)
{
	char line[256];
	u64 kib = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		die_errno("cannot open %s", path);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)))
			continue;
		kib = strtoull(line + strlen(key), NULL, 10);
		break;
	}
	fclose(f);
	return kib;
}

/*
 * How many pages can be had before the OOM killer strikes.  MemAvailable
 * alone is too careful: it spares the high watermark, while it is only below
 * the minimum that an allocation fails.
 */
static u64 pages_to_have(void)
{
	u64 avail = read_kib("/proc/meminfo", "MemAvailable:");
	u64 avoid = read_kib("/proc/sys/vm/min_free_kbytes", "") * 5 / 4;
	u64 free_kib = read_kib("/proc/meminfo", "MemFree:");

	if (free_kib > avoid && free_kib - avoid > avail)
		avail = free_kib - avoid;
	/* Page tables take one page out of 512, processes some 200 KiB. */
	avoid = reserve * 1024 + avail / 512 + procs * 200;
	return avail > avoid ? (avail - avoid) * 1024 / PAGE_BYTES : 0;
}

static u64 pages_to_fill(void)
{
	u64 pages = mib * PAGES_PER_MIB, limit = pages_to_have();

	if (!mib == !percent)
		die("give either --mib or --percent");
	if (percent)
		pages = read_kib("/proc/meminfo", "MemTotal:") * 1024 /
			PAGE_BYTES * percent / 100;
	if (pages > limit && !shrink)
		die("%llu MiB asked for, but only %llu MiB can be had (see --shrink, --reserve)",
		    pages / PAGES_PER_MIB, limit / PAGES_PER_MIB);
	return pages > limit ? limit : pages;
}

static void open_file(u64 pages)
{
	if (!file)
		return;
	file_fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file_fd < 0)
		die_errno("cannot create %s", file);
	if (ftruncate(file_fd, pages * PAGE_BYTES))
		die_errno("cannot make %s %llu pages long", file, pages);
}

static void start_children(pid_t *pids, u64 pages)
{
	struct slice s = { 0 };
	unsigned int k;

	for (k = 0; k < procs; k++) {
		s.first = pages * k / procs;
		s.pages = pages * (k + 1) / procs - s.first;
		s.hot = hot_kib * 1024 / PAGE_BYTES;
		if (s.hot > s.pages)
			s.hot = s.pages;
		pids[k] = work_fork();
		if (!pids[k])
			child(&s, k);
	}
}

/* No child may end before it is told to; the OOM killer might. */
static void check_alive(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return;
	work_ended_well("memory process", pid, status);
	die("a memory process (pid %d) ended early", (int)pid);
}

static void wait_filled(u64 pages)
{
	u64 filled;
	unsigned int k;

	for (;;) {
		for (filled = 0, k = 0; k < procs; k++)
			filled += __atomic_load_n(&reports[k].filled,
						  __ATOMIC_SEQ_CST);
		if (filled == pages)
			return;
		check_alive();
		sleep_ms(20);
	}
}

static void stop_children(const pid_t *pids)
{
	unsigned int k;
	int status;

	for (k = 0; k < procs; k++)
		kill(pids[k], CHILD_STOP);
	for (k = 0; k < procs; k++) {
		if (waitpid(pids[k], &status, 0) != pids[k])
			die_errno("cannot wait for process %d", (int)pids[k]);
		work_ended_well("memory process", pids[k], status);
	}
}

int main(int argc, char **argv)
{
	struct report sum = { 0 };
	u64 pages, k;
	pid_t *pids;

	work_init("memfill");
	if (work_options(argc, argv, "memfill run --mib N|--percent P [options]",
			 "Fills memory with a pattern, rewrites some of it, verifies all of it.",
			 opts) || !procs)
		die("bad argument (try --help)");
	pages = pages_to_fill();
	pids = xmalloc(procs * sizeof(*pids));
	reports = xshared(procs * sizeof(*reports));
	open_file(pages);
	start_children(pids, pages);
	wait_filled(pages);
	work_ready();
	while (!work_wait(500))
		check_alive();
	stop_children(pids);
	for (k = 0; k < procs; k++) {
		sum.writes += reports[k].writes;
		sum.bad_bytes += reports[k].bad_bytes;
		sum.bad_pages += reports[k].bad_pages;
	}
	if (file)
		unlink(file);
	return work_verdict("mib=%llu pages=%llu rewrites=%llu bad_bytes=%llu bad_pages=%llu",
			    pages / PAGES_PER_MIB, pages, sum.writes,
			    sum.bad_bytes, sum.bad_pages);
}
