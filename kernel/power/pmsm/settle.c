// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the machine has caught up with what piled up while it stood still.
 *
 * Processes run again, but so do all of them at once, with timers that fell due
 * and requests that waited, on processors whose caches have never seen any of
 * it.  For a client the pause ends after that.  The machine has settled when
 * every processor has had nothing to do at least once.
 */

#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include <trace/events/power.h>

#include "clock.h"
#include "settle.h"
#include "stats.h"

#define PMSM_SETTLE_POLL_MS	20
/* A machine that is always busy never settles: look no longer than this */
#define PMSM_SETTLE_MS		5000

static void look(struct work_struct *work);

static DECLARE_DELAYED_WORK(look_work, look);
static struct cpumask busy;
static u64 began;
static u64 settled;
static bool watching;

/* Runs on the way into idleness: may not wake anybody */
static void went_idle(void *data, unsigned int state, unsigned int cpu)
{
	if (state != PWR_EVENT_EXIT && cpumask_test_and_clear_cpu(cpu, &busy) &&
	    cpumask_empty(&busy))
		WRITE_ONCE(settled, pmsm_clock());
}

static void stop_watching(void)
{
	if (watching)
		unregister_trace_cpu_idle(went_idle, NULL);
	watching = false;
}

static void look(struct work_struct *work)
{
	u64 end = READ_ONCE(settled);

	if (!end && pmsm_clock() - began < PMSM_SETTLE_MS * PMSM_NS_PER_MS) {
		schedule_delayed_work(&look_work,
				      msecs_to_jiffies(PMSM_SETTLE_POLL_MS));
		return;
	}
	stop_watching();
	if (end)
		pmsm_stats_settled(end - began);
}

/**
 * pmsm_settle_watch - find out when the machine has settled
 *
 * Call when it has been moved and its processes run.  Tells
 * pmsm_stats_settled() if and when.  Needs CONFIG_TRACEPOINTS.  May sleep.
 */
void pmsm_settle_watch(void)
{
	/* One move soon after another */
	cancel_delayed_work_sync(&look_work);
	stop_watching();

	began = pmsm_clock();
	settled = 0;
	cpumask_copy(&busy, cpu_online_mask);
	watching = !register_trace_cpu_idle(went_idle, NULL);
	if (watching)
		schedule_delayed_work(&look_work,
				      msecs_to_jiffies(PMSM_SETTLE_POLL_MS));
}
