// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known of the last migration, and of one under way: for the log, for
 * sysfs, and for tracing.  The words are those of QEMU's "info migrate".
 */

#include <linux/kobject.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>
#include <linux/time64.h>

#define CREATE_TRACE_POINTS
#include <trace/events/pmsm.h>

#include "clock.h"
#include "pmsm.h"
#include "stats.h"

static const char * const phase_names[PMSM_PHASES] = {
	[PMSM_PHASE_SYNC]	= "sync",
	[PMSM_PHASE_NEGOTIATE]	= "negotiate",
	[PMSM_PHASE_FREEZE]	= "freeze",
	[PMSM_PHASE_DEVICES]	= "devices",
	[PMSM_PHASE_SCAN]	= "scan",
	[PMSM_PHASE_STREAM]	= "stream",
	[PMSM_PHASE_VERIFY]	= "verify",
	[PMSM_PHASE_RESTORE]	= "restore",
	[PMSM_PHASE_RESUME]	= "resume",
	[PMSM_PHASE_COMMIT]	= "commit",
	[PMSM_PHASE_THAW]	= "thaw",
	[PMSM_PHASE_SETTLE]	= "settle",
};

static const char * const activity_names[PMSM_ACTIVITIES] = {
	[PMSM_IDLE]		= "idle",
	[PMSM_NEGOTIATING]	= "negotiating",
	[PMSM_MIGRATING]	= "migrating",
	[PMSM_LISTENING]	= "listening",
	[PMSM_RECEIVING]	= "receiving",
};

static enum pmsm_activity activity;

/* Protects what is below */
static DEFINE_MUTEX(last_mutex);
static struct pmsm_stats last;
static struct pmsm_attempt attempt;
static unsigned long moves;

static u64 sum(const struct pmsm_stats *stats, enum pmsm_phase from,
	       enum pmsm_phase to)
{
	u64 ns = 0;

	for (; from <= to; from++)
		ns += stats->phase_ns[from];
	return ns;
}

static u64 downtime(const struct pmsm_stats *stats)
{
	return sum(stats, PMSM_PHASE_FREEZE, PMSM_PHASE_THAW);
}

/* Contents, in bytes per second of the phase in which they are sent */
static u64 throughput(const struct pmsm_stats *stats)
{
	return mul_u64_u64_div_u64(stats->transferred, NSEC_PER_SEC,
				   stats->phase_ns[PMSM_PHASE_STREAM] | 1);
}

static u64 to_us(u64 ns)
{
	return div_u64(ns, NSEC_PER_USEC);
}

static void trace_all(const struct pmsm_stats *stats)
{
	u64 start = 0;
	int i;

	for (i = 0; i <= PMSM_PHASE_THAW; i++) {
		trace_pmsm_phase(phase_names[i], start, stats->phase_ns[i]);
		start += stats->phase_ns[i];
	}
	trace_pmsm_moved(stats->normal, stats->duplicate, stats->transferred,
			 stats->retransmits, downtime(stats));
}

static void print_all(const struct pmsm_stats *stats)
{
	u64 us;
	int i;

	pr_info("moved: %llu pages, %llu of them zero, %llu frames elsewhere, %llu bytes, %llu MiB/s\n",
		stats->normal + stats->duplicate, stats->duplicate,
		stats->elsewhere, stats->transferred, throughput(stats) >> 20);
	pr_info("sent again: %llu frames; extra memory on the source: %llu pages\n",
		stats->retransmits, stats->extra);
	for (i = 0; i <= PMSM_PHASE_THAW; i++) {
		us = to_us(stats->phase_ns[i]);
		pr_info("phase %s: %llu.%03llu ms\n", phase_names[i],
			us / 1000, us % 1000);
	}
	pr_info("moved in %llu ms\n", div_u64(downtime(stats), NSEC_PER_MSEC));
}

/**
 * pmsm_activity_set - say what this machine is doing now
 * @now: What.
 *
 * Any context.
 */
