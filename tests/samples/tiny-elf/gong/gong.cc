#include <string>

extern "C" {
#include "chime.h"
}

static void ring() {
    std::string word = "go";
    word.append("ng at ").append(__FILE__);
    chime_say(word.c_str());
}

extern "C" const struct chime_module chime_module = {CHIME_ABI, ring};
