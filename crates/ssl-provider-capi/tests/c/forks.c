/* Forks while other threads are at work: a child has nothing, and can start anew. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* for syscall */
#endif

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "race.h"

static void wait_for(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a child ended with status 0x%x\n", (unsigned)status);
        exit(1);
    }
}

/* A child that runs none of the handlers of fork, as _Fork and some sandboxes make it. */
static pid_t fork_without_handlers(void)
{
#ifdef SYS_clone
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
#else
    return fork();
#endif
}

#define SIBLING_HANDLES 100

/* Makes handles that nobody else has. */
static void make_handles(NCRYPT_PROV_HANDLE *providers)
{
    size_t each;
    for (each = 0; each < SIBLING_HANDLES; each++) {
        providers[each] = open_provider();
    }
}

/* Two children of one parent: the handles of one are not valid in the other, although both began
   with the same memory. */
static void fork_siblings(pid_t (*make_child)(void))
{
    NCRYPT_PROV_HANDLE theirs[SIBLING_HANDLES], ours[SIBLING_HANDLES];
    int ends[2];
    pid_t child;
    size_t each, other;
    CHECK(pipe(ends) == 0);
    child = make_child();
    CHECK(child >= 0);
    if (child == 0) {
        make_handles(ours);
        CHECK(write(ends[1], ours, sizeof(ours)) == (ssize_t)sizeof(ours));
        _exit(0);
    }
    CHECK(read(ends[0], theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs));
    wait_for(child);
    child = make_child();
    CHECK(child >= 0);
    if (child == 0) {
        make_handles(ours);
        for (each = 0; each < SIBLING_HANDLES; each++) {
            for (other = 0; other < SIBLING_HANDLES; other++) {
                CHECK(ours[each] != theirs[other]);
            }
            EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(theirs[each], 0));
        }
        for (each = 0; each < SIBLING_HANDLES; each++) {
            OK(SslFreeObject(ours[each], 0));
        }
        _exit(nothing_is_left());
    }
    wait_for(child);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* In a child that ran no handlers, the parent's handles are not valid, and new ones work. */
static void fork_unnoticed(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    pid_t child = fork_without_handlers();
    CHECK(child >= 0);
    if (child == 0) {
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(provider, 0));
        OK(SslFreeObject(open_provider(), 0));
        _exit(nothing_is_left());
    }
    wait_for(child);
    OK(SslFreeObject(provider, 0));
}

/* In a child, everything inherited is invalid, and everything new works. */
static void fork_once(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key, PVOID block)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        NCRYPT_HASH_HANDLE hash = 0;
        CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
        NCRYPT_KEY_HANDLE none = 0;
        alarm(60);
        EXPECT(NTE_INVALID_HANDLE, SslCreateHandshakeHash(provider, &hash, 0x303, 0x9c, 0));
        EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(key, 0));
        EXPECT(NTE_INVALID_PARAMETER, SslFreeBuffer(block));
        provider = open_provider();
        EXPECT(NTE_NO_KEY, SslOpenPrivateKey(provider, &none, &context, 0));
        key = open_key(provider);
        OK(SslFreeObject(import_master_key(provider, key, &exchanges[4]), 0));
        OK(SslFreeObject(key, 0));
        OK(SslFreeObject(provider, 0));
        /* The threads that may have led a batch at that moment are not here. */
        if (open_batches(&provider, 50) == ERROR_SUCCESS) {
            key = open_key(provider);
            OK(SslFreeObject(import_master_key(provider, key, &exchanges[0]), 0));
            OK(SslFreeObject(key, 0));
            OK(SslFreeObject(provider, 0));
        }
        _exit(nothing_is_left());
    }
    wait_for(child);
}

static NCRYPT_PROV_HANDLE batch_provider;
static NCRYPT_KEY_HANDLE batch_key;

static void *import_in_batches(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&racing, __ATOMIC_ACQUIRE) > 0) {
        OK(SslFreeObject(import_master_key(batch_provider, batch_key, &exchanges[0]), 0));
    }
    return NULL;
}

int main(void)
{
    pthread_t importers[3];
    size_t each, count = 0;
    PBYTE block = NULL;
    DWORD len = 0;
    int forks = 0;
    fork_unnoticed();
    fork_siblings(fork);
    fork_siblings(fork_without_handlers);
    if (open_batches(&batch_provider, 50) == ERROR_SUCCESS) {
        count = COUNT(importers);
        batch_key = open_key(batch_provider);
    }
    start_race();
    for (each = 0; each < count; each++) {
        CHECK(pthread_create(&importers[each], NULL, import_in_batches, NULL) == 0);
    }
    OK(SslGetKeyProperty(shared_key, NCRYPT_LENGTH_PROPERTY, &block, &len, 0));
    do {
        fork_once(shared_provider, shared_key, block);
        forks++;
    } while (__atomic_load_n(&racing, __ATOMIC_ACQUIRE) > 0);
    for (each = 0; each < count; each++) {
        CHECK(pthread_join(importers[each], NULL) == 0);
    }
    end_race();
    if (count > 0) {
        OK(SslFreeObject(batch_key, 0));
        OK(SslFreeObject(batch_provider, 0));
    }
    OK(SslFreeBuffer(block));
    printf("%d forks\n", forks);
    return nothing_is_left();
}
