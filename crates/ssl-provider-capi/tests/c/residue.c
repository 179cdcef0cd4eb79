/*
 * Works with keys in two threads, says so on standard output, and waits for a line on standard
 * input: meanwhile `cargo xtask residue --process` searches its memory and its registers.
 *
 *     residue released | live [batches]
 *
 * When it waits, everything has been freed, or nothing. Each thread then has a pattern on its
 * stack, and on x86-64 in a vector register, which must be found.
 *
 * What it sends to a peer it prints before: the peer's private keys are known to make_data.py, so
 * that the secrets become known there, and nowhere else. A line has a name and hexadecimal digits.
 */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "test.h"

#include "tls13_data.h"

static int is_live, with_batches;

/* Keys of key agreement: on a curve by its number in TLS, or in a finite field. */
struct group {
    const char *name;
    DWORD curve, suite;
    LPCWSTR type;
    const unsigned char *peer;
    DWORD peer_len;
};

static const WCHAR ecc_blob[] = {'E', 'C', 'C', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B',
                                 0};
static const WCHAR dh_blob[] = {'D', 'H', 'P', 'U', 'B', 'L', 'I', 'C', 'B', 'L', 'O', 'B', 0};

static const struct group groups[] = {
    {"x25519", 29, 0xc02f, ecc_blob, peer_x25519, sizeof(peer_x25519)},
    {"p256", 23, 0xc02f, ecc_blob, peer_p256, sizeof(peer_p256)},
    {"ffdhe2048", 0, 0x9e, dh_blob, peer_ffdhe2048, sizeof(peer_ffdhe2048)},
};

/* Handles that are freed in the end; those of keys that agreed are not among them. */
#define MOST_HANDLES 64

struct work {
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_KEY_HANDLE stored, stored_ec, key, masters[COUNT(exchanges)], reads[COUNT(exchanges)],
        writes[COUNT(exchanges)], others[MOST_HANDLES];
    size_t others_count;
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

static void keep(struct work *work, NCRYPT_KEY_HANDLE handle)
{
    CHECK(work->others_count < MOST_HANDLES);
    work->others[work->others_count++] = handle;
}

static void say(const char *name, const unsigned char *bytes, DWORD len)
{
    DWORD at;
    printf("%s ", name);
    for (at = 0; at < len; at++) {
        printf("%02x", bytes[at]);
    }
    printf("\n");
}

static NCRYPT_KEY_HANDLE new_key(struct work *work, const struct group *group)
{
    unsigned char parameters[sizeof(BCRYPT_DH_PARAMETER_HEADER) + 2 * sizeof(ffdhe2048)];
    BCRYPT_DH_PARAMETER_HEADER header;
    NCRYPT_KEY_HANDLE key = 0;
    DWORD len = 0;
    if (group->curve == 0) {
        len = sizeof(parameters);
        header.cbLength = len;
        header.dwMagic = BCRYPT_DH_PARAMETERS_MAGIC;
        header.cbKeyLength = sizeof(ffdhe2048);
        memset(parameters, 0, len);
        memcpy(parameters, &header, sizeof(header));
        memcpy(parameters + sizeof(header), ffdhe2048, sizeof(ffdhe2048));
        parameters[len - 1] = 2;
    }
    OK(SslCreateEphemeralKey(work->provider, &key, 0x303, group->suite, group->curve, 0,
                             len == 0 ? NULL : parameters, len, 0));
    return key;
}

/* Agrees with the peer, and makes a key that is kept until the end: the first is used up. */
static void agree(struct work *work, const struct group *group)
{
    unsigned char blob[1024];
    NCRYPT_KEY_HANDLE own = new_key(work, group), unused = new_key(work, group), peer = 0,
                      master = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0, start;
    char name[32];
    set_randoms(buffers);
    OK(SslExportKey(work->provider, unused, group->type, blob, sizeof(blob), &len, 0));
    sprintf(name, "unused-%s", group->name);
    say(name, blob, len);
    OK(SslExportKey(work->provider, own, group->type, blob, sizeof(blob), &len, 0));
    sprintf(name, "agreed-%s", group->name);
    say(name, blob, len);
    /* The peer's key takes the place of our own. */
    start = group->curve == 0 ? len - group->peer_len : 8;
    memcpy(blob + start, group->peer, group->peer_len);
    OK(SslImportKey(work->provider, &peer, group->type, blob, len, 0));
    OK(SslGenerateMasterKey(work->provider, own, peer, &master, 0x303, group->suite, &list, NULL, 0,
                            NULL, NCRYPT_SSL_CLIENT_FLAG));
    OK(SslFreeObject(own, 0));
    keep(work, peer);
    keep(work, unused);
    keep(work, master);
}

/* A premaster secret of a client, with the extended master secret. */
static void premaster(struct work *work)
{
    const struct exchange *exchange = &exchanges[COUNT(exchanges) - 1];
    unsigned char encrypted[256];
    NCRYPT_KEY_HANDLE server = 0, premaster = 0, master = 0;
    DWORD version = exchange->protocol, len = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    CHECK(exchange->extended);
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &version, sizeof(version));
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SESSION_HASH, exchange->hash, exchange->hash_len);
    OK(SslImportKey(work->provider, &server, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                    sizeof(public_blob), 0));
    OK(SslGeneratePreMasterKey(work->provider, server, &premaster, version, exchange->suite, &list,
                               encrypted, sizeof(encrypted), &len, 0));
    say("premaster", encrypted, len);
    OK(SslGenerateMasterKey(work->provider, premaster, 0, &master, version, exchange->suite, &list,
                            NULL, 0, &len, NCRYPT_SSL_CLIENT_FLAG));
    keep(work, server);
    keep(work, premaster);
    keep(work, master);
}

