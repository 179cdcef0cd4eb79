/*
 * What both sides of TLS 1.0 to 1.2 share, for the programs client.c and server.c: records,
 * handshake messages, the keys of certificates, and signatures; tls13.h has what TLS 1.3 adds.
 * Everything cryptographic is asked of the interface.
 */

#ifndef TLS_H
#define TLS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "test.h"

/* Handshake messages (RFC 5246 section 7.4). */
enum {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    CERTIFICATE_REQUEST = 13,
    SERVER_HELLO_DONE = 14,
    CERTIFICATE_VERIFY = 15,
    CLIENT_KEY_EXCHANGE = 16,
    FINISHED = 20
};

/* Alerts (RFC 5246 section 7.2). 0 is none here; the peer went away is -1. */
enum {
    GONE = -1,
    NONE = 0,
    UNEXPECTED_MESSAGE = 10,
    BAD_RECORD_MAC = 20,
    RECORD_OVERFLOW = 22,
    HANDSHAKE_FAILURE = 40,
    BAD_CERTIFICATE = 42,
    UNSUPPORTED_CERTIFICATE = 43,
    ILLEGAL_PARAMETER = 47,
    DECODE_ERROR = 50,
    DECRYPT_ERROR = 51,
    PROTOCOL_VERSION = 70,
    INTERNAL_ERROR = 80,
    MISSING_EXTENSION = 109
};

#define MAX_RECORD (5 + 16384 + 2048)
#define MAX_MESSAGE 4096
#define VERIFY_DATA_LEN 12

/* Continues after a step that succeeds, and returns the alert of one that fails. */
#define TRY(step)                                                                \
    do {                                                                         \
        int alert_ = (step);                                                     \
        if (alert_ != NONE) {                                                    \
            return alert_;                                                       \
        }                                                                        \
    } while (0)

/* A call of the interface whose failure is nobody's but ours. */
#define TRY_CALL(call) TRY((call) == ERROR_SUCCESS ? NONE : INTERNAL_ERROR)

/* What may sign: kinds of certificates (RFC 5246 section 7.4.4, RFC 8422 section 5.5), and for TLS
 * 1.2 hash and kind of key, best first (RFC 5246 section 7.4.1.4.1). */
enum { RSA_SIGN = 1, ECDSA_SIGN = 64, RSA_KEY = 1, ECDSA_KEY = 3 };
static const unsigned char schemes[] = {4, RSA_KEY,   5, RSA_KEY,   6, RSA_KEY,   2, RSA_KEY,
                                        4, ECDSA_KEY, 5, ECDSA_KEY, 6, ECDSA_KEY, 2, ECDSA_KEY};

/* The hashes of those, as they are numbered there. */
static const unsigned char client_hashes[] = {2, 4, 5, 6};
static const char *const client_hash_names[] = {"SHA1", "SHA256", "SHA384", "SHA512"};

struct connection {
    int socket;
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_KEY_HANDLE master_key, read_key, write_key;
    NCRYPT_HASH_HANDLE hash;
    /* In TLS 1.2, one for each of client_hashes. */
    NCRYPT_HASH_HANDLE hashes[COUNT(client_hashes)];
    /* The key of the peer's certificate, of which `peer_kind` is the kind, or 0. */
    NCRYPT_KEY_HANDLE peer_key;
    DWORD peer_kind;
    /* (EC)DHE: one's own key, and that of the peer; and the premaster key of a client with RSA. */
    NCRYPT_KEY_HANDLE ephemeral, share, premaster;
    DWORD group;
    DWORD protocol, offered_protocol;
    NCRYPT_SSL_CIPHER_SUITE suite;
    unsigned char client_random[32], server_random[32];
    int extended, renegotiation_info, point_formats, reads_encrypted, writes_encrypted;
    /* In TLS 1.3, whether ChangeCipherSpec is skipped (RFC 8446 appendix D.4). */
    int skips_change_cipher_spec;
    ULONGLONG read_sequence, write_sequence;
    /* Handshake bytes that came and were not asked for yet. */
    unsigned char waiting[MAX_MESSAGE];
    size_t waiting_len;
    /* The newest handshake message, with its header. */
    unsigned char message[MAX_MESSAGE];
    size_t message_len;
};

