// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes to scripts that keep the records whole, so that what comes after a
 * change means what it did before.
 */

#include "actor.h"

#define RECORD		sizeof(struct record)

static u32 random_state;

static u32 below(u32 limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return limit ? (random_state >> 8) % limit : 0;
}

/* A few bits, a byte, or whatever libFuzzer thinks of */
static void change(struct record *record)
{
	u8 *bytes = (u8 *)record;

	switch (below(4)) {
	case 0:
		bytes[below(RECORD)] = below(256);
		break;
	case 1:
		bytes[below(RECORD)] ^= 1 << below(8);
		break;
	case 2:
		bytes[below(RECORD)] += below(2) ? 1 : -1;
		break;
	default:
		fuzz_any_change(bytes, RECORD, RECORD);
	}
}

/* Records from one place to another, as far as there is room */
static size_t copy(struct record *to, size_t max, const struct record *from,
		   size_t nr)
{
	nr = min(nr, max);
	memmove(to, from, nr * RECORD);
	return nr;
}

static size_t insert(struct record *script, size_t nr, size_t max)
{
	struct record some[8];
	size_t at = below(nr + 1), from = below(nr);
	size_t len = min_t(size_t, 1 + below(ARRAY_SIZE(some)), max - nr);

	len = min(len, nr - from);
	memcpy(some, script + from, len * RECORD);
	if (len == 1)
		change(some);
	memmove(script + at + len, script + at, (nr - at) * RECORD);
	memcpy(script + at, some, len * RECORD);
	return nr + len;
}

static size_t take_out(struct record *script, size_t nr)
{
	size_t at = below(nr), len = min_t(size_t, 1 + below(4), nr - at);

	copy(script + at, nr, script + at + len, nr - at - len);
	return nr - len;
}

static void exchange(struct record *script, size_t nr)
{
	size_t a = below(nr), b = below(nr);
	struct record record = script[a];

	script[a] = script[b];
	script[b] = record;
}

/**
 * fuzz_mutate - change a script
 * @data: The script.
 * @size: Its length.
 * @max: Room for it.
 * @seed: For random numbers.
 *
 * Return: its length now.
 */
size_t fuzz_mutate(u8 *data, size_t size, size_t max, unsigned int seed)
{
	struct record *script = (void *)data;
	size_t nr = size / RECORD, room = max / RECORD;
	unsigned int changes;

	random_state = seed;
	if (!nr)
		return fuzz_any_change(data, size, max);
	for (changes = 1 + below(4); changes && nr; changes--) {
		switch (below(8)) {
		case 0:
		case 1:
			nr = insert(script, nr, room);
			break;
		case 2:
			nr = take_out(script, nr);
			break;
		case 3:
			exchange(script, nr);
			break;
		default:
			change(script + below(nr));
		}
	}
	return nr * RECORD;
}

/**
 * fuzz_cross - begin with one script and go on with another
 * @one: The one.
 * @one_size: Its length.
 * @two: The other.
 * @two_size: Its length.
 * @out: Where to put the result.
 * @max: Room there.
 * @seed: For random numbers.
 *
 * Return: length of the result.
 */
size_t fuzz_cross(const u8 *one, size_t one_size, const u8 *two,
		  size_t two_size, u8 *out, size_t max, unsigned int seed)
{
	size_t nr, skip, room = max / RECORD;

	random_state = seed;
	nr = below(one_size / RECORD + 1);
	skip = below(two_size / RECORD + 1);
	nr = copy((void *)out, room, (const void *)one, nr);
	nr += copy((struct record *)out + nr, room - nr,
		   (const struct record *)two + skip, two_size / RECORD - skip);
	return nr * RECORD;
}
