// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's services, as far as all fuzzers need them.
 */

#include <nmmintrin.h>
#include <sanitizer/asan_interface.h>

#include "fuzz.h"

/**
 * fuzz_failed - a property does not hold
 * @condition: The property.
 * @file: Where it was expected.
 * @line: Line there.
 */
void __noreturn fuzz_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: must be: %s\n", file, line, condition);
	abort();
}

const char *__asan_default_options(void);

/* Leaks are looked for after each run, by memory.c */
const char *__asan_default_options(void)
{
	return "detect_leaks=0:quarantine_size_mb=1:malloc_context_size=4";
}

/* Time passes whenever somebody looks at the clock */
u64 fuzz_now;
u64 fuzz_tick;
/* Somebody wants to see what goes on: FUZZ_TALK is set */
bool fuzz_talks;
/* The session that would be opened next; runs have nothing to do with others */
u64 fuzz_id;

unsigned int tsc_khz = 1000000;

static struct delayed_work *work_for_later;

/**
 * kernel_reset - start another run
 */
void kernel_reset(void)
{
	fuzz_now = NSEC_PER_SEC;
	fuzz_tick = 10000;
	fuzz_id += 256;
	work_for_later = NULL;
	fuzz_talks = getenv("FUZZ_TALK");
}

void queue_delayed_work(void *queue, struct delayed_work *work,
			unsigned long delay)
{
	must(!work_for_later || work_for_later == work);
	work_for_later = work;
}

void cancel_delayed_work_sync(struct delayed_work *work)
{
	work_for_later = NULL;
}

/**
 * kernel_work - do what was left for later
 *
 * Return: whether there was anything.
 */
bool kernel_work(void)
{
	struct delayed_work *work = work_for_later;

	work_for_later = NULL;
	if (!work)
		return false;
	fuzz_now += 10 * NSEC_PER_MSEC;
	work->work.func(&work->work);
	return true;
}

/* What is printed must be there, but hardly ever wants somebody to read it */
void print(const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	vscnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (fuzz_talks)
		fprintf(stderr, "%s\n", line);
}

/* A file in sysfs has a page, of the size that pages have elsewhere */
int sysfs_emit_at(char *buf, int at, const char *fmt, ...)
{
	va_list args;
	int len;

	must(at >= 0 && at < FUZZ_SYSFS);
	va_start(args, fmt);
	len = vsnprintf(buf + at, FUZZ_SYSFS - at, fmt, args);
	va_end(args);
	must(at + len < FUZZ_SYSFS);
	return len;
}

u64 rdtsc_ordered(void)
{
	fuzz_now += fuzz_tick;
	return fuzz_now;
}

void usleep_range(unsigned long low, unsigned long high)
{
	fuzz_now += low * 1000;
}

/* Session numbers are made of it */
u64 get_random_u64(void)
{
	return fuzz_id << 1;
}

void get_random_bytes(void *buf, size_t len)
{
	memset(buf, 0x5a, len);
}

struct new_utsname *init_utsname(void)
{
	static struct new_utsname name = { "6.12", "#1 SMP" };

	return &name;
}

unsigned int num_online_cpus(void)
{
	return 4;
}

__attribute__((target("sse4.2"), no_sanitize("address", "undefined", "coverage")))
static u32 crc32c_unwatched(u32 crc, const u8 *p, unsigned int len)
{
	u64 crc64 = crc, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		__builtin_memcpy(&word, p, sizeof(word));
		crc64 = _mm_crc32_u64(crc64, word);
	}
	for (crc = crc64; len; len--)
		crc = _mm_crc32_u8(crc, *p++);
	return crc;
}

/* By the processor, or most of the time would go into it */
u32 crc32c(u32 crc, const void *bytes, unsigned int len)
{
	void *bad = __asan_region_is_poisoned((void *)bytes, len);

	if (bad)
		__asan_describe_address(bad);
	must(!bad);
	return crc32c_unwatched(crc, bytes, len);
}

static u64 rotate(u64 x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

/* Of four bytes, which is all that is asked for */
u64 xxh64(const void *bytes, size_t len, u64 seed)
{
	const u64 prime[] = { 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f,
			      0x165667b19e3779f9, 0x85ebca77c2b2ae63,
			      0x27d4eb2f165667c5 };
	u64 hash = seed + prime[4] + len;
	u32 word;

	must(len == sizeof(word));
	memcpy(&word, bytes, sizeof(word));
	hash ^= word * prime[0];
	hash = rotate(hash, 23) * prime[1] + prime[2];
	hash = (hash ^ hash >> 33) * prime[1];
	hash = (hash ^ hash >> 29) * prime[2];
	return hash ^ hash >> 32;
}

/**
 * fuzz_interesting - a number that somebody may get wrong
 * @byte: Which.
 *
 * Return: the number: small ones, and those where something overflows.
 */
u64 fuzz_interesting(u8 byte)
{
	unsigned int bit = byte & 0x3f;

	if (byte < 0x80)
		return byte;
	if (byte < 0xc0)
		return 1ULL << bit;
	return 0 - (1ULL << bit / 2) + (bit & 1);
}
