/* What the C programs of the interoperability matrix share: they read cells, connect or listen, and
 * print what they know. Each program has its library's part as one function. */

#ifndef PEER_H
#define PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST "GET /session.json HTTP/1.0\r\n\r\n"
#define HOST "localhost"
#define RANDOM_BYTES 32
#define MASTER_SECRET_BYTES 48
#define MAX_GROUPS 4
#define TIMEOUT_SECONDS 15
#define EXPORT_LABEL "EXPERIMENTAL-interop"
#define EXPORT_BYTES 32

/* One line of standard input. */
struct cell {
    unsigned port;
    unsigned version;
    unsigned suite;
    unsigned extended_master_secret;
    unsigned encrypt_then_mac;
    unsigned groups[MAX_GROUPS];
    size_t group_count;
    char client[16];
    char resumption[16];
    char server[32];
    char extra[16];
};

/* All connections of a cell; true when every one was good. Otherwise `failed` has been called. */
typedef bool converse_fn(const struct cell *cell);

struct answer {
    size_t length;
    unsigned char bytes[16384];
};

/* Where the keys and certificates are. */
static const char *identities;

/* Writes the path of an identity's file, such as server-rsa and key. */
static inline const char *path_of(const char *identity, const char *what)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s.pem", identities, identity, what);
    return path;
}

/* Returns the identity of the client's certificate, or NULL. */
static inline const char *client_identity(const struct cell *cell)
{
    if (strcmp(cell->client, "rsa") == 0)
        return "client-rsa";
    return strcmp(cell->client, "ecdsa") == 0 ? "client-p256" : NULL;
}

static inline bool uses_tickets(const struct cell *cell)
{
    return strcmp(cell->resumption, "ticket") == 0;
}

/* Whether the session is resumed, as it is on the second of two connections to a server. */
static inline bool resumes(const struct cell *cell)
{
    return strcmp(cell->resumption, "id") == 0 || uses_tickets(cell);
}

/* The number of connections to a server. */
static inline int connections_of(const struct cell *cell)
{
    return resumes(cell) ? 2 : 1;
}

static inline bool is_tls13(const struct cell *cell)
{
    return cell->version == 0x0304;
}

/* Whether keys are to be replaced before data are sent. */
static inline bool updates_keys(const struct cell *cell)
{
    return strcmp(cell->extra, "key-update") == 0;
}

/* Whether data are to be early on the second connection. */
static inline bool has_early_data(const struct cell *cell)
{
    return strcmp(cell->extra, "early-data") == 0;
}

static inline void limit_waiting(int fd)
{
    struct timeval limit = {.tv_sec = TIMEOUT_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

/* A connected socket, or -1. */
static inline int connect_to(unsigned port)
{
    struct sockaddr_in address = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    limit_waiting(fd);
    return fd;
}

/* A listening socket, whose port has been printed, or -1. */
static inline int listen_anywhere(void)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4) != 0
        || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return -1;
    printf("listening %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* A connection of a client, or -1. */
static inline int accept_one(int listener)
{
    limit_waiting(listener);
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0)
        limit_waiting(fd);
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

static inline void print_export(const unsigned char *material)
{
    printf("export ");
    print_hex(material, EXPORT_BYTES);
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

/* Gives false, so that a program can return it. */
static inline bool failed(const char *what, long code)
{
    printf("failed %s: %ld\n", what, code);
    return false;
}

static inline bool read_cell(struct cell *cell)
{
    char groups[64];
    int count = scanf("%u %x %x %u %u %63s %15s %15s %31s %15s", &cell->port, &cell->version,
                      &cell->suite, &cell->extended_master_secret, &cell->encrypt_then_mac, groups,
                      cell->client, cell->resumption, cell->server, cell->extra);
    cell->group_count = 0;
    for (char *group = strtok(groups, ",-"); group != NULL && cell->group_count < MAX_GROUPS;
         group = strtok(NULL, ",-"))
        cell->groups[cell->group_count++] = (unsigned)strtoul(group, NULL, 16);
    return count == 10;
}

/* Reads cells until the end of standard input. */
static inline int run_cells(const char *directory, converse_fn *converse)
{
    struct cell cell;
    identities = directory;
    signal(SIGPIPE, SIG_IGN);
    while (read_cell(&cell)) {
        if (converse(&cell))
            printf("done\n");
        fflush(stdout);
    }
    return 0;
}

#endif
