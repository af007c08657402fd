/* why_story.h - the journal as a story: what follows from what, alike ones told once.
 *
 * Owns      nothing. Threads one.
 */
#ifndef CMD_MAILTIDE_WHY_STORY_H
#define CMD_MAILTIDE_WHY_STORY_H

#include "cmd/mailtide/ask.h"

/* The answer of /v1/why. With --full nothing is folded. */
void show_story(struct cli *cli, const struct json *doc);

#endif
