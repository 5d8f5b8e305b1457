// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failing on purpose at any step of a migration, by the kernel's fault
 * injection (Documentation/fault-injection/fault-injection.rst).
 *
 * On top of what that offers, fail_step names the one step to fail at, and
 * fail_action says how.  All of it is part of the image: what is set on the
 * source for a step of the restored kernel happens on the target.
 */

#include <linux/errno.h>
#include <linux/fault-inject.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/processor.h>
#include <linux/string.h>

#include "fault.h"
#include "pmsm.h"

static const char * const step_names[PMSM_STEPS] = {
	[PMSM_STEP_LINK]	= "link",
	[PMSM_STEP_ALLOC]	= "alloc",
	[PMSM_STEP_HELLO]	= "hello",
	[PMSM_STEP_ACCEPTED]	= "accepted",
	[PMSM_STEP_FROZEN]	= "frozen",
	[PMSM_STEP_SCANNED]	= "scanned",
	[PMSM_STEP_STREAMED]	= "streamed",
	[PMSM_STEP_PREPARE]	= "prepare",
	[PMSM_STEP_COMMIT]	= "commit",
	[PMSM_STEP_ACCEPT]	= "accept",
	[PMSM_STEP_STOPPED]	= "stopped",
	[PMSM_STEP_BEGUN]	= "begun",
	[PMSM_STEP_PLANNED]	= "planned",
	[PMSM_STEP_ENDED]	= "ended",
	[PMSM_STEP_VERIFIED]	= "verified",
	[PMSM_STEP_JUMP]	= "jump",
	[PMSM_STEP_RESTART]	= "restart",
	[PMSM_STEP_RESUMED]	= "resumed",
};

static DECLARE_FAULT_ATTR(attr);

static char fail_step[16];
module_param_string(fail_step, fail_step, sizeof(fail_step), 0644);
MODULE_PARM_DESC(fail_step, "Step to fail at, see kernel/power/pmsm/fault.h; \"\" for none");

static char fail_action[8] = "error";
module_param_string(fail_action, fail_action, sizeof(fail_action), 0644);
MODULE_PARM_DESC(fail_action, "How to fail there: error, panic or hang");

/**
 * pmsm_fault - fail here if somebody wants that
 * @step: Where this is.
 *
 * Any context.
 *
 * Return: 0, or -EIO after which the caller gives up.
 */
int pmsm_fault(enum pmsm_step step)
{
	if (!sysfs_streq(fail_step, step_names[step]) || !should_fail(&attr, 1))
		return 0;
	pr_warn("failing on purpose at step %s\n", step_names[step]);
	if (sysfs_streq(fail_action, "panic"))
		panic("fault injection at step %s", step_names[step]);
	while (sysfs_streq(fail_action, "hang"))
		cpu_relax();
	return -EIO;
}

/* Once, unless somebody says otherwise in debugfs */
static int __init fault_init(void)
{
	struct dentry *dir;

	attr.verbose = 0;
	attr.probability = 100;
	dir = fault_create_debugfs_attr("pmsm_fail", NULL, &attr);
	return PTR_ERR_OR_ZERO(dir);
}
late_initcall(fault_init);
