/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical machine state migration.
 *
 * Nothing may be traced while the image is being sent, since the trace buffer
 * is part of it.  The phases of a migration are therefore traced when it is
 * over, on the machine that goes on.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pmsm

#if !defined(_TRACE_PMSM_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_PMSM_H

#include <linux/tracepoint.h>

TRACE_EVENT(pmsm_phase,
	TP_PROTO(const char *name, u64 start, u64 duration),

	TP_ARGS(name, start, duration),

	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, start)
		__field(u64, duration)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->start = start;
		__entry->duration = duration;
	),

	TP_printk("name=%s start=%llu ns duration=%llu ns", __get_str(name),
		  __entry->start, __entry->duration)
);

TRACE_EVENT(pmsm_moved,
	TP_PROTO(u64 normal, u64 duplicate, u64 transferred, u64 retransmits,
		 u64 downtime),

	TP_ARGS(normal, duplicate, transferred, retransmits, downtime),

	TP_STRUCT__entry(
		__field(u64, normal)
		__field(u64, duplicate)
		__field(u64, transferred)
		__field(u64, retransmits)
		__field(u64, downtime)
	),

	TP_fast_assign(
		__entry->normal = normal;
		__entry->duplicate = duplicate;
		__entry->transferred = transferred;
		__entry->retransmits = retransmits;
		__entry->downtime = downtime;
	),

	TP_printk("normal=%llu pages duplicate=%llu pages transferred=%llu bytes retransmits=%llu downtime=%llu ns",
		  __entry->normal, __entry->duplicate, __entry->transferred,
		  __entry->retransmits, __entry->downtime)
);

TRACE_EVENT(pmsm_failed,
	TP_PROTO(const char *side, int error, const char *reason),

	TP_ARGS(side, error, reason),

	TP_STRUCT__entry(
		__string(side, side)
		__field(int, error)
		__string(reason, reason)
	),

	TP_fast_assign(
		__assign_str(side);
		__entry->error = error;
		__assign_str(reason);
	),

	TP_printk("side=%s error=%d reason=\"%s\"", __get_str(side),
		  __entry->error, __get_str(reason))
);

#endif /* _TRACE_PMSM_H */

#include <trace/define_trace.h>
