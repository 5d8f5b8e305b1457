/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that speaks against a move, a line each.
 */
#ifndef _PMSM_REASONS_H
#define _PMSM_REASONS_H

#include <linux/compiler.h>
#include <linux/types.h>

/* So that a sysfs file has room for it */
#define PMSM_REASONS_LEN	3072
/* What a line begins with that does not stop the move */
#define PMSM_WARNING		"warning: "

/**
 * struct pmsm_reasons - everything that speaks against a move
 * @error: Negative errno of the first reason, 0 if there is none.
 * @nr: How many reasons there are.
 * @left_out: How many lines @text had no room for.
 * @len: Length of @text.
 * @text: The lines, printable, each with its newline; terminated.
 */
struct pmsm_reasons {
	int error;
	unsigned int nr;
	unsigned int left_out;
	unsigned int len;
	char text[PMSM_REASONS_LEN];
};

void pmsm_reasons_init(struct pmsm_reasons *r);
__printf(3, 4)
void pmsm_reasons_add(struct pmsm_reasons *r, int error, const char *fmt, ...);
void pmsm_reasons_take(struct pmsm_reasons *r, int error, const char *text,
		       unsigned int len);
void pmsm_reasons_first(const struct pmsm_reasons *r, char *text,
			unsigned int size);
unsigned int pmsm_reasons_fit(const struct pmsm_reasons *r, char *text,
			      unsigned int size);
void pmsm_reasons_print(const struct pmsm_reasons *r, const char *prefix);

#endif /* _PMSM_REASONS_H */