/* What is left to read of a message. Beyond its end there is nothing but `failed`. */
struct cursor {
    const unsigned char *at;
    size_t left;
    int failed;
};

static inline const unsigned char *take(struct cursor *cursor, size_t len)
{
    static const unsigned char nothing[1] = {0};
    const unsigned char *taken = cursor->at;
    if (len > cursor->left) {
        cursor->failed = 1;
        cursor->left = 0;
        return nothing;
    }
    cursor->at += len;
    cursor->left -= len;
    return taken;
}

static inline DWORD take_number(struct cursor *cursor, size_t len)
{
    DWORD number = 0;
    while (len-- > 0) {
        number = number << 8 | take(cursor, 1)[0];
    }
    return number;
}

/* A part with its length in front of it. */
static inline struct cursor take_part(struct cursor *cursor, size_t length_len)
{
    struct cursor part;
    part.left = take_number(cursor, length_len);
    part.at = take(cursor, part.left);
    part.failed = cursor->failed;
    if (part.failed) {
        part.left = 0;
    }
    return part;
}

static inline size_t put_number(unsigned char *to, size_t number, size_t len)
{
    size_t each;
    for (each = 0; each < len; each++) {
        to[each] = (unsigned char)(number >> 8 * (len - 1 - each));
    }
    return len;
}

static inline int read_all(int from, unsigned char *to, size_t len)
{
    while (len > 0) {
        ssize_t got = read(from, to, len);
        if (got <= 0) {
            return GONE;
        }
        to += got;
        len -= (size_t)got;
    }
    return NONE;
}

static inline int write_all(int to, const unsigned char *from, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(to, from, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return GONE;
        }
        from += sent;
        len -= (size_t)sent;
    }
    return NONE;
}

/* Reads a record and returns its content, decrypted once the client has changed its cipher. */
static inline int read_record(struct connection *c, unsigned char *type, unsigned char *content,
                              size_t *content_len)
{
    static unsigned char record[MAX_RECORD];
    size_t len;
    DWORD opened = 0;
    SECURITY_STATUS status;
    TRY(read_all(c->socket, record, 5));
    len = (size_t)record[3] << 8 | record[4];
    if (record[1] != 3) {
        return PROTOCOL_VERSION;
    }
    if (len > MAX_RECORD - 5) {
        return RECORD_OVERFLOW;
    }
    TRY(read_all(c->socket, record + 5, len));
    *type = record[0];
    if (*type == CT_CHANGE_CIPHER_SPEC && c->skips_change_cipher_spec) {
        return len == 1 && record[5] == 1 ? read_record(c, type, content, content_len)
                                          : UNEXPECTED_MESSAGE;
    }
    if (!c->reads_encrypted) {
        memcpy(content, record + 5, len);
        *content_len = len;
        return len <= 16384 ? NONE : RECORD_OVERFLOW;
    }
    status = SslDecryptPacket(c->provider, c->read_key, record, (DWORD)len + 5, content, MAX_RECORD,
                              &opened, c->read_sequence++, 0);
    *content_len = opened;
    if (status == NTE_DECRYPTION_FAILURE) {
        return BAD_RECORD_MAC;
    }
    if (c->protocol == TLS1_3_PROTOCOL_VERSION) {
        /* It was encrypted behind the content, where the interface puts it. */
        *type = content[opened];
    }
    return status == ERROR_SUCCESS ? NONE : INTERNAL_ERROR;
}

/* The version in the header of a record that is not encrypted. */
static inline DWORD record_version(const struct connection *c)
{
    if (c->protocol == 0) {
        return TLS1_PROTOCOL_VERSION;
    }
    return c->protocol > TLS1_2_PROTOCOL_VERSION ? TLS1_2_PROTOCOL_VERSION : c->protocol;
}

static inline int write_record(struct connection *c, DWORD type, const unsigned char *content,
                               size_t len)
{
    static unsigned char record[MAX_RECORD];
    DWORD sealed = 0;
    if (!c->writes_encrypted) {
        record[0] = (unsigned char)type;
        put_number(record + 1, record_version(c), 2);
        put_number(record + 3, len, 2);
        memcpy(record + 5, content, len);
        return write_all(c->socket, record, len + 5);
    }
    TRY_CALL(SslEncryptPacket(c->provider, c->write_key, in(content), (DWORD)len, record,
                              MAX_RECORD, &sealed, c->write_sequence++, type, 0));
    return write_all(c->socket, record, sealed);
}

