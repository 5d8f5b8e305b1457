/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PMSM_CHECKSUM_H
#define _PMSM_CHECKSUM_H

#include <linux/types.h>

u32 pmsm_crc32c(u32 crc, const void *bytes, unsigned int len);
u32 pmsm_crc32c_fold(u32 crc, const void *bytes, unsigned int len);

#endif /* _PMSM_CHECKSUM_H */
