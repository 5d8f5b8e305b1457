/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the polled PCI NIC drivers have in common.
 */
#ifndef _PMSM_XFER_H
#define _PMSM_XFER_H

struct pci_driver;

int pmsm_xfer_register(struct pci_driver *driver, const char *nic);

#endif /* _PMSM_XFER_H */