static void pre_shared(struct work *work)
{
    NCRYPT_KEY_HANDLE psk = 0, master = 0;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0;
    set_randoms(buffers);
    OK(SslImportKey(work->provider, &psk, TLS_13_PRE_SHARED_KEY, in(pre_shared_key),
                    sizeof(pre_shared_key), 0));
    OK(SslGenerateMasterKey(work->provider, psk, 0, &master, 0x303, psk_exchanges[0].suite, &list,
                            NULL, 0, &len, NCRYPT_SSL_CLIENT_FLAG));
    keep(work, psk);
    keep(work, master);
}

/* The key schedule of TLS 1.3 without a key agreement, whose secrets are known to make_data.py. */
static void tls13(struct work *work, const struct tls13_answers *known)
{
    static const unsigned char nonce[] = {0, 0, 0, 1}, text[] = "a record that is not secret";
    NCRYPT_PROV_HANDLE provider = work->provider;
    NCRYPT_KEY_HANDLE psk = 0, early = 0, handshake = 0, master = 0, kept[12];
    NCRYPT_HASH_HANDLE hash = 0;
    unsigned char record[128], opened[128], data[48];
    char label[] = "EXPORTER-x";
    DWORD len = 0;
    size_t each;
    memset(kept, 0, sizeof(kept));
    OK(SslImportKey(provider, &psk, TLS_13_PRE_SHARED_KEY, in(tls13_psk), sizeof(tls13_psk), 0));
    OK(SslCreateHandshakeHash(provider, &hash, 0x304, known->suite, 0));
    OK(SslHashHandshake(provider, hash, in(client_hello), sizeof(client_hello), 0));
    OK(SslExtractEarlyKey(provider, psk, &early, 0x304, known->suite, NULL, 0));
    OK(SslExpandBinderKey(provider, early, &kept[0], NULL, NCRYPT_SSL_EXTERNAL_PSK_FLAG));
    OK(SslComputeFinishedHash(provider, kept[0], hash, data, known->hash_len, 1));
    OK(SslExpandTrafficKeys(provider, early, hash, &kept[1], NULL, NULL, 0));
    OK(SslExpandExporterMasterKey(provider, early, hash, &kept[2], NULL, 0));
    OK(SslExtractHandshakeKey(provider, 0, 0, early, &handshake, NULL, 0));
    OK(SslHashHandshake(provider, hash, in(server_hello), sizeof(server_hello), 0));
    OK(SslExpandTrafficKeys(provider, handshake, hash, &kept[3], &kept[4], NULL, 0));
    OK(SslExpandWriteKey(provider, kept[4], &kept[5], NULL, 0));
    OK(SslExpandWriteKey(provider, kept[4], &kept[6], NULL, 0));
    OK(SslEncryptPacket(provider, kept[5], in(text), (DWORD)sizeof(text), record, sizeof(record),
                        &len, 0, 23, 0));
    OK(SslDecryptPacket(provider, kept[6], record, len, opened, sizeof(opened), &len, 0, 0));
    OK(SslHashHandshake(provider, hash, in(middle), sizeof(middle), 0));
    OK(SslComputeFinishedHash(provider, kept[4], hash, data, known->hash_len, 2));
    OK(SslHashHandshake(provider, hash, in(server_fin), sizeof(server_fin), 0));
    OK(SslExtractMasterKey(provider, handshake, &master, NULL, 0));
    OK(SslExpandTrafficKeys(provider, master, hash, NULL, &kept[7], NULL, 0));
    OK(SslProviderUpdateTrafficKey(provider, kept[7], &kept[8], 0));
    OK(SslExpandExporterMasterKey(provider, master, hash, &kept[9], NULL, 0));
    OK(SslExportKeyingMaterial(provider, kept[9], label, NULL, 0, NULL, 0, data, 32, 0));
    OK(SslHashHandshake(provider, hash, in(client_fin), sizeof(client_fin), 0));
    OK(SslExpandResumptionMasterKey(provider, master, hash, &kept[10], NULL, 0));
    OK(SslExpandPreSharedKey(provider, kept[10], in(nonce), 4, &kept[11], NULL, 0));
    OK(SslFreeObject(hash, 0));
    keep(work, psk);
    keep(work, early);
    keep(work, handshake);
    keep(work, master);
    for (each = 0; each < COUNT(kept); each++) {
        keep(work, kept[each]);
    }
}

