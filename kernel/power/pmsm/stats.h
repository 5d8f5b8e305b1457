/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of the last migration, and of one under way.
 */
#ifndef _PMSM_STATS_H
#define _PMSM_STATS_H

#include <linux/ktime.h>

#include "session.h"
#include "wire.h"

struct pmsm_handover;

/**
 * enum pmsm_activity - what this machine is doing
 * @PMSM_IDLE: Nothing.
 * @PMSM_NEGOTIATING: Looking for a target.
 * @PMSM_MIGRATING: A target has accepted.
 * @PMSM_LISTENING: Waiting for a source.
 * @PMSM_RECEIVING: A source has been accepted.
 * @PMSM_ACTIVITIES: End of the list.
 */
enum pmsm_activity {
	PMSM_IDLE,
	PMSM_NEGOTIATING,
	PMSM_MIGRATING,
	PMSM_LISTENING,
	PMSM_RECEIVING,
	PMSM_ACTIVITIES,
};

/**
 * struct pmsm_attempt - the last migration that was tried
 * @result: 0, or the negative errno that ended it.
 * @done: Pages of the image sent, or received.
 * @total: Pages of the image, 0 if it did not come so far.
 * @reason: Words for @result.
 */
struct pmsm_attempt {
	int result;
	u64 done;
	u64 total;
	char reason[PMSM_REASON_LEN];
};

/**
 * struct pmsm_stats - the last migration that worked: it brought this machine
 * @began: CLOCK_REALTIME when it began.
 * @phase_ns: Duration of each phase; one begins where the last one ended.
 * @normal: Pages sent as contents.
 * @duplicate: Pages sent as runs of zeroes.
 * @transferred: Bytes of contents sent.
 * @retransmits: Frames sent again.
 * @elsewhere: Pages that could not go straight into their frames.
 * @extra: Pages of memory that the source took for it.
 */
struct pmsm_stats {
	ktime_t began;
	u64 phase_ns[PMSM_PHASES];
	u64 normal;
	u64 duplicate;
	u64 transferred;
	u64 retransmits;
	u64 elsewhere;
	u64 extra;
};

/**
 * struct pmsm_stamps - time stamp counter of the target, as the moved kernel sees it
 * @came_back: It has been restored.
 * @resumed: Its devices work.
 * @committed: It may run.
 * @thawed: Its processes run.
 */
struct pmsm_stamps {
	u64 came_back;
	u64 resumed;
	u64 committed;
	u64 thawed;
};

extern const struct attribute_group *pmsm_stats_groups[];

void pmsm_activity_set(enum pmsm_activity activity);
void pmsm_stats_failed(const char *side, int error, const char *reason,
		       u64 done, u64 total);
void pmsm_stats_settled(u64 ns);
void pmsm_stats_moved(const struct pmsm_handover *handover,
		      const struct pmsm_stamps *stamps, ktime_t began);

#endif /* _PMSM_STATS_H */