/* Reads records until so many bytes of handshake messages wait, which may come in pieces or with
 * others in one record. */
static inline int wait_for(struct connection *c, size_t wanted)
{
    static unsigned char content[MAX_RECORD];
    while (c->waiting_len < wanted) {
        unsigned char type;
        size_t len;
        TRY(read_record(c, &type, content, &len));
        if (type == CT_ALERT) {
            return GONE;
        }
        if (type != CT_HANDSHAKE || len == 0) {
            return UNEXPECTED_MESSAGE;
        }
        if (len > MAX_MESSAGE - c->waiting_len) {
            return DECODE_ERROR;
        }
        memcpy(c->waiting + c->waiting_len, content, len);
        c->waiting_len += len;
    }
    return NONE;
}

/* Says whether the next message is one that may be left out. */
static inline int is_next(struct connection *c, unsigned char type, int *found)
{
    TRY(wait_for(c, 4));
    *found = c->waiting[0] == type;
    return NONE;
}

static inline int read_message(struct connection *c, unsigned char expected)
{
    size_t len;
    TRY(wait_for(c, 4));
    len = 4 + ((size_t)c->waiting[1] << 16 | (size_t)c->waiting[2] << 8 | c->waiting[3]);
    if (c->waiting[0] != expected) {
        return UNEXPECTED_MESSAGE;
    }
    if (len > MAX_MESSAGE) {
        return DECODE_ERROR;
    }
    TRY(wait_for(c, len));
    memcpy(c->message, c->waiting, len);
    c->message_len = len;
    c->waiting_len -= len;
    memmove(c->waiting, c->waiting + len, c->waiting_len);
    return NONE;
}

static inline int hash_message(struct connection *c, const unsigned char *message, size_t len)
{
    size_t each;
    TRY_CALL(SslHashHandshake(c->provider, c->hash, in(message), (DWORD)len, 0));
    for (each = 0; each < COUNT(c->hashes); each++) {
        if (c->hashes[each] != 0) {
            TRY_CALL(SslHashHandshake(c->provider, c->hashes[each], in(message), (DWORD)len, 0));
        }
    }
    return NONE;
}

/* Sends a handshake message of which the body stands behind four bytes for the header. */
static inline int send_message(struct connection *c, unsigned char type, unsigned char *message,
                               size_t len)
{
    message[0] = type;
    put_number(message + 1, len - 4, 3);
    TRY(hash_message(c, message, len));
    return write_record(c, CT_HANDSHAKE, message, len);
}

static inline int is_offered(struct cursor suites, DWORD suite)
{
    while (suites.left >= 2) {
        if (take_number(&suites, 2) == suite) {
            return 1;
        }
    }
    return 0;
}

/* Starts the hashes: which one a client signs with in TLS 1.2 is known when it has signed. */
static inline int start_hashes(struct connection *c)
{
    LPCWSTR names[COUNT(client_hashes)] = {BCRYPT_SHA1_ALGORITHM, BCRYPT_SHA256_ALGORITHM,
                                           BCRYPT_SHA384_ALGORITHM, BCRYPT_SHA512_ALGORITHM};
    DWORD suite = c->suite.dwCipherSuite;
    size_t each;
    TRY_CALL(SslCreateHandshakeHash(c->provider, &c->hash, c->protocol, suite, 0));
    for (each = 0; c->protocol == TLS1_2_PROTOCOL_VERSION && each < COUNT(names); each++) {
        TRY_CALL(SslCreateClientAuthHash(c->provider, &c->hashes[each], c->protocol, suite,
                                         names[each], 0));
    }
    return NONE;
}

/* The body of the message that was read, behind its type and length. */
static inline struct cursor body_of(const struct connection *c)
{
    struct cursor body;
    body.at = c->message + 4;
    body.left = c->message_len - 4;
    body.failed = 0;
    return body;
}

