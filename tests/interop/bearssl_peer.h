/* What the BearSSL client and the BearSSL server share: keys from PEM files, and their socket. */

#ifndef BEARSSL_PEER_H
#define BEARSSL_PEER_H

#include <bearssl.h>

#include "peer.h"

/* An object of a PEM file. */
struct der {
    size_t length;
    unsigned char bytes[8192];
};

/* A certificate with its names, its key, and perhaps the private key of it. */
struct identity {
    struct der certificate;
    struct der name;
    br_x509_certificate chain;
    br_x509_decoder_context decoder;
    const br_x509_pkey *public_key;
    br_skey_decoder_context private_key;
};

static inline void keep(void *context, const void *bytes, size_t length)
{
    struct der *der = context;
    if (length <= sizeof der->bytes - der->length) {
        memcpy(der->bytes + der->length, bytes, length);
        der->length += length;
    }
}

static inline bool read_der(const char *path, struct der *der)
{
    static unsigned char text[16384];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text, file), taken = 0;
    fclose(file);
    br_pem_decoder_context pem;
    br_pem_decoder_init(&pem);
    der->length = 0;
    br_pem_decoder_setdest(&pem, keep, der);
    while (taken < length && br_pem_decoder_event(&pem) != BR_PEM_END_OBJ)
        taken += br_pem_decoder_push(&pem, text + taken, length - taken);
    return der->length > 0;
}

/* Reads a certificate: BearSSL is to believe its key without a chain. */
static inline bool read_certificate(const char *name, struct identity *identity)
{
    if (!read_der(path_of(name, "cert"), &identity->certificate))
        return false;
    identity->name.length = 0;
    br_x509_decoder_init(&identity->decoder, keep, &identity->name);
    br_x509_decoder_push(&identity->decoder, identity->certificate.bytes,
                         identity->certificate.length);
    identity->public_key = br_x509_decoder_get_pkey(&identity->decoder);
    identity->chain.data = identity->certificate.bytes;
    identity->chain.data_len = identity->certificate.length;
    return identity->public_key != NULL;
}

static inline bool read_key(const char *name, struct identity *identity)
{
    static struct der key;
    if (!read_der(path_of(name, "key"), &key))
        return false;
    br_skey_decoder_init(&identity->private_key);
    br_skey_decoder_push(&identity->private_key, key.bytes, key.length);
    return br_skey_decoder_last_error(&identity->private_key) == 0;
}

/* Believes the key of an identity alone. */
static inline void believe(br_ssl_engine_context *engine, br_x509_knownkey_context *known,
                           const struct identity *identity)
{
    const br_x509_pkey *key = identity->public_key;
    if (key->key_type == BR_KEYTYPE_RSA)
        br_x509_knownkey_init_rsa(known, &key->key.rsa, BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN);
    else
        br_x509_knownkey_init_ec(known, &key->key.ec, BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN);
    br_ssl_engine_set_x509(engine, &known->vtable);
}

/* Limits version, suite and groups; `curves` has to live as long as the engine. */
static inline void limit(br_ssl_engine_context *engine, const struct cell *cell,
                         br_ec_impl *curves, size_t group_count)
{
    static uint16_t suite;
    suite = (uint16_t)cell->suite;
    br_ssl_engine_set_versions(engine, cell->version, cell->version);
    br_ssl_engine_set_suites(engine, &suite, 1);
    if (group_count == 0)
        return;
    *curves = *br_ssl_engine_get_ec(engine);
    uint32_t wanted = 0;
    for (size_t index = 0; index < group_count; index++)
        wanted |= cell->groups[index] < 32 ? (uint32_t)1 << cell->groups[index] : 0;
    curves->supported_curves &= wanted;
    br_ssl_engine_set_ec(engine, curves);
}

static inline int receive(void *context, unsigned char *bytes, size_t length)
{
    ssize_t count = read(*(int *)context, bytes, length);
    return count > 0 ? (int)count : -1;
}

static inline int transmit(void *context, const unsigned char *bytes, size_t length)
{
    ssize_t count = write(*(int *)context, bytes, length);
    return count > 0 ? (int)count : -1;
}

static inline void tell_secret(const br_ssl_engine_context *engine)
{
    br_ssl_session_parameters session;
    br_ssl_engine_get_session_parameters(engine, &session);
    print_secret(engine->client_random, session.master_secret);
}

/* The whole of `main`. */
static inline int start(int argc, char **argv, converse_fn *converse)
{
    if (argc < 2) {
        /* The library does not know its version. */
        puts("");
        return 0;
    }
    return run_cells(argv[1], converse);
}

#endif
