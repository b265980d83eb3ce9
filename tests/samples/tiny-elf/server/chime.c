/* chime [--check]: opens the modules that its loader file names, in order, and lets each ring. */
#include "chime.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#ifndef LOADER
#define LOADER "/usr/lib/chime/bin/serving/loader/modules.conf"
#endif

int chime_strikes = 1;

void chime_say(const char *word) {
    printf("%s\n", word);
}

int main(int argc, char **argv) {
    char line[4096];
    FILE *loader = fopen(argc > 2 ? argv[2] : LOADER, "r");
    while (loader != NULL && fgets(line, sizeof line, loader) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "open ", 5) != 0) {
            continue;
        }
        void *opened = dlopen(line + 5, RTLD_NOW);
        const struct chime_module *module = opened != NULL ? dlsym(opened, "chime_module") : NULL;
        if (module == NULL) {
            fprintf(stderr, "chime: %s\n", dlerror());
            return 1;
        }
        if (module->abi != CHIME_ABI) {
            fprintf(stderr, "chime: %s is for ABI %d, not %d\n", line + 5, module->abi, CHIME_ABI);
            return 1;
        }
        module->ring();
    }
    printf("chime as built in %s\n", __FILE__);
    return 0;
}
