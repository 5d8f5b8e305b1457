// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that does not survive a move, for testing what becomes of the machine.
 */

#include <linux/device.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/platform_device.h>
#include <linux/pmsm.h>
#include <linux/processor.h>
#include <linux/string.h>

#include "pmsm.h"

#define PMSM_TEST_DEVICE	"pmsm-test"

static char test_restore[8] = "ok";
module_param_string(test_restore, test_restore, sizeof(test_restore), 0644);
MODULE_PARM_DESC(test_restore, "What a test device does when it is restored: ok, fail, panic or hang");

static char test_freeze[8] = "ok";
module_param_string(test_freeze, test_freeze, sizeof(test_freeze), 0644);
MODULE_PARM_DESC(test_freeze, "What it does when it is to stop: ok, or write, as a disk that is made of another one");

static int freeze(struct device *dev)
{
	if (sysfs_streq(test_freeze, "write"))
		pmsm_write_gate();
	return 0;
}

static int restore(struct device *dev)
{
	if (sysfs_streq(test_restore, "fail"))
		return -EIO;
	if (sysfs_streq(test_restore, "panic"))
		panic("%s: test_restore=panic", dev_name(dev));
	while (sysfs_streq(test_restore, "hang"))
		cpu_relax();
	return 0;
}

static const struct dev_pm_ops test_pm_ops = {
	.freeze		= freeze,
	.restore	= restore,
};

static struct platform_driver test_driver = {
	.driver = {
		.name	= PMSM_TEST_DEVICE,
		.pm	= &test_pm_ops,
	},
};

static int __init test_device_init(void)
{
	struct platform_device *pdev;
	int error = platform_driver_register(&test_driver);

	if (error)
		return error;
	pdev = platform_device_register_simple(PMSM_TEST_DEVICE,
					       PLATFORM_DEVID_NONE, NULL, 0);
	return PTR_ERR_OR_ZERO(pdev);
}
late_initcall(test_device_init);