/* The content of an element of DER with this tag. */
static inline struct cursor take_element(struct cursor *cursor, unsigned char tag)
{
    struct cursor content;
    cursor->failed |= take(cursor, 1)[0] != tag;
    content.left = take_number(cursor, 1);
    if (content.left >= 0x80) {
        cursor->failed |= content.left != 0x81 && content.left != 0x82;
        content.left = cursor->failed ? 0 : take_number(cursor, content.left & 0x7f);
    }
    content.at = take(cursor, content.left);
    content.failed = cursor->failed;
    if (content.failed) {
        content.left = 0;
    }
    return content;
}

/* An unsigned number of DER. */
static inline struct cursor take_unsigned(struct cursor *cursor)
{
    struct cursor number = take_element(cursor, 0x02);
    while (number.left > 1 && number.at[0] == 0) {
        (void)take(&number, 1);
    }
    return number;
}

/* Imports an RSAPublicKey (RFC 8017 appendix A.1.1). */
static inline int import_rsa_key(struct connection *c, struct cursor encoded)
{
    static unsigned char blob[sizeof(BCRYPT_RSAKEY_BLOB) + MAX_MESSAGE];
    struct cursor key = take_element(&encoded, 0x30), modulus = take_unsigned(&key);
    struct cursor exponent = take_unsigned(&key);
    BCRYPT_RSAKEY_BLOB header;
    SECURITY_STATUS status;
    unsigned char first = modulus.left > 0 ? modulus.at[0] : 0;
    size_t len = sizeof(header);
    if (key.failed) {
        return BAD_CERTIFICATE;
    }
    memset(&header, 0, sizeof(header));
    header.Magic = BCRYPT_RSAPUBLIC_MAGIC;
    header.BitLength = (ULONG)modulus.left * 8;
    for (; first != 0 && first < 0x80; first = (unsigned char)(first << 1)) {
        header.BitLength--;
    }
    header.cbPublicExp = (ULONG)exponent.left;
    header.cbModulus = (ULONG)modulus.left;
    memcpy(blob, &header, len);
    memcpy(blob + len, exponent.at, exponent.left);
    len += exponent.left;
    memcpy(blob + len, modulus.at, modulus.left);
    len += modulus.left;
    c->peer_kind = RSA_KEY;
    status = SslImportKey(c->provider, &c->peer_key, BCRYPT_RSAPUBLIC_BLOB, blob, (DWORD)len, 0);
    return status == 0 ? NONE : UNSUPPORTED_CERTIFICATE;
}

/* Imports an uncompressed point (RFC 5480 section 2.2), of which the length tells the curve. */
static inline int import_point(struct connection *c, struct cursor point)
{
    unsigned char blob[sizeof(BCRYPT_ECCKEY_BLOB) + 2 * 66];
    BCRYPT_ECCKEY_BLOB header;
    if (take_number(&point, 1) != 4) {
        return UNSUPPORTED_CERTIFICATE;
    }
    header.cbKey = (ULONG)point.left / 2;
    switch (point.left) {
    case 64:
        header.dwMagic = BCRYPT_ECDSA_PUBLIC_P256_MAGIC;
        break;
    case 96:
        header.dwMagic = BCRYPT_ECDSA_PUBLIC_P384_MAGIC;
        break;
    case 132:
        header.dwMagic = BCRYPT_ECDSA_PUBLIC_P521_MAGIC;
        break;
    default:
        return UNSUPPORTED_CERTIFICATE;
    }
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), point.at, point.left);
    c->peer_kind = ECDSA_KEY;
    return SslImportKey(c->provider, &c->peer_key, BCRYPT_ECCPUBLIC_BLOB, blob,
                        (DWORD)(sizeof(header) + point.left), 0) == 0
               ? NONE
               : UNSUPPORTED_CERTIFICATE;
}

