// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices that the source uses and the target must have, in the same slots:
 * the restored kernel has their drivers, and does not look for others.
 */

#include <linux/err.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "devices.h"
#include "pmsm.h"
#include "reasons.h"

static bool same_place(const struct pmsm_wire_device *a,
		       const struct pmsm_wire_device *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->devfn == b->devfn;
}

/**
 * pmsm_devices_see - take note of a device of the target
 * @used: The devices that the source uses.
 * @there: What the target has.
 */
void pmsm_devices_see(struct pmsm_devices *used,
		      const struct pmsm_wire_device *there)
{
	unsigned int i;

	for (i = 0; i < used->nr; i++) {
		if (!same_place(&used->list[i].here, there))
			continue;
		used->list[i].there = *there;
		used->list[i].seen = true;
	}
}

static bool is_transfer(const struct pmsm_wire_device *dev)
{
	return be16_to_cpu(dev->flags) & PMSM_DEVICE_TRANSFER;
}

static bool same_model(const struct pmsm_wire_device *a,
		       const struct pmsm_wire_device *b)
{
	return a->vendor == b->vendor && a->device == b->device;
}

static void check_one(const struct pmsm_device *dev,
		      struct pmsm_reasons *reasons)
{
	const struct pmsm_wire_device *here = &dev->here, *there = &dev->there;
	char name[40];

	scnprintf(name, sizeof(name), "%04x:%02x:%02x.%u",
		  be32_to_cpu(here->domain), here->bus, PCI_SLOT(here->devfn),
		  PCI_FUNC(here->devfn));
	if (!dev->seen)
		pmsm_reasons_add(reasons, -ENXIO,
				 "device %s (%s, %04x:%04x) of the source is missing on the target: put one into that slot, or unbind its driver",
				 name, dev->driver, be16_to_cpu(here->vendor),
				 be16_to_cpu(here->device));
	else if (!same_model(here, there))
		pmsm_reasons_add(reasons, -ENXIO,
				 "device %s (%s) is %04x:%04x on the source, %04x:%04x on the target: put a like one into that slot, or unbind its driver",
				 name, dev->driver, be16_to_cpu(here->vendor),
				 be16_to_cpu(here->device),
				 be16_to_cpu(there->vendor),
				 be16_to_cpu(there->device));
	/* The restored kernel goes on with its own NIC, and the driver that it has */
	else if (is_transfer(here) && !is_transfer(there))
		pmsm_reasons_add(reasons, -ENXIO,
				 "device %s is the transfer NIC of the source, but not that of the target: connect NICs in the same slot",
				 name);
}

/**
 * pmsm_devices_check - whether the target has all that the source uses
 * @used: The devices that the source uses; all of the target have been seen.
 * @reasons: Where to add each that it lacks.
 */
void pmsm_devices_check(const struct pmsm_devices *used,
			struct pmsm_reasons *reasons)
{
	unsigned int i;

	for (i = 0; i < used->nr; i++)
		check_one(&used->list[i], reasons);
}

/**
 * pmsm_devices_free - forget them
 * @used: What pmsm_devices_used() has filled in.
 */
void pmsm_devices_free(struct pmsm_devices *used)
{
	kvfree(used->list);
	used->list = NULL;
	used->nr = 0;
}

#ifdef CONFIG_PCI
static void describe(const struct pci_dev *pdev, struct pmsm_wire_device *dev,
		     const char *nic)
{
	dev->domain = cpu_to_be32(pci_domain_nr(pdev->bus));
	dev->bus = pdev->bus->number;
	dev->devfn = pdev->devfn;
	dev->vendor = cpu_to_be16(pdev->vendor);
	dev->device = cpu_to_be16(pdev->device);
	if (!strcmp(pci_name(pdev), nic))
		dev->flags = cpu_to_be16(PMSM_DEVICE_TRANSFER);
}

static unsigned int count_all(void)
{
	struct pci_dev *pdev = NULL;
	unsigned int nr = 0;

	for_each_pci_dev(pdev)
		nr++;
	return min(nr, PMSM_DEVICES_MAX);
}

/* A driver can come and go meanwhile */
static bool get_driver_name(struct pci_dev *pdev, char *name, unsigned int size)
{
	bool bound;

	device_lock(&pdev->dev);
	bound = pdev->dev.driver;
	if (bound)
		strscpy(name, pdev->dev.driver->name, size);
	device_unlock(&pdev->dev);
	return bound;
}

/**
 * pmsm_devices_used - the devices that this machine uses
 * @used: Where to put those that have a driver.
 * @nic: Name of the transfer NIC.
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int pmsm_devices_used(struct pmsm_devices *used, const char *nic)
{
	unsigned int max = count_all();
	struct pci_dev *pdev = NULL;
	struct pmsm_device *dev;

	used->nr = 0;
	used->list = kvcalloc(max, sizeof(*used->list), GFP_KERNEL);
	if (max && !used->list)
		return -ENOMEM;

	for_each_pci_dev(pdev) {
		/* One more has just been plugged in */
		if (used->nr == max) {
			pci_dev_put(pdev);
			break;
		}
		dev = &used->list[used->nr];
		if (!get_driver_name(pdev, dev->driver, sizeof(dev->driver)))
			continue;
		describe(pdev, &dev->here, nic);
		used->nr++;
	}
	return 0;
}

/**
 * pmsm_devices_all - the devices that this machine has
 * @list: Where to put them, for kvfree().
 * @nr: Where to put how many.
 * @nic: Name of the transfer NIC.
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int pmsm_devices_all(struct pmsm_wire_device **list, unsigned int *nr,
		     const char *nic)
{
	unsigned int max = count_all();
	struct pci_dev *pdev = NULL;

	*nr = 0;
	*list = kvcalloc(max, sizeof(**list), GFP_KERNEL);
	if (max && !*list)
		return -ENOMEM;

	for_each_pci_dev(pdev) {
		if (*nr == max) {
			pci_dev_put(pdev);
			break;
		}
		describe(pdev, &(*list)[(*nr)++], nic);
	}
	return 0;
}
#else
int pmsm_devices_used(struct pmsm_devices *used, const char *nic)
{
	used->nr = 0;
	used->list = NULL;
	return 0;
}

int pmsm_devices_all(struct pmsm_wire_device **list, unsigned int *nr,
		     const char *nic)
{
	*list = NULL;
	*nr = 0;
	return 0;
}
#endif /* CONFIG_PCI */
