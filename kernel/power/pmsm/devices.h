/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices that the source uses and the target must have.
 */
#ifndef _PMSM_DEVICES_H
#define _PMSM_DEVICES_H

#include <linux/types.h>

#include "wire.h"

struct pmsm_reasons;

/**
 * struct pmsm_device - a device that the source uses
 * @here: What it is.
 * @there: What the target has in its place, if @seen.
 * @seen: The target has something there.
 * @driver: Its driver's name.
 */
struct pmsm_device {
	struct pmsm_wire_device here;
	struct pmsm_wire_device there;
	bool seen;
	char driver[24];
};

/**
 * struct pmsm_devices - all devices that the source uses
 * @nr: How many.
 * @list: The devices.
 */
struct pmsm_devices {
	unsigned int nr;
	struct pmsm_device *list;
};

/* Most devices that a target tells of */
#define PMSM_DEVICES_MAX	U16_MAX

void pmsm_devices_see(struct pmsm_devices *used,
		      const struct pmsm_wire_device *there);
void pmsm_devices_check(const struct pmsm_devices *used,
			struct pmsm_reasons *reasons);
void pmsm_devices_free(struct pmsm_devices *used);
int pmsm_devices_used(struct pmsm_devices *used, const char *nic);
int pmsm_devices_all(struct pmsm_wire_device **list, unsigned int *nr,
		     const char *nic);

/* survive.c */
void pmsm_survive_check(struct pmsm_reasons *reasons);

#endif /* _PMSM_DEVICES_H */
