/* What the C clients of the interoperability matrix share: how they are told a cell and answer it.
 * README.md describes the lines; a client gives its library's part as one function. */

#ifndef CLIENT_H
#define CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST "GET /session.json HTTP/1.0\r\n\r\n"
#define HOST "localhost"
#define RANDOM_BYTES 32
#define MASTER_SECRET_BYTES 48

/* One line of standard input. */
struct cell {
    unsigned version;
    unsigned suite;
    bool extended_master_secret;
    bool encrypt_then_mac;
};

/* Two connections, the second with the session of the first; true when both got an answer.
 * Otherwise `failed` has been called. */
typedef bool converse_fn(const struct cell *cell, unsigned short port);

struct answer {
    size_t length;
    unsigned char bytes[16384];
};

/* A connected socket, or -1. */
static inline int connect_to(unsigned short port)
{
    struct sockaddr_in address = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void print_hex(const unsigned char *bytes, size_t length)
{
    for (size_t index = 0; index < length; index++)
        printf("%02x", bytes[index]);
}

static inline void print_answer(const struct answer *answer)
{
    printf("answer ");
    print_hex(answer->bytes, answer->length);
    printf("\n");
}

static inline void print_secret(const unsigned char *client_random, const unsigned char *master)
{
    printf("secret ");
    print_hex(client_random, RANDOM_BYTES);
    printf(" ");
    print_hex(master, MASTER_SECRET_BYTES);
    printf("\n");
}

/* Gives false, so that a client can return it. */
static inline bool failed(const char *what, long code)
{
    printf("failed %s: %ld\n", what, code);
    return false;
}

/* Reads cells until the end of standard input. */
static inline int serve_cells(unsigned short port, converse_fn *converse)
{
    unsigned version, suite, ems, etm;
    signal(SIGPIPE, SIG_IGN);
    while (scanf("%x %x %u %u", &version, &suite, &ems, &etm) == 4) {
        struct cell cell = {version, suite, ems != 0, etm != 0};
        if (converse(&cell, port))
            printf("done\n");
        fflush(stdout);
    }
    return 0;
}

#endif
