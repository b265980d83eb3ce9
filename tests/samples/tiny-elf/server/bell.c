#include "chime.h"

static void ring(void) {
    for (int i = 0; i < chime_strikes; i++) {
        chime_say("ding");
    }
}

const struct chime_module chime_module = {CHIME_ABI, ring};
