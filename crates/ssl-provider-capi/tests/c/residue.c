/*
 * Works with keys in two threads, says so on standard output, and waits for a line on standard
 * input: meanwhile `cargo xtask residue --process` searches its memory and its registers.
 *
 *     residue released | live [batches]
 *
 * When it waits, everything has been freed, or nothing. Each thread then has a pattern on its
 * stack, and on x86-64 in a vector register, which must be found.
 */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "test.h"

static int is_live, with_batches;

struct work {
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_KEY_HANDLE stored, key, masters[COUNT(exchanges)], reads[COUNT(exchanges)],
        writes[COUNT(exchanges)];
};

static struct work works[2];
static pthread_barrier_t done, seen;

/* What a server does with an exchange, and a little more: both directions, Finished, exporters. */
static void handshake(struct work *work, size_t each)
{
    static const unsigned char text[] = "a record that is not secret";
    const struct exchange *exchange = &exchanges[each];
    unsigned char record[512], opened[512], data[40];
    NCRYPT_KEY_HANDLE master = import_master_key(work->provider, work->key, exchange);
    NCRYPT_HASH_HANDLE hash =
        hash_of_transcript(work->provider, exchange->protocol, exchange->suite);
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0;
    set_randoms(buffers);
    OK(SslComputeFinishedHash(work->provider, master, hash, data, 12, NCRYPT_SSL_SERVER_FLAG));
    OK(SslFreeObject(hash, 0));
    OK(SslGenerateSessionKeys(work->provider, master, &work->reads[each], &work->writes[each],
                              &list, 0));
    memcpy(record, exchange->client_record, exchange->record_len);
    OK(SslDecryptPacket(work->provider, work->reads[each], record, exchange->record_len, opened,
                        sizeof(opened), &len, 0, 0));
    CHECK(len == sizeof(transcript) && memcmp(opened, transcript, len) == 0);
    OK(SslEncryptPacket(work->provider, work->writes[each], in(text), (DWORD)sizeof(text), record,
                        sizeof(record), &len, 0, 23, 0));
    work->masters[each] = master;
}

static void release(struct work *work)
{
    size_t each;
    for (each = 0; each < COUNT(exchanges); each++) {
        OK(SslFreeObject(work->masters[each], 0));
        OK(SslFreeObject(work->reads[each], 0));
        OK(SslFreeObject(work->writes[each], 0));
    }
    OK(SslFreeObject(work->key, 0));
    OK(NCryptFreeObject(work->stored));
    OK(SslFreeObject(work->provider, 0));
}

#define PATTERN_LEN 32

/* Computed, so that it is nowhere else. */
static void make_pattern(volatile unsigned char *pattern)
{
    unsigned at;
    for (at = 0; at < PATTERN_LEN; at++) {
        pattern[at] = (unsigned char)(37 * at + 11);
    }
}

static void put_into_register(const volatile unsigned char *pattern)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __asm__ volatile("movdqu (%0), %%xmm15" : : "r"(pattern) : "xmm15", "memory");
#else
    (void)pattern;
#endif
}

static void do_work(struct work *work)
{
    CERT_CONTEXT context = context_of(certificate, sizeof(certificate));
    size_t each;
    if (with_batches) {
        SECURITY_STATUS status = open_batches(&work->provider, 50);
        if (status == NTE_NOT_SUPPORTED) {
            printf("no batches\n");
            exit(0);
        }
        OK(status);
    } else {
        work->provider = open_provider();
    }
    work->stored = import_key();
    OK(SslOpenPrivateKey(work->provider, &work->key, &context, 0));
    for (each = 0; each < COUNT(exchanges); each++) {
        handshake(work, each);
    }
    if (!is_live) {
        release(work);
    }
}

/* The other thread still exists, with its stack and registers, while the memory is searched. */
static void *run(void *unused)
{
    volatile unsigned char pattern[PATTERN_LEN];
    (void)unused;
    do_work(&works[0]);
    make_pattern(pattern);
    put_into_register(pattern);
    pthread_barrier_wait(&done);
    pthread_barrier_wait(&seen);
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t thread;
    volatile unsigned char pattern[PATTERN_LEN];
    char line[16];
    CHECK(count >= 2);
    is_live = strcmp(arguments[1], "live") == 0;
    CHECK(is_live || strcmp(arguments[1], "released") == 0);
    with_batches = count == 3 && strcmp(arguments[2], "batches") == 0;
    CHECK(pthread_barrier_init(&done, NULL, 2) == 0 && pthread_barrier_init(&seen, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    pthread_barrier_wait(&done);
    do_work(&works[1]);
    printf("ready\n");
    fflush(stdout);
    make_pattern(pattern);
    put_into_register(pattern);
    CHECK(fgets(line, sizeof(line), stdin) != NULL);
    pthread_barrier_wait(&seen);
    CHECK(pthread_join(thread, NULL) == 0);
    if (is_live) {
        release(&works[0]);
        release(&works[1]);
    }
    return nothing_is_left();
}
