// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose state does not come along, whatever the target has.
 *
 * A refusal is for what would surely lose data or break what uses it; a
 * warning is for what loses something that its users may do without.
 */

#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/tpm.h>

#include "devices.h"
#include "reasons.h"

/* Buses of what one carries from machine to machine, or what stays in one */
static const char * const storage_buses[] = {
	"usb", "mmc", "memstick", "firewire", "nd",
};

static const char *storage_bus(const struct device *dev)
{
	int i;

	for (; dev; dev = dev->parent)
		for (i = 0; dev->bus && i < ARRAY_SIZE(storage_buses); i++)
			if (!strcmp(dev->bus->name, storage_buses[i]))
				return storage_buses[i];
	return NULL;
}

/* In use: mounted, swapped to, part of something, or open */
static void check_storage(struct pmsm_reasons *reasons)
{
	struct class_dev_iter iter;
	struct device *dev;
	const char *bus;

	class_dev_iter_init(&iter, &block_class, NULL, NULL);
	while ((dev = class_dev_iter_next(&iter))) {
		/* A disk is open when one of its partitions is */
		if (bdev_is_partition(dev_to_bdev(dev)) ||
		    !disk_openers(dev_to_disk(dev)))
			continue;
		bus = storage_bus(dev);
		if (bus)
			pmsm_reasons_add(reasons, -ENXIO,
					 "%s is in use, and stays with the source, being on a bus \"%s\": unmount it",
					 dev_name(dev), bus);
	}
	class_dev_iter_exit(&iter);
}

static void check_tpm(struct pmsm_reasons *reasons)
{
#if IS_BUILTIN(CONFIG_TCG_TPM)
	struct tpm_chip *chip = tpm_default_chip();

	if (!chip)
		return;
	pmsm_reasons_add(reasons, 0, PMSM_WARNING
			 "what is sealed to the TPM of the source (%s) cannot be opened on the target",
			 dev_name(&chip->dev));
	put_device(&chip->dev);
#endif
}

#ifdef CONFIG_PCI
/**
 * struct pmsm_kind - a kind of device whose state does not come along
 * @class: PCI class and subclass.
 * @mask: Which bits of that count.
 * @words: What is lost.
 */
struct pmsm_kind {
	u16 class;
	u16 mask;
	const char *words;
};

static const struct pmsm_kind kinds[] = {
	{ PCI_BASE_CLASS_DISPLAY << 8, 0xff00,
	  "graphics memory comes along only as far as the driver saves it for hibernation" },
	/* InfiniBand: among networks, and among serial buses */
	{ 0x0207, 0xffff, "connections of processes through it (RDMA) end" },
	{ 0x0c06, 0xffff, "connections of processes through it (RDMA) end" },
	{ PCI_CLASS_ACCELERATOR_PROCESSING, 0xff00,
	  "what the accelerator holds does not come along" },
};

static void check_kind(struct pci_dev *pdev, const char *driver,
		       struct pmsm_reasons *reasons)
{
	u16 class = pdev->class >> 8;
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((class & kinds[i].mask) == kinds[i].class)
			pmsm_reasons_add(reasons, 0, PMSM_WARNING "%s (%s): %s",
					 pci_name(pdev), driver, kinds[i].words);
}

/* Nobody but the driver knows more of the device than its config space */
static bool saves_nothing(struct pci_dev *pdev)
{
	const struct device *dev = &pdev->dev;

	if (dev->driver->pm || (dev->type && dev->type->pm) ||
	    (dev->class && dev->class->pm))
		return false;
	return !to_pci_driver(dev->driver)->suspend;
}

static void check_device(struct pci_dev *pdev, struct pmsm_reasons *reasons)
{
	const char *driver = pdev->dev.driver->name;

	if (strstarts(driver, "vfio"))
		pmsm_reasons_add(reasons, -EBUSY,
				 "device %s (%s) belongs to a guest or a program, which would find another one in its place: take it away from there",
				 pci_name(pdev), driver);
	else if (saves_nothing(pdev))
		pmsm_reasons_add(reasons, 0, PMSM_WARNING
				 "%s: its driver %s saves nothing for hibernation: it may have to be bound again afterwards",
				 pci_name(pdev), driver);
	check_kind(pdev, driver, reasons);
}

static void check_pci(struct pmsm_reasons *reasons)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		device_lock(&pdev->dev);
		if (pdev->dev.driver)
			check_device(pdev, reasons);
		device_unlock(&pdev->dev);
	}
}
#else
static void check_pci(struct pmsm_reasons *reasons)
{
}
#endif /* CONFIG_PCI */

/**
 * pmsm_survive_check - whether the state of all devices comes along
 * @reasons: Where to add each that does not, and warnings.
 *
 * May sleep.
 */
void pmsm_survive_check(struct pmsm_reasons *reasons)
{
	check_storage(reasons);
	check_tpm(reasons);
	check_pci(reasons);
}
