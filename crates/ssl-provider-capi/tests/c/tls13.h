/*
 * What both sides of TLS 1.3 share, for the programs tls13_client.c and tls13_server.c: the key
 * schedule in the order of a handshake, shares, CertificateVerify, Finished and KeyUpdate. What is
 * the same in earlier versions is in tls.h.
 */

#ifndef TLS13_H
#define TLS13_H

#include "tls.h"

/* Handshake messages and extensions (RFC 8446 sections 4 and 4.2). */
enum {
    NEW_SESSION_TICKET = 4,
    ENCRYPTED_EXTENSIONS = 8,
    KEY_UPDATE = 24,
    MESSAGE_HASH = 254,
    SUPPORTED_GROUPS = 10,
    SIGNATURE_ALGORITHMS = 13,
    PRE_SHARED_KEY = 41,
    SUPPORTED_VERSIONS = 43,
    PSK_KEY_EXCHANGE_MODES = 45,
    KEY_SHARE = 51,
    PSK_DHE_KE = 1
};

#define TLS1_3 TLS1_3_PROTOCOL_VERSION
#define MAX_SHARE 1665
#define MAX_GROUPS 16

/* The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3). */
static const unsigned char retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384, rsa_pss_rsae_sha256 and rsa_pss_rsae_sha384. */
static const unsigned char tls13_schemes[] = {4, 3, 5, 3, 8, 4, 8, 5};

/* A connection of TLS 1.3. */
struct tls13 {
    struct connection c;
    /* The side of this program, and the other one: 0 is the client, 1 the server. */
    size_t own, peer;
    DWORD hash_len;
    /* The key schedule; the traffic secrets are the client's and the server's, of this phase. */
    NCRYPT_KEY_HANDLE psk, early, handshake, master, traffic[2], resumption;
    int retried, resumed;
};

static inline void forget(NCRYPT_HANDLE *handle)
{
    if (*handle != 0) {
        OK(SslFreeObject(*handle, 0));
        *handle = 0;
    }
}

/* Takes a suite, of which the hash is that of the transcript. */
static inline int take_suite(struct tls13 *t, DWORD suite)
{
    struct connection *c = &t->c;
    c->protocol = TLS1_3;
    TRY_CALL(SslLookupCipherSuiteInfo(c->provider, TLS1_3, suite, 0, &c->suite, 0));
    TRY(start_hashes(c));
    TRY_CALL(SslComputeSessionHash(c->provider, c->hash, TLS1_3, NULL, 0, &t->hash_len, 0));
    return NONE;
}

/* Puts the hash of the first ClientHello in its place (RFC 8446 section 4.4.1). */
static inline int hash_retry(struct tls13 *t)
{
    struct connection *c = &t->c;
    unsigned char message[4 + 48] = {MESSAGE_HASH, 0, 0, 0};
    DWORD len = 0;
    TRY_CALL(SslComputeSessionHash(c->provider, c->hash, TLS1_3, message + 4, 48, &len, 0));
    message[3] = (unsigned char)len;
    forget(&c->hash);
    TRY(start_hashes(c));
    t->retried = 1;
    return hash_message(c, message, 4 + len);
}

static inline int is_hybrid(DWORD group)
{
    return group > 255;
}

/* The groups of the provider that are for TLS 1.3, best first: hybrid ones, then curves. */
static inline size_t find_groups(NCRYPT_PROV_HANDLE provider, DWORD *groups)
{
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    DWORD count = 0, each;
    size_t len = 0;
    int wants_hybrid;
    OK(SslEnumEccCurves(provider, &count, &curves, 0));
    for (wants_hybrid = 1; wants_hybrid >= 0; wants_hybrid--) {
        for (each = 0; each < count; each++) {
            DWORD type = curves[each].dwCurveType;
            int is_known = is_hybrid(type) || type == 29 || (type >= 23 && type <= 25);
            if (is_known && is_hybrid(type) == wants_hybrid) {
                CHECK(len < MAX_GROUPS);
                groups[len++] = type;
            }
        }
    }
    OK(SslFreeBuffer(curves));
    CHECK(len > 0);
    return len;
}

/* The own share as it goes over the wire, without its length: a point, the bytes of X25519, or both
 * parts of a hybrid group. */
static inline int put_share(const struct connection *c, unsigned char *to, DWORD *share_len)
{
    unsigned char blob[MAX_SHARE];
    DWORD len = 0, skip = sizeof(SSL_ECCKEY_BLOB), is_point = c->group != 29;
    if (is_hybrid(c->group)) {
        TRY_CALL(SslExportKey(c->provider, c->ephemeral, TLS_HYBRID_KEYEXCHANGE, to, MAX_SHARE,
                              share_len, 0));
        return NONE;
    }
    TRY_CALL(SslExportKey(c->provider, c->ephemeral, SSL_ECCPUBLIC_BLOB, blob, sizeof(blob), &len,
                          0));
    to[0] = 4;
    memcpy(to + is_point, blob + skip, len - skip);
    *share_len = len - skip + is_point;
    return NONE;
}

