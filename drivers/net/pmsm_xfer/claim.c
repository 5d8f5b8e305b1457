// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a polled driver gets its NIC: by driver_override, set from user space
 * or, for a NIC that must be ours from boot on, from a parameter before the
 * ordinary driver sees the device.
 */

#define pr_fmt(fmt) "pmsm_xfer: " fmt

#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pmsm.h>
#include <linux/string.h>

#include "pmsm_xfer.h"

/* Later releases of 6.12 have driver_override in the driver core */
#ifdef PMSM_CORE_DRIVER_OVERRIDE
static void set_override(struct pci_dev *pdev, const char *name)
{
	device_set_driver_override(&pdev->dev, name);
}
#else
static void set_override(struct pci_dev *pdev, const char *name)
{
	driver_set_override(&pdev->dev, &pdev->driver_override, name,
			    strlen(name));
}
#endif

static struct pci_dev *find_nic(const char *nic)
{
	unsigned int domain = 0, bus, dev, fn;
	char end;

	if (sscanf(nic, "%x:%x:%x.%x%c", &domain, &bus, &dev, &fn, &end) != 4) {
		domain = 0;
		if (sscanf(nic, "%x:%x.%x%c", &bus, &dev, &fn, &end) != 3)
			return ERR_PTR(-EINVAL);
	}
	if (bus > 0xff || dev > 0x1f || fn > 7)
		return ERR_PTR(-EINVAL);
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(dev, fn));
}

static void claim(struct pci_driver *driver, const char *nic)
{
	struct pci_dev *pdev = find_nic(nic);

	if (IS_ERR(pdev)) {
		pr_err("%s: \"%s\" is not a PCI address such as 0000:00:04.0\n",
		       driver->name, nic);
		return;
	}
	if (!pdev) {
		pr_err("%s: there is no PCI device %s\n", driver->name, nic);
		return;
	}

	device_lock(&pdev->dev);
	if (pdev->driver && pdev->driver != driver)
		pr_err("%s: %s is bound to %s: echo %s > /sys/bus/pci/drivers/%s/unbind, then load this driver again\n",
		       driver->name, pci_name(pdev), pdev->driver->name,
		       pci_name(pdev), pdev->driver->name);
	device_unlock(&pdev->dev);

	if (!pdev->driver)
		set_override(pdev, driver->name);
	pci_dev_put(pdev);
}

/**
 * pmsm_xfer_register - register a polled driver and claim its NIC
 * @driver: The driver.  Its @probe refuses devices that are not its kind.
 * @nic: PCI address from the driver's own parameter, or NULL.
 *
 * Claims the NIC that pmsm.listen= names as well.
 *
 * Return: 0 or a negative errno.
 */
int pmsm_xfer_register(struct pci_driver *driver, const char *nic)
{
	const char *listen = pmsm_listen_nic();

	if (nic && *nic)
		claim(driver, nic);
	if (listen && *listen)
		claim(driver, listen);
	return pci_register_driver(driver);
}
EXPORT_SYMBOL_GPL(pmsm_xfer_register);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Common code of the polled transfer NIC drivers");