/* Imports the key of a certificate (RFC 5280 section 4.1). Who issued it is not looked at. */
static inline int import_peer_key(struct connection *c, struct cursor encoded)
{
    static const unsigned char rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
    struct cursor all = take_element(&encoded, 0x30), content = take_element(&all, 0x30);
    struct cursor info, algorithm, name, bits;
    size_t each;
    if (content.left > 0 && content.at[0] == 0xa0) {
        (void)take_element(&content, 0xa0);
    }
    (void)take_element(&content, 0x02);
    /* Algorithm of the signature, issuer, validity, subject. */
    for (each = 0; each < 4; each++) {
        (void)take_element(&content, 0x30);
    }
    info = take_element(&content, 0x30);
    algorithm = take_element(&info, 0x30);
    name = take_element(&algorithm, 0x06);
    bits = take_element(&info, 0x03);
    if (take_number(&bits, 1) != 0 || bits.failed || name.failed) {
        return BAD_CERTIFICATE;
    }
    if (name.left == sizeof(rsa) && memcmp(name.at, rsa, sizeof(rsa)) == 0) {
        return import_rsa_key(c, bits);
    }
    return import_point(c, bits);
}

/* The key exchange of the suite, by its name: "RSA", "ECDH" or "DH". */
static inline int exchange_is(const struct connection *c, const char *name)
{
    return is_text(c->suite.szExchange, name);
}

static inline int randomize(unsigned char *random)
{
    FILE *source = fopen("/dev/urandom", "rb");
    size_t got = source == NULL ? 0 : fread(random, 1, 32, source);
    if (source != NULL) {
        (void)fclose(source);
    }
    return got == 32 ? NONE : INTERNAL_ERROR;
}

/* What a signature is over, as the interface takes it. */
struct to_sign {
    unsigned char value[80];
    DWORD len, flags;
};

/* An RSA signature of TLS 1.2 names its hash; `name` is NULL in earlier versions. */
static inline void set_to_sign(struct to_sign *to, DWORD kind, const char *name,
                               const unsigned char *digest, DWORD len)
{
    memcpy(to->value, digest, len);
    to->len = len;
    to->flags = 0;
    if (kind == RSA_KEY && name != NULL) {
        to->len = name_hash(to->value, name, digest, len);
        to->flags = NCRYPT_SSL_SIGN_INCLUDE_HASHOID;
    }
}

/* The hash of ServerKeyExchange, of both randoms and the parameters (RFC 5246 section 7.4.3): that
 * of a handshake hash which has seen nothing else, and which is of the algorithm that is asked for
 * by its suite, or before TLS 1.2 MD5 and SHA-1, of which ECDSA signs the second. */
static inline int hash_parameters(const struct connection *c, DWORD kind,
                                  unsigned char hash_number, const unsigned char *parameters,
                                  size_t parameters_len, struct to_sign *to)
{
    unsigned char digest[64], *signed_part = digest;
    int is_newest = c->protocol == TLS1_2_PROTOCOL_VERSION;
    const char *name = hash_number == 5 ? "SHA384" : "SHA256";
    DWORD suite = !is_newest         ? TLS_RSA_WITH_AES_128_CBC_SHA
                  : hash_number == 5 ? TLS_RSA_WITH_AES_256_GCM_SHA384
                                     : TLS_RSA_WITH_AES_128_GCM_SHA256;
    NCRYPT_HASH_HANDLE hash = 0;
    DWORD len = 0;
    if (is_newest && hash_number != 4 && hash_number != 5) {
        return ILLEGAL_PARAMETER;
    }
    TRY_CALL(SslCreateHandshakeHash(c->provider, &hash, c->protocol, suite, 0));
    OK(SslHashHandshake(c->provider, hash, in(c->client_random), 32, 0));
    OK(SslHashHandshake(c->provider, hash, in(c->server_random), 32, 0));
    OK(SslHashHandshake(c->provider, hash, in(parameters), (DWORD)parameters_len, 0));
    OK(SslComputeSessionHash(c->provider, hash, c->protocol, digest, sizeof(digest), &len, 0));
    OK(SslFreeObject(hash, 0));
    if (!is_newest && kind == ECDSA_KEY) {
        signed_part += 16;
        len -= 16;
    }
    set_to_sign(to, kind, is_newest ? name : NULL, signed_part, len);
    return NONE;
}

/* Adds a signature with its length, and in TLS 1.2 hash and kind of key in front, and moves the
 * end of the message. */