static inline int import_share(struct connection *c, struct cursor share)
{
    if (!is_hybrid(c->group)) {
        return import_share_on_curve(c, share);
    }
    return SslImportKey(c->provider, &c->share, TLS_HYBRID_KEYEXCHANGE, in(share.at),
                        (DWORD)share.left, 0) == 0
               ? NONE
               : ILLEGAL_PARAMETER;
}

/* Installs the record keys of the traffic secrets, for reading or for writing. */
static inline int install(struct tls13 *t, size_t side)
{
    struct connection *c = &t->c;
    NCRYPT_KEY_HANDLE *key = side == t->own ? &c->write_key : &c->read_key;
    /* No message may be cut by a change of keys (RFC 8446 section 5.1). */
    if (side == t->peer && c->waiting_len > 0) {
        return UNEXPECTED_MESSAGE;
    }
    forget(key);
    TRY_CALL(SslExpandWriteKey(c->provider, t->traffic[side], key, NULL, 0));
    if (side == t->own) {
        c->writes_encrypted = 1;
        c->write_sequence = 0;
    } else {
        c->reads_encrypted = 1;
        c->read_sequence = 0;
    }
    return NONE;
}

/* After ServerHello: agrees with the peer, and protects the handshake. */
static inline int start_handshake_keys(struct tls13 *t)
{
    struct connection *c = &t->c;
    SECURITY_STATUS status;
    if (t->early == 0) {
        TRY_CALL(SslExtractEarlyKey(c->provider, t->psk, &t->early, TLS1_3,
                                    c->suite.dwCipherSuite, NULL, 0));
    }
    status = SslExtractHandshakeKey(c->provider, c->ephemeral, c->share, t->early, &t->handshake,
                                    NULL, 0);
    if (status == NTE_BAD_DATA || status == NTE_INVALID_PARAMETER) {
        return ILLEGAL_PARAMETER;
    }
    TRY_CALL(status);
    TRY_CALL(SslExpandTrafficKeys(c->provider, t->handshake, c->hash, &t->traffic[0],
                                  &t->traffic[1], NULL, 0));
    TRY(install(t, 0));
    return install(t, 1);
}

/* After the server's Finished: the secrets of application data, of which the record keys are
 * installed when the side has sent its Finished. */
static inline int start_application_keys(struct tls13 *t, NCRYPT_KEY_HANDLE *secrets)
{
    struct connection *c = &t->c;
    TRY_CALL(SslExtractMasterKey(c->provider, t->handshake, &t->master, NULL, 0));
    TRY_CALL(SslExpandTrafficKeys(c->provider, t->master, c->hash, &secrets[0], &secrets[1], NULL,
                                  0));
    return NONE;
}

/* Goes on with another traffic secret of a side. */
static inline int change_keys(struct tls13 *t, size_t side, NCRYPT_KEY_HANDLE secret)
{
    forget(&t->traffic[side]);
    t->traffic[side] = secret;
    return install(t, side);
}

/* What a signature is over: the hash of 64 spaces, a text and the transcript hash (RFC 8446 section
 * 4.4.3). A handshake hash of a suite hashes anything. */
static inline int set_content(const struct connection *c, int is_server, DWORD scheme,
                              struct to_sign *to)
{
    static const char *const texts[] = {"TLS 1.3, client CertificateVerify",
                                        "TLS 1.3, server CertificateVerify"};
    int is_sha384 = scheme == 0x0503 || scheme == 0x0805;
    unsigned char content[64 + 34 + 48];
    NCRYPT_HASH_HANDLE hash = 0;
    DWORD len = 0;
    memset(content, ' ', 64);
    memcpy(content + 64, texts[is_server], 34);
    TRY_CALL(SslComputeSessionHash(c->provider, c->hash, TLS1_3, content + 98, 48, &len, 0));
    TRY_CALL(SslCreateHandshakeHash(c->provider, &hash, TLS1_3,
                                    is_sha384 ? TLS_AES_256_GCM_SHA384 : TLS_AES_128_GCM_SHA256,
                                    0));
    OK(SslHashHandshake(c->provider, hash, content, 98 + len, 0));
    OK(SslComputeSessionHash(c->provider, hash, TLS1_3, to->value, sizeof(to->value), &to->len, 0));
    OK(SslFreeObject(hash, 0));
    to->flags = scheme >> 8 == 8 ? NCRYPT_SSL_SIGN_USE_PSS_PADDING : 0;
    return NONE;
}

static inline int send_verify(struct tls13 *t, NCRYPT_KEY_HANDLE key, DWORD scheme)
{
    struct connection *c = &t->c;
    unsigned char message[8 + 512];
    struct to_sign what;
    DWORD len = 0;
    TRY(set_content(c, t->own == 1, scheme, &what));
    TRY_CALL(SslSignHash(c->provider, key, what.value, what.len, message + 8, 512, &len,
                         what.flags));
    put_number(message + 4, scheme, 2);
    put_number(message + 6, len, 2);
    return send_message(c, CERTIFICATE_VERIFY, message, 8 + len);
}

