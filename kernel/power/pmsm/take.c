// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's messages, as the target takes them: an image, piece by piece.
 */

#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/xxhash.h>

#include "clock.h"
#include "fault.h"
#include "slept.h"
#include "target.h"

/**
 * pmsm_fail - put the reason for giving up into words
 * @target: The migration.
 * @error: Negative errno.
 * @fmt: One line for both logs, in printk() format.
 *
 * Return: @error.
 */
int pmsm_fail(struct pmsm_target *target, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(target->reason, sizeof(target->reason), fmt, args);
	va_end(args);
	return error;
}

static int take_begin(struct pmsm_target *target, const void *payload,
		      unsigned int len)
{
	const struct pmsm_wire_begin *begin = payload;

	if (!target->open || target->begun || len != sizeof(*begin))
		return pmsm_fail(target, -EPROTO, "BEGIN out of turn");
	if (be64_to_cpu(begin->max_pfn) > target->store.max_pfn)
		return pmsm_fail(target, -ENOSPC,
				 "page frames up to %#llx there, %#lx here",
				 be64_to_cpu(begin->max_pfn),
				 target->store.max_pfn);
	if (pmsm_fault(PMSM_STEP_BEGUN))
		return pmsm_fail(target, -EIO, "fault injection at BEGIN");
	target->begin = *begin;
	target->begun = true;
	target->started = pmsm_clock();
	target->told = target->started;
	return 0;
}

static int take_map(struct pmsm_target *target, const void *payload,
		    unsigned int len)
{
	const struct pmsm_wire_run *run = payload;
	u64 pfn, nr;

	if (!target->begun || target->planned || len % sizeof(*run))
		return pmsm_fail(target, -EPROTO, "MAP out of turn");

	for (; len; len -= sizeof(*run), run++) {
		pfn = be64_to_cpu(run->pfn);
		nr = be64_to_cpu(run->nr);
		if (pmsm_store_expect(&target->store, pfn, nr))
			return pmsm_fail(target, -ENOSPC,
					 "page frames %#llx+%#llx there are not memory here",
					 pfn, nr);
	}
	return 0;
}

/* The map is complete once the first contents come */
static int plan(struct pmsm_target *target)
{
	struct pmsm_store *store = &target->store;
	u64 pfn = be64_to_cpu(target->begin.handover_pfn);

	if (target->planned)
		return 0;
	if (!target->begun ||
	    store->nr_image != be64_to_cpu(target->begin.nr_pages))
		return pmsm_fail(target, -EPROTO,
				 "%llu page frames announced, %lu named",
				 be64_to_cpu(target->begin.nr_pages),
				 store->nr_image);
	if (pmsm_store_expect(store, pfn, 1) ||
	    store->nr_image == be64_to_cpu(target->begin.nr_pages))
		return pmsm_fail(target, -EPROTO,
				 "no room for the handover at page frame %#llx",
				 pfn);
	if (pmsm_store_plan(store))
		return pmsm_fail(target, -ENOSPC,
				 "no memory to hold the image: %lu pages there, %lu free here",
				 store->nr_image, store->nr_own);
	target->handover = pmsm_store_spare(store);
	if (!target->handover)
		return pmsm_fail(target, -ENOSPC, "no memory for the handover");
	clear_page(target->handover);
	if (pmsm_fault(PMSM_STEP_PLANNED))
		return pmsm_fail(target, -EIO, "fault injection at the map");
	target->planned = true;
	return 0;
}

static int explain_store(struct pmsm_target *target, int error)
{
	struct pmsm_store *store = &target->store;

	if (error == -ENOSPC)
		return pmsm_fail(target, error,
				 "no memory for %lu pages: %lu free, %lu of them elsewhere",
				 store->nr_image, store->nr_own, store->nr_conflicts);
	if (error)
		return pmsm_fail(target, error,
				 "contents of memory outside the image");
	return 0;
}

static int take_data(struct pmsm_target *target, const void *payload,
		     unsigned int len)
{
	const struct pmsm_wire_data *data = payload;
	int error = plan(target);

	if (error)
		return error;
	if (target->ended)
		return pmsm_fail(target, -EPROTO, "contents after END");
	if (len < sizeof(*data))
		return pmsm_fail(target, -EPROTO, "short DATA");
	error = pmsm_store_write(&target->store, be64_to_cpu(data->addr),
				 data->bytes, len - sizeof(*data));
	return explain_store(target, error);
}