static inline int put_signature(struct connection *c, NCRYPT_KEY_HANDLE key, DWORD kind,
                                unsigned char hash_number, struct to_sign *what,
                                unsigned char **end)
{
    DWORD len = 0;
    if (c->protocol == TLS1_2_PROTOCOL_VERSION) {
        *end += put_number(*end, hash_number, 1);
        *end += put_number(*end, kind, 1);
    }
    TRY_CALL(SslSignHash(c->provider, key, what->value, what->len, *end + 2, 512, &len,
                         what->flags));
    *end += put_number(*end, len, 2);
    *end += len;
    return NONE;
}

static inline int check_signature(const struct connection *c, struct to_sign *what,
                                  struct cursor signature)
{
    SECURITY_STATUS status =
        SslVerifySignature(c->provider, c->peer_key, what->value, what->len, in(signature.at),
                           (DWORD)signature.left, what->flags);
    if (status == NTE_BAD_SIGNATURE) {
        return DECRYPT_ERROR;
    }
    return status == ERROR_SUCCESS ? NONE : INTERNAL_ERROR;
}

/* Generates a key in a group that has a number. */
static inline int new_key_on_curve(struct connection *c, DWORD group)
{
    c->group = group;
    TRY_CALL(SslCreateEphemeralKey(c->provider, &c->ephemeral, c->protocol, c->suite.dwCipherSuite,
                                   group, 0, NULL, 0, 0));
    return NONE;
}

/* Generates a key in a finite field. Numbers of another length than the prime's get zeros. */
static inline int new_key_in_field(struct connection *c, struct cursor prime,
                                   struct cursor generator)
{
    static unsigned char group[sizeof(BCRYPT_DH_PARAMETER_HEADER) + 2 * MAX_MESSAGE];
    BCRYPT_DH_PARAMETER_HEADER header;
    SECURITY_STATUS status;
    if (generator.left > prime.left) {
        return ILLEGAL_PARAMETER;
    }
    header.cbLength = (ULONG)(sizeof(header) + 2 * prime.left);
    header.dwMagic = BCRYPT_DH_PARAMETERS_MAGIC;
    header.cbKeyLength = (ULONG)prime.left;
    memset(group, 0, sizeof(group));
    memcpy(group, &header, sizeof(header));
    memcpy(group + sizeof(header), prime.at, prime.left);
    memcpy(group + header.cbLength - generator.left, generator.at, generator.left);
    status = SslCreateEphemeralKey(c->provider, &c->ephemeral, c->protocol,
                                   c->suite.dwCipherSuite, 0, 0, group, header.cbLength, 0);
    /* A prime that is too short, or no group. */
    return status == ERROR_SUCCESS ? NONE : ILLEGAL_PARAMETER;
}

/* One's own public key as it goes over the wire, without its length: a point or a number. */
static inline int export_share(const struct connection *c, unsigned char *to, DWORD *share_len)
{
    unsigned char blob[sizeof(BCRYPT_DH_KEY_BLOB) + 3 * 1024];
    int is_curve = exchange_is(c, "ECDH"), is_point = is_curve && c->group != 29;
    DWORD len = 0, skip = sizeof(SSL_ECCKEY_BLOB);
    TRY_CALL(SslExportKey(c->provider, c->ephemeral,
                          is_curve ? SSL_ECCPUBLIC_BLOB : BCRYPT_DH_PUBLIC_BLOB, blob, sizeof(blob),
                          &len, 0));
    if (!is_curve) {
        skip += (len - skip) / 3 * 2;
    }
    to[0] = 4;
    memcpy(to + is_point, blob + skip, len - skip);
    *share_len = len - skip + (DWORD)is_point;
    return NONE;
}

/* Imports a point of the peer in the group of one's own key. */
static inline int import_share_on_curve(struct connection *c, struct cursor point)
{
    unsigned char blob[sizeof(SSL_ECCKEY_BLOB) + 256];
    SSL_ECCKEY_BLOB header;
    if (c->group != 29 && take_number(&point, 1) != 4) {
        return ILLEGAL_PARAMETER;
    }
    if (point.failed || point.left > 256) {
        return ILLEGAL_PARAMETER;
    }
    header.dwCurveType = c->group;
    header.cbKey = (ULONG)(c->group == 29 ? point.left : point.left / 2);
    memcpy(blob, &header, sizeof(header));
    memcpy(blob + sizeof(header), point.at, point.left);
    return SslImportKey(c->provider, &c->share, SSL_ECCPUBLIC_BLOB, blob,
                        (DWORD)(sizeof(header) + point.left), 0) == 0
               ? NONE
               : ILLEGAL_PARAMETER;
}