/* Certificate, of which the first is looked at, and CertificateVerify. */
static inline int read_identity(struct tls13 *t)
{
    struct connection *c = &t->c;
    struct cursor message, chain, first, signature, offered = {tls13_schemes, 8, 0};
    struct to_sign what;
    DWORD scheme;
    TRY(read_message(c, CERTIFICATE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    (void)take_part(&message, 1);
    chain = take_part(&message, 3);
    first = take_part(&chain, 3);
    if (message.failed || message.left > 0 || chain.failed) {
        return DECODE_ERROR;
    }
    TRY(import_peer_key(c, first));
    TRY(read_message(c, CERTIFICATE_VERIFY));
    message = body_of(c);
    scheme = take_number(&message, 2);
    signature = take_part(&message, 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    if (!is_offered(offered, scheme) || (scheme >> 8 == 8) != (c->peer_kind == RSA_KEY)) {
        return ILLEGAL_PARAMETER;
    }
    TRY(set_content(c, t->peer == 1, scheme, &what));
    TRY(check_signature(c, &what, signature));
    return hash_message(c, c->message, c->message_len);
}

static inline int send_finished13(struct tls13 *t)
{
    struct connection *c = &t->c;
    unsigned char message[4 + 48];
    TRY_CALL(SslComputeFinishedHash(c->provider, t->traffic[t->own], c->hash, message + 4,
                                    t->hash_len, (DWORD)t->own + 1));
    return send_message(c, FINISHED, message, 4 + t->hash_len);
}

static inline int is_equal(const unsigned char *one, const unsigned char *other, size_t len)
{
    unsigned char difference = 0;
    while (len-- > 0) {
        difference |= (unsigned char)(one[len] ^ other[len]);
    }
    return difference == 0;
}

static inline int read_finished13(struct tls13 *t)
{
    struct connection *c = &t->c;
    unsigned char expected[48];
    TRY(read_message(c, FINISHED));
    TRY_CALL(SslComputeFinishedHash(c->provider, t->traffic[t->peer], c->hash, expected,
                                    t->hash_len, (DWORD)t->peer + 1));
    if (c->message_len != 4 + t->hash_len) {
        return DECODE_ERROR;
    }
    if (!is_equal(c->message + 4, expected, t->hash_len)) {
        return DECRYPT_ERROR;
    }
    return hash_message(c, c->message, c->message_len);
}

/* The next secret of a side (RFC 8446 section 7.2). */
static inline int update(struct tls13 *t, size_t side)
{
    NCRYPT_KEY_HANDLE next = 0;
    TRY_CALL(SslProviderUpdateTrafficKey(t->c.provider, t->traffic[side], &next, 0));
    return change_keys(t, side, next);
}

static inline int send_key_update(struct tls13 *t, unsigned char asks)
{
    unsigned char message[5] = {KEY_UPDATE, 0, 0, 1, 0};
    message[4] = asks;
    TRY(write_record(&t->c, CT_HANDSHAKE, message, 5));
    return update(t, t->own);
}

static inline int read_key_update(struct tls13 *t)
{
    struct connection *c = &t->c;
    int asks;
    TRY(read_message(c, KEY_UPDATE));
    asks = c->message_len == 5 ? c->message[4] : 2;
    if (asks > 1) {
        return c->message_len == 5 ? ILLEGAL_PARAMETER : DECODE_ERROR;
    }
    TRY(update(t, t->peer));
    return asks ? send_key_update(t, 0) : NONE;
}

/* Reads a record of application data, or takes a handshake message, which `on_message` is for if it
 * is no KeyUpdate; no content then. */
static inline int read_application(struct tls13 *t, int (*on_message)(struct tls13 *t),
                                   unsigned char *content, size_t *content_len)
{
    struct connection *c = &t->c;
    unsigned char type;
    TRY(read_record(c, &type, content, content_len));
    if (type == CT_APPLICATIONDATA && c->waiting_len == 0) {
        return NONE;
    }
    if (type == CT_ALERT) {
        return GONE;
    }
    if (type != CT_HANDSHAKE || *content_len == 0) {
        return UNEXPECTED_MESSAGE;
    }
    if (*content_len > MAX_MESSAGE - c->waiting_len) {
        return DECODE_ERROR;
    }
    memcpy(c->waiting + c->waiting_len, content, *content_len);
    c->waiting_len += *content_len;
    *content_len = 0;
    while (c->waiting_len > 0) {
        TRY(c->waiting[0] == KEY_UPDATE ? read_key_update(t) : on_message(t));
    }
    return NONE;
}

static inline void free_secrets(struct tls13 *t)
{
    forget(&t->early);
    forget(&t->handshake);
    forget(&t->master);
    forget(&t->traffic[0]);
    forget(&t->traffic[1]);
    forget(&t->resumption);
}

#endif