static int take_zero(struct pmsm_target *target, const void *payload,
		     unsigned int len)
{
	const struct pmsm_wire_run *run = payload;
	int error = plan(target);

	if (target->ended)
		return pmsm_fail(target, -EPROTO, "contents after END");
	if (!error && len % sizeof(*run))
		error = pmsm_fail(target, -EPROTO, "odd ZERO");
	for (; len && !error; len -= sizeof(*run), run++)
		error = explain_store(target,
				      pmsm_store_zero(&target->store,
						      be64_to_cpu(run->pfn),
						      be64_to_cpu(run->nr)));
	return error;
}

/**
 * pmsm_target_write_handover - fill the page for the machine that is coming
 * @target: The migration, with the image complete but for this page, or
 *	complete.
 *
 * Return: 0 or a negative errno.
 */
int pmsm_target_write_handover(struct pmsm_target *target)
{
	u64 addr = PFN_PHYS(be64_to_cpu(target->begin.handover_pfn));
	const struct pmsm_wire_prepare *account = &target->account;
	struct pmsm_handover *handover = target->handover;
	u64 round_trip;

	round_trip = pmsm_cycles_to_ns(target->prepared_at, tsc_khz) - target->verified;
	handover->magic = PMSM_HANDOVER_MAGIC;
	handover->session = target->session.id;
	ether_addr_copy(handover->source, target->session.peer);
	handover->account = *account;
	handover->data_pages = target->data_pages;
	handover->zero_pages = target->zero_pages;
	handover->conflicts = target->store.nr_conflicts;
	handover->prepared = target->prepared_at;
	handover->tsc_khz = tsc_khz;
	handover->one_way_ns = pmsm_one_way(round_trip,
					    be64_to_cpu(account->held_ns));
	handover->slept_ns = be64_to_cpu(account->stopped_ns) +
			     handover->one_way_ns;
	get_random_bytes(handover->seed, sizeof(handover->seed));
	return explain_store(target, pmsm_store_write(&target->store, addr,
						      handover, PAGE_SIZE));
}

static int take_end(struct pmsm_target *target, const void *payload,
		    unsigned int len)
{
	const struct pmsm_wire_end *end = payload;
	struct pmsm_store *store = &target->store;
	unsigned long present;
	u64 sent;
	int error;

	if (!target->planned || target->ended || len != sizeof(*end))
		return pmsm_fail(target, -EPROTO, "END out of turn");
	target->data_pages = be64_to_cpu(end->data_pages);
	target->zero_pages = be64_to_cpu(end->zero_pages);
	sent = target->data_pages + target->zero_pages;
	present = store->nr_present;
	/* Its frame is taken now, so that later there is nothing left to fail */
	error = pmsm_target_write_handover(target);
	if (error)
		return error;
	if (present != sent || !pmsm_store_complete(store))
		return pmsm_fail(target, -EBADMSG,
				 "%llu pages sent, %lu here, %lu wanted", sent,
				 present, store->nr_image - 1);
	if (be64_to_cpu(end->digest) != target->digest)
		return pmsm_fail(target, -EBADMSG,
				 "digest %016llx there, %016llx here",
				 be64_to_cpu(end->digest), target->digest);
	if (pmsm_fault(PMSM_STEP_ENDED))
		return pmsm_fail(target, -EIO, "fault injection at END");
	target->ended = true;
	return 0;
}

static int take_prepare(struct pmsm_target *target, const void *payload,
			unsigned int len)
{
	if (!target->verified || target->prepared ||
	    len != sizeof(target->account))
		return pmsm_fail(target, -EPROTO, "PREPARE out of turn");
	memcpy(&target->account, payload, len);
	target->prepared_at = rdtsc_ordered();
	target->prepared = true;
	return 0;
}

/**
 * pmsm_target_deliver - take the next message of the source
 * @ctx: The migration, a struct pmsm_target.
 * @type: Type of the message.
 * @payload: Its payload.
 * @len: Length of that.
 * @crc: CRC32C of its frame.
 *
 * Return: 0, or a negative errno after putting it into words.
 */
int pmsm_target_deliver(void *ctx, unsigned int type, const void *payload,
			unsigned int len, u32 crc)
{
	struct pmsm_target *target = ctx;
	__be32 be_crc = cpu_to_be32(crc);

	if (type == PMSM_MAP || type == PMSM_DATA || type == PMSM_ZERO)
		target->digest = xxh64(&be_crc, sizeof(be_crc), target->digest);

	switch (type) {
	case PMSM_BEGIN:
		return take_begin(target, payload, len);
	case PMSM_MAP:
		return take_map(target, payload, len);
	case PMSM_DATA:
		return take_data(target, payload, len);
	case PMSM_ZERO:
		return take_zero(target, payload, len);
	case PMSM_END:
		return take_end(target, payload, len);
	case PMSM_PREPARE:
		return take_prepare(target, payload, len);
	default:
		return pmsm_fail(target, -EPROTO, "unexpected message %u",
				 type);
	}
}
