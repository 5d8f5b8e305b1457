/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much there is to move, how much fits, and making room.
 */
#ifndef _PMSM_ROOM_H
#define _PMSM_ROOM_H

unsigned long pmsm_room_used(void);
void pmsm_room_make(unsigned long used);

#endif /* _PMSM_ROOM_H */
