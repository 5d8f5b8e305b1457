/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the migration share.
 */
#ifndef _PMSM_PMSM_H
#define _PMSM_PMSM_H

#undef pr_fmt
#define pr_fmt(fmt) "PM: pmsm: " fmt

#include <linux/pmsm.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/types.h>

#include "wire.h"

/**
 * enum pmsm_in_doubt - what a source does that cannot know who runs
 * @PMSM_DOUBT_HALT: Stay halted and go on asking.
 * @PMSM_DOUBT_OFF: Power off: whoever looks after the target sees to it.
 * @PMSM_DOUBT_RUN: Run: somebody makes sure that the target does not.
 */
enum pmsm_in_doubt {
	PMSM_DOUBT_HALT,
	PMSM_DOUBT_OFF,
	PMSM_DOUBT_RUN,
};

/**
 * struct pmsm_settings - what the operator has said
 * @nic: Name of the transfer NIC, or "" for the only one.
 * @peer: Source: the target's Ethernet address, broadcast for anybody.
 * @timeout_ms: Give up when the other side is silent for so long.
 * @resume_ms: Source: give up when the target has not restored the image and
 *	resumed its devices after so long.
 * @in_doubt: Source: what to do if it has told the target to go, and hears
 *	nothing.
 * @listen_ms: Target: stop waiting for a source after so long, 0 for never.
 */
struct pmsm_settings {
	char nic[32];
	u8 peer[ETH_ALEN];
	unsigned int timeout_ms;
	unsigned int resume_ms;
	enum pmsm_in_doubt in_doubt;
	unsigned int listen_ms;
};

#define PMSM_HANDOVER_MAGIC	0x504d534d5f4f4b21ULL

/**
 * struct pmsm_handover - what the target tells the machine that it becomes
 * @magic: %PMSM_HANDOVER_MAGIC.
 * @session: Which migration this was.
 * @source: Ethernet address of the source.
 * @account: The source's account.
 * @data_pages: Pages that came as contents.
 * @zero_pages: Pages that came as runs of zeroes.
 * @conflicts: Pages that could not go straight into their frames.
 * @prepared: Time stamp counter of the target when PREPARE came.
 * @tsc_khz: Frequency of that counter.
 * @slept_ns: How long the machine's clock had been stopped by then.
 * @one_way_ns: For how long PREPARE was on its way.
 * @seed: Random numbers from the target.
 *
 * One page of the source's memory that is not part of its image.
 */
struct pmsm_handover {
	u64 magic;
	u64 session;
	u8 source[ETH_ALEN];
	struct pmsm_wire_prepare account;
	u64 data_pages;
	u64 zero_pages;
	u64 conflicts;
	u64 prepared;
	u32 tsc_khz;
	u64 slept_ns;
	u64 one_way_ns;
	u8 seed[32];
};

/* main.c */
int pmsm_parse_listen(char *text, struct pmsm_settings *settings);

/* link.c */
struct pmsm_link *pmsm_link_get(const char *name, bool sends);
void pmsm_link_put(struct pmsm_link *link);
ssize_t pmsm_links_show(char *buf);

/* link_fault.c */
#ifdef CONFIG_PMSM_LINK_FAULT
struct pmsm_link *pmsm_fault_wrap(struct pmsm_link *inner);
struct pmsm_link *pmsm_fault_unwrap(struct pmsm_link *link);
#else
static inline struct pmsm_link *pmsm_fault_wrap(struct pmsm_link *inner)
{
	return inner;
}

static inline struct pmsm_link *pmsm_fault_unwrap(struct pmsm_link *link)
{
	return link;
}
#endif

/* nosave.c */
unsigned long pmsm_nosave_pages(void);
void pmsm_nosave_forbid(void);

/* source.c */
int pmsm_source_migrate(const struct pmsm_settings *settings);

/* listen.c */
int pmsm_target_listen(const struct pmsm_settings *settings);

/* preflight.c */
int pmsm_preflight(const struct pmsm_settings *settings);
ssize_t pmsm_preflight_show(char *buf);

/* blast.c */
int pmsm_blast(const struct pmsm_settings *settings, unsigned int mib);
bool pmsm_blast_hear(const struct pmsm_frame *frame, unsigned int len);
bool pmsm_blast_busy(void);
void pmsm_blast_answer(struct pmsm_link *link, const struct pmsm_frame *frame);

/* A session number, odd; zero is nobody's */
static inline u64 pmsm_random_id(void)
{
	/* Not the largest: the next must not be zero */
	return (get_random_u64() >> 1) | 1;
}

/* The number of a session's second half, from that of either */
static inline u64 pmsm_second_id(u64 id)
{
	return (id + 1) & ~1ULL;
}

#endif /* _PMSM_PMSM_H */
