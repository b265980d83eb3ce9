/* What plugins of chime include. */
#ifndef CHIME_H
#define CHIME_H

#define CHIME_ABI 1
#define CHIME_SIGNATURE "words=" CHIME_WORDS
#define CHIME_WORDS "utf8"

/* In the server; plugins call it. */
extern int chime_strikes;
void chime_say(const char *word);

/* In each plugin. */
struct chime_module {
    int abi;
    void (*ring)(void);
};
extern const struct chime_module chime_module;

#endif