/* Signs with the RSA key, with both paddings, and with a key on P-256. */
static void sign(struct work *work)
{
    const struct curve_key *curve = &curve_keys[0];
    const struct signature *known = &signatures[2];
    CERT_CONTEXT context = context_of(curve->certificate.data, curve->certificate.len);
    unsigned char signature[256], named[128];
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE key = 0;
    DWORD len = 0, size = name_hash(named, known->name, known->hash, known->hash_len);
    OK(SslSignHash(work->provider, work->key, named, size, signature, sizeof(signature), &len,
                   NCRYPT_SSL_SIGN_INCLUDE_HASHOID));
    OK(SslSignHash(work->provider, work->key, named, size, signature, sizeof(signature), &len,
                   NCRYPT_SSL_SIGN_USE_PSS_PADDING));
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &work->stored_ec,
                       in(curve->pkcs8.data), curve->pkcs8.len, 0));
    OK(NCryptFreeObject(storage));
    OK(SslOpenPrivateKey(work->provider, &key, &context, 0));
    OK(SslSignHash(work->provider, key, in(known->hash), known->hash_len, signature,
                   sizeof(signature), &len, 0));
    keep(work, key);
}

static void release(struct work *work)
{
    size_t each;
    for (each = 0; each < work->others_count; each++) {
        OK(SslFreeObject(work->others[each], 0));
    }
    OK(NCryptFreeObject(work->stored_ec));
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
    for (each = 0; each < COUNT(groups); each++) {
        agree(work, &groups[each]);
    }
    premaster(work);
    pre_shared(work);
    for (each = 0; each < COUNT(tls13_answers); each++) {
        tls13(work, &tls13_answers[each]);
    }
    sign(work);
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
