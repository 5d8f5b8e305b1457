// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which devices did not come up again on the target.
 *
 * The PM core resumes what it can and says so in the log.  It tells tracing,
 * too.
 */

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/kernel.h>

#include <trace/events/power.h>

#include "wake.h"

static char what[80];
static atomic_t nr_failed;
static unsigned int nr_cpus;
static bool watching;

static void callback_end(void *data, struct device *dev, int error)
{
	if (!error)
		return;
	/* Devices resume side by side; the first is enough */
	if (atomic_inc_return(&nr_failed) == 1)
		scnprintf(what, sizeof(what), "%s %s: error %d",
			  dev_driver_string(dev), dev_name(dev), error);
}

/**
 * pmsm_wake_watch - take notice of what fails to resume from now on
 *
 * Call before the image is taken.  May sleep.
 *
 * Return: 0 or a negative errno.
 */
int pmsm_wake_watch(void)
{
	int error = register_trace_device_pm_callback_end(callback_end, NULL);

	atomic_set(&nr_failed, 0);
	nr_cpus = num_online_cpus();
	watching = !error;
	return error;
}

/**
 * pmsm_wake_reset - forget what has failed so far
 *
 * Call first thing after the restore: what failed before that did not keep the
 * machine from moving.  Any context.
 */
void pmsm_wake_reset(void)
{
	atomic_set(&nr_failed, 0);
}

/**
 * pmsm_wake_failure - what of this machine does not work
 * @text: Where to put words for it, "" if all does.
 * @size: Room there.
 *
 * Call when devices have been resumed.
 */
void pmsm_wake_failure(char *text, unsigned int size)
{
	int failed = atomic_read(&nr_failed);

	text[0] = '\0';
	if (failed)
		scnprintf(text, size, "%d device%s failed to resume: %s",
			  failed, failed == 1 ? "" : "s", what);
	else if (num_online_cpus() < nr_cpus)
		scnprintf(text, size, "only %u of %u CPUs came up",
			  num_online_cpus(), nr_cpus);
}

/**
 * pmsm_wake_unwatch - take no notice any more
 *
 * May sleep.
 */
void pmsm_wake_unwatch(void)
{
	if (watching)
		unregister_trace_device_pm_callback_end(callback_end, NULL);
	watching = false;
}