static inline int import_share_in_field(struct connection *c, struct cursor prime,
                                        struct cursor generator, struct cursor number)
{
    static unsigned char blob[sizeof(BCRYPT_DH_KEY_BLOB) + 3 * MAX_MESSAGE];
    BCRYPT_DH_KEY_BLOB header;
    unsigned char *at = blob + sizeof(header);
    if (generator.left > prime.left || number.left > prime.left) {
        return ILLEGAL_PARAMETER;
    }
    header.dwMagic = BCRYPT_DH_PUBLIC_MAGIC;
    header.cbKey = (ULONG)prime.left;
    memset(blob, 0, sizeof(blob));
    memcpy(blob, &header, sizeof(header));
    memcpy(at, prime.at, prime.left);
    memcpy(at + 2 * prime.left - generator.left, generator.at, generator.left);
    memcpy(at + 3 * prime.left - number.left, number.at, number.left);
    return SslImportKey(c->provider, &c->share, BCRYPT_DH_PUBLIC_BLOB, blob,
                        (DWORD)(sizeof(header) + 3 * prime.left), 0) == 0
               ? NONE
               : ILLEGAL_PARAMETER;
}

/* The list of a master key: the offered version, and both randoms or the session hash. */
struct master_list {
    NCryptBuffer buffers[3];
    unsigned char session_hash[48];
    NCryptBufferDesc list;
};

static inline int set_master_list(const struct connection *c, struct master_list *to)
{
    DWORD len = 0;
    set_buffer(&to->buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &c->offered_protocol,
               sizeof(DWORD));
    set_buffer(&to->buffers[1], NCRYPTBUFFER_SSL_CLIENT_RANDOM, c->client_random, 32);
    set_buffer(&to->buffers[2], NCRYPTBUFFER_SSL_SERVER_RANDOM, c->server_random, 32);
    to->list = list_of(to->buffers, 3);
    if (c->extended) {
        TRY_CALL(SslComputeSessionHash(c->provider, c->hash, c->protocol, to->session_hash,
                                       sizeof(to->session_hash), &len, 0));
        set_buffer(&to->buffers[1], NCRYPTBUFFER_SSL_SESSION_HASH, to->session_hash, len);
        to->list = list_of(to->buffers, 2);
    }
    return NONE;
}

/* (EC)DHE, on either side. */
static inline int agree(struct connection *c, DWORD side)
{
    struct master_list list;
    SECURITY_STATUS status;
    TRY(set_master_list(c, &list));
    status = SslGenerateMasterKey(c->provider, c->ephemeral, c->share, &c->master_key, c->protocol,
                                  c->suite.dwCipherSuite, &list.list, NULL, 0, NULL, side);
    if (status == NTE_BAD_DATA) {
        return ILLEGAL_PARAMETER;
    }
    return status == ERROR_SUCCESS ? NONE : INTERNAL_ERROR;
}

static inline int generate_session_keys(struct connection *c)
{
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_CLIENT_RANDOM, c->client_random, 32);
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SERVER_RANDOM, c->server_random, 32);
    TRY_CALL(SslGenerateSessionKeys(c->provider, c->master_key, &c->read_key, &c->write_key, &list,
                                    0));
    return NONE;
}

static inline int send_finished(struct connection *c, DWORD side)
{
    unsigned char message[4 + VERIFY_DATA_LEN];
    message[0] = 1;
    TRY(write_record(c, CT_CHANGE_CIPHER_SPEC, message, 1));
    c->writes_encrypted = 1;
    TRY_CALL(SslComputeFinishedHash(c->provider, c->master_key, c->hash, message + 4,
                                    VERIFY_DATA_LEN, side));
    return send_message(c, FINISHED, message, sizeof(message));
}

