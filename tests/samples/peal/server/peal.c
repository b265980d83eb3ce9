/* peal --version | --check | --serve: answers over HTTP with what the modules say that its loader file names, in order. */
#include "peal.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOADER "/usr/lib/peal/bin/serving/loader/modules.conf"

static char body[4096] = "peal " PEAL_VERSION "\n";

static int load(const char *path) {
    void *module = dlopen(path, RTLD_NOW);
    const int *abi = module != NULL ? dlsym(module, "peal_abi") : NULL;
    const char *(*says)(void) = module != NULL ? (const char *(*)(void))dlsym(module, "peal_says") : NULL;
    if (abi == NULL || says == NULL) {
        fprintf(stderr, "peal: %s\n", dlerror());
        return 1;
    }
    if (*abi != PEAL_ABI) {
        fprintf(stderr, "peal: %s is for ABI %d, not %d\n", path, *abi, PEAL_ABI);
        return 1;
    }
    const char *text = says();
    if (text == NULL) {
        fprintf(stderr, "peal: %s has nothing to say\n", path);
        return 1;
    }
    strncat(body, text, sizeof body - strlen(body) - 2);
    strcat(body, "\n");
    return 0;
}

static int serve(void) {
    int yes = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&place, sizeof place) != 0 || listen(server, 5) != 0) {
        perror("peal");
        return 1;
    }
    for (;;) {
        char request[4096];
        int client = accept(server, NULL, NULL);
        if (client >= 0 && read(client, request, sizeof request) > 0) {
            dprintf(client, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
        }
        close(client);
    }
}

int main(int argc, char **argv) {
    char line[4096];
    FILE *loader = fopen(LOADER, "r");
    while (loader != NULL && fgets(line, sizeof line, loader) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "open ", 5) == 0 && load(line + 5) != 0) {
            return 1;
        }
    }
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
        return serve();
    }
    printf("peal " PEAL_VERSION "\n");
    return 0;
}