void pmsm_activity_set(enum pmsm_activity now)
{
	WRITE_ONCE(activity, now);
}

/**
 * pmsm_stats_failed - a migration has failed, and this machine goes on
 * @side: "source" or "target", for the trace.
 * @error: Negative errno.
 * @reason: Words for it.
 * @done: Pages of the image that had been sent or received.
 * @total: Pages of the image, 0 if not known yet.
 *
 * May sleep.
 */
void pmsm_stats_failed(const char *side, int error, const char *reason,
		       u64 done, u64 total)
{
	trace_pmsm_failed(side, error, reason);
	mutex_lock(&last_mutex);
	attempt.result = error;
	attempt.done = done;
	attempt.total = total;
	strscpy(attempt.reason, reason);
	mutex_unlock(&last_mutex);
}

/**
 * pmsm_stats_moved - this machine has been moved
 * @handover: What the target has left for it.
 * @stamps: When it got how far.
 * @began: CLOCK_REALTIME when the migration began.
 *
 * Call once its processes run again.  May sleep.
 */
void pmsm_stats_moved(const struct pmsm_handover *handover,
		      const struct pmsm_stamps *stamps, ktime_t began)
{
	const struct pmsm_wire_prepare *account = &handover->account;
	struct pmsm_stats stats = {
		.began		= began,
		.normal		= handover->data_pages,
		.duplicate	= handover->zero_pages,
		.transferred	= be64_to_cpu(account->data_bytes),
		.retransmits	= be64_to_cpu(account->retransmits),
		.elsewhere	= handover->conflicts,
		.extra		= be64_to_cpu(account->extra_pages),
	};
	u32 khz = handover->tsc_khz;
	u64 *ns = stats.phase_ns;
	int i;

	for (i = 0; i <= PMSM_PHASE_VERIFY; i++)
		ns[i] = be64_to_cpu(account->phase_ns[i]);
	ns[PMSM_PHASE_RESTORE] = be64_to_cpu(account->held_ns) +
		handover->one_way_ns +
		pmsm_cycles_to_ns(stamps->came_back - handover->prepared, khz);
	ns[PMSM_PHASE_RESUME] =
		pmsm_cycles_to_ns(stamps->resumed - stamps->came_back, khz);
	ns[PMSM_PHASE_COMMIT] =
		pmsm_cycles_to_ns(stamps->committed - stamps->resumed, khz);
	ns[PMSM_PHASE_THAW] =
		pmsm_cycles_to_ns(stamps->thawed - stamps->committed, khz);

	trace_all(&stats);
	print_all(&stats);
	mutex_lock(&last_mutex);
	last = stats;
	attempt = (struct pmsm_attempt){
		.done	= stats.normal + stats.duplicate,
		.total	= stats.normal + stats.duplicate,
	};
	moves++;
	mutex_unlock(&last_mutex);
}

/**
 * pmsm_stats_settled - the moved machine has caught up
 * @ns: How long it took, in ns.
 *
 * May sleep.
 */
void pmsm_stats_settled(u64 ns)
{
	u64 us = to_us(ns), start;

	mutex_lock(&last_mutex);
	last.phase_ns[PMSM_PHASE_SETTLE] = ns;
	start = sum(&last, PMSM_PHASE_SYNC, PMSM_PHASE_THAW);
	mutex_unlock(&last_mutex);
	trace_pmsm_phase(phase_names[PMSM_PHASE_SETTLE], start, ns);
	pr_info("settled after %llu.%03llu ms\n", us / 1000, us % 1000);
}

#define PMSM_ATTR(_name, _format, _value)				\
static ssize_t _name##_show(struct kobject *kobj,			\
			    struct kobj_attribute *attr, char *buf)	\
{									\
	ssize_t len;							\
									\
	mutex_lock(&last_mutex);					\
	len = sysfs_emit(buf, _format "\n", _value);			\
	mutex_unlock(&last_mutex);					\
	return len;							\
}									\
									\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