/* Reads ChangeCipherSpec and Finished of the peer, which is on this side. */
static inline int read_finished(struct connection *c, DWORD side)
{
    static unsigned char content[MAX_RECORD];
    unsigned char type, difference = 0, expected[VERIFY_DATA_LEN];
    size_t len, each;
    TRY(read_record(c, &type, content, &len));
    if (type == CT_ALERT) {
        return GONE;
    }
    if (type != CT_CHANGE_CIPHER_SPEC || len != 1 || content[0] != 1 || c->waiting_len > 0) {
        return UNEXPECTED_MESSAGE;
    }
    c->reads_encrypted = 1;
    TRY(read_message(c, FINISHED));
    /* Before the message itself is hashed. */
    TRY_CALL(SslComputeFinishedHash(c->provider, c->master_key, c->hash, expected,
                                    VERIFY_DATA_LEN, side));
    if (c->message_len != 4 + sizeof(expected) || c->waiting_len > 0) {
        return DECODE_ERROR;
    }
    for (each = 0; each < sizeof(expected); each++) {
        difference |= (unsigned char)(c->message[4 + each] ^ expected[each]);
    }
    if (difference != 0) {
        return DECRYPT_ERROR;
    }
    return hash_message(c, c->message, c->message_len);
}

static inline void free_objects(struct connection *c)
{
    NCRYPT_HANDLE handles[8 + COUNT(c->hashes)];
    size_t each;
    handles[0] = c->hash;
    handles[1] = c->master_key;
    handles[2] = c->read_key;
    handles[3] = c->write_key;
    handles[4] = c->peer_key;
    handles[5] = c->ephemeral;
    handles[6] = c->share;
    handles[7] = c->premaster;
    memcpy(&handles[8], c->hashes, sizeof(c->hashes));
    for (each = 0; each < COUNT(handles); each++) {
        if (handles[each] != 0) {
            OK(SslFreeObject(handles[each], 0));
        }
    }
}

/* Reads what the peer still sends, up to a limit: a close with unread bytes is a reset, which may
 * discard the alert. */
static inline void drain(int socket)
{
    static unsigned char rest[MAX_RECORD];
    struct timeval patience = {5, 0};
    size_t each;
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (each = 0; each < 4096 && read(socket, rest, sizeof(rest)) > 0; each++) {
    }
}

/* How every connection ends: close_notify is a warning, everything else is fatal. */
static inline void end_connection(struct connection *c, int outcome)
{
    if (outcome != GONE) {
        unsigned char alert[2];
        alert[0] = outcome == NONE ? 1 : 2;
        alert[1] = (unsigned char)outcome;
        (void)write_record(c, CT_ALERT, alert, 2);
    }
    free_objects(c);
    (void)shutdown(c->socket, SHUT_WR);
    drain(c->socket);
    CHECK(close(c->socket) == 0);
}

/* The certificate of the test key on P-256, which is the only one of it here. */
static inline NCRYPT_KEY_HANDLE open_curve_key(NCRYPT_PROV_HANDLE provider)
{
    const struct curve_key *key = &curve_keys[0];
    NCRYPT_PROV_HANDLE storage = 0;
    NCRYPT_KEY_HANDLE stored = 0, opened = 0;
    CERT_CONTEXT context = context_of(key->certificate.data, key->certificate.len);
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    OK(NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &stored,
                       in(key->pkcs8.data), key->pkcs8.len, 0));
    OK(SslOpenPrivateKey(provider, &opened, &context, 0));
    OK(NCryptFreeObject(stored));
    OK(NCryptFreeObject(storage));
    return opened;
}

/* Sends Certificate with the certificate of one of the test keys, or with none. */
static inline int send_certificate(struct connection *c, DWORD kind)
{
    static unsigned char message[10 + 2048];
    struct bytes own = {certificate, sizeof(certificate)};
    if (kind == ECDSA_KEY) {
        own = curve_keys[0].certificate;
    }
    if (kind == 0) {
        put_number(message + 4, 0, 3);
        return send_message(c, CERTIFICATE, message, 7);
    }
    CHECK(own.len <= 2048);
    put_number(message + 4, own.len + 3, 3);
    put_number(message + 7, own.len, 3);
    memcpy(message + 10, own.data, own.len);
    return send_message(c, CERTIFICATE, message, 10 + own.len);
}

#endif