PMSM_ATTR(phase, "%s", activity_names[READ_ONCE(activity)]);
PMSM_ATTR(progress, "%llu", div64_u64(attempt.done * 100, max(attempt.total, 1ULL)));
PMSM_ATTR(moves, "%lu", moves);
PMSM_ATTR(last_result, "%d", attempt.result);
PMSM_ATTR(last_reason, "%s", attempt.reason);

static struct attribute *state_attrs[] = {
	&phase_attr.attr,
	&progress_attr.attr,
	&moves_attr.attr,
	&last_result_attr.attr,
	&last_reason_attr.attr,
	NULL,
};

static const struct attribute_group state_group = {
	.attrs = state_attrs,
};

PMSM_ATTR(began_ns, "%lld", ktime_to_ns(last.began));
PMSM_ATTR(total_time_us, "%llu",
	  to_us(sum(&last, PMSM_PHASE_SYNC, PMSM_PHASE_THAW)));
PMSM_ATTR(setup_us, "%llu",
	  to_us(sum(&last, PMSM_PHASE_SYNC, PMSM_PHASE_NEGOTIATE)));
PMSM_ATTR(downtime_us, "%llu", to_us(downtime(&last)));
PMSM_ATTR(normal_pages, "%llu", last.normal);
PMSM_ATTR(duplicate_pages, "%llu", last.duplicate);
PMSM_ATTR(transferred_bytes, "%llu", last.transferred);
PMSM_ATTR(remaining_bytes, "%llu", (attempt.total - attempt.done) << PAGE_SHIFT);
PMSM_ATTR(throughput, "%llu", throughput(&last));
PMSM_ATTR(retransmits, "%llu", last.retransmits);
PMSM_ATTR(elsewhere_pages, "%llu", last.elsewhere);
PMSM_ATTR(extra_pages, "%llu", last.extra);

static struct attribute *stats_attrs[] = {
	&began_ns_attr.attr,
	&total_time_us_attr.attr,
	&setup_us_attr.attr,
	&downtime_us_attr.attr,
	&normal_pages_attr.attr,
	&duplicate_pages_attr.attr,
	&transferred_bytes_attr.attr,
	&remaining_bytes_attr.attr,
	&throughput_attr.attr,
	&retransmits_attr.attr,
	&elsewhere_pages_attr.attr,
	&extra_pages_attr.attr,
	NULL,
};

static const struct attribute_group stats_group = {
	.name = "stats",
	.attrs = stats_attrs,
};

PMSM_ATTR(sync_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_SYNC]));
PMSM_ATTR(negotiate_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_NEGOTIATE]));
PMSM_ATTR(freeze_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_FREEZE]));
PMSM_ATTR(devices_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_DEVICES]));
PMSM_ATTR(scan_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_SCAN]));
PMSM_ATTR(stream_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_STREAM]));
PMSM_ATTR(verify_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_VERIFY]));
PMSM_ATTR(restore_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_RESTORE]));
PMSM_ATTR(resume_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_RESUME]));
PMSM_ATTR(commit_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_COMMIT]));
PMSM_ATTR(thaw_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_THAW]));
PMSM_ATTR(settle_us, "%llu", to_us(last.phase_ns[PMSM_PHASE_SETTLE]));

static struct attribute *phase_attrs[] = {
	&sync_us_attr.attr,
	&negotiate_us_attr.attr,
	&freeze_us_attr.attr,
	&devices_us_attr.attr,
	&scan_us_attr.attr,
	&stream_us_attr.attr,
	&verify_us_attr.attr,
	&restore_us_attr.attr,
	&resume_us_attr.attr,
	&commit_us_attr.attr,
	&thaw_us_attr.attr,
	&settle_us_attr.attr,
	NULL,
};

static const struct attribute_group phase_group = {
	.name = "phases",
	.attrs = phase_attrs,
};

/* What of this shows below /sys/power/pmsm/ */
const struct attribute_group *pmsm_stats_groups[] = {
	&state_group,
	&stats_group,
	&phase_group,
	NULL,
};
