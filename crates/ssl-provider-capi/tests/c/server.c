/*
 * A whole server of RSA key exchange, TLS 1.0 to 1.2: sockets, records and handshake messages are
 * here, and everything cryptographic is asked of the interface. It answers one HTTP request for
 * each connection with a page that says what was negotiated. It asks clients for a certificate, and
 * has those that show one prove that it is theirs. A test, not a server for any network.
 *
 *     server CONNECTIONS
 *
 * listens on a free port of the loopback, prints it, serves so many connections, and exits.
 */

#define _POSIX_C_SOURCE 200809L

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
    INTERNAL_ERROR = 80
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

/* The suites that this server knows, best first. */
static const DWORD known_suites[] = {0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x000a};

/* What clients may sign with: kinds of certificates (RFC 5246 section 7.4.4, RFC 8422 section 5.5),
 * and for TLS 1.2 hash and kind of key, best first (RFC 5246 section 7.4.1.4.1). */
enum { RSA_SIGN = 1, ECDSA_SIGN = 64, RSA_KEY = 1, ECDSA_KEY = 3 };
static const unsigned char schemes[] = {4, RSA_KEY,   5, RSA_KEY,   6, RSA_KEY,   2, RSA_KEY,
                                        4, ECDSA_KEY, 5, ECDSA_KEY, 6, ECDSA_KEY, 2, ECDSA_KEY};

/* The hashes of those, as they are numbered there. */
static const unsigned char client_hashes[] = {2, 4, 5, 6};
static const char *const client_hash_names[] = {"SHA1", "SHA256", "SHA384", "SHA512"};

struct connection {
    int socket;
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_KEY_HANDLE private_key, master_key, read_key, write_key;
    NCRYPT_HASH_HANDLE hash;
    /* In TLS 1.2, one for each of client_hashes. */
    NCRYPT_HASH_HANDLE hashes[COUNT(client_hashes)];
    /* The key of the client's certificate, of which `client_kind` is the kind, or 0. */
    NCRYPT_KEY_HANDLE client_key;
    DWORD client_kind;
    DWORD protocol, offered_protocol;
    NCRYPT_SSL_CIPHER_SUITE suite;
    unsigned char client_random[32], server_random[32];
    int extended, renegotiation_info, reads_encrypted, writes_encrypted;
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

static const unsigned char *take(struct cursor *cursor, size_t len)
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

static DWORD take_number(struct cursor *cursor, size_t len)
{
    DWORD number = 0;
    while (len-- > 0) {
        number = number << 8 | take(cursor, 1)[0];
    }
    return number;
}

/* A part with its length in front of it. */
static struct cursor take_part(struct cursor *cursor, size_t length_len)
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

static size_t put_number(unsigned char *to, size_t number, size_t len)
{
    size_t each;
    for (each = 0; each < len; each++) {
        to[each] = (unsigned char)(number >> 8 * (len - 1 - each));
    }
    return len;
}

static int read_all(int from, unsigned char *to, size_t len)
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

static int write_all(int to, const unsigned char *from, size_t len)
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
static int read_record(struct connection *c, unsigned char *type, unsigned char *content,
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
    return status == ERROR_SUCCESS ? NONE : INTERNAL_ERROR;
}

static int write_record(struct connection *c, DWORD type, const unsigned char *content, size_t len)
{
    static unsigned char record[MAX_RECORD];
    DWORD sealed = 0;
    if (!c->writes_encrypted) {
        record[0] = (unsigned char)type;
        put_number(record + 1, c->protocol == 0 ? TLS1_PROTOCOL_VERSION : c->protocol, 2);
        put_number(record + 3, len, 2);
        memcpy(record + 5, content, len);
        return write_all(c->socket, record, len + 5);
    }
    TRY_CALL(SslEncryptPacket(c->provider, c->write_key, in(content), (DWORD)len, record,
                              MAX_RECORD, &sealed, c->write_sequence++, type, 0));
    return write_all(c->socket, record, sealed);
}

/* Reads the next handshake message, which may come in pieces or with others in one record. */
static int read_message(struct connection *c, unsigned char expected)
{
    static unsigned char content[MAX_RECORD];
    for (;;) {
        unsigned char type;
        size_t len;
        if (c->waiting_len >= 4) {
            len = 4 + ((size_t)c->waiting[1] << 16 | (size_t)c->waiting[2] << 8 | c->waiting[3]);
            if (c->waiting[0] != expected) {
                return UNEXPECTED_MESSAGE;
            }
            if (len > MAX_MESSAGE) {
                return DECODE_ERROR;
            }
            if (c->waiting_len >= len) {
                memcpy(c->message, c->waiting, len);
                c->message_len = len;
                c->waiting_len -= len;
                memmove(c->waiting, c->waiting + len, c->waiting_len);
                return NONE;
            }
        }
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
}

static int hash_message(struct connection *c, const unsigned char *message, size_t len)
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
static int send_message(struct connection *c, unsigned char type, unsigned char *message,
                        size_t len)
{
    message[0] = type;
    put_number(message + 1, len - 4, 3);
    TRY(hash_message(c, message, len));
    return write_record(c, CT_HANDSHAKE, message, len);
}

static int is_offered(struct cursor suites, DWORD suite)
{
    while (suites.left >= 2) {
        if (take_number(&suites, 2) == suite) {
            return 1;
        }
    }
    return 0;
}

/* Takes the first suite that the client offers too and the provider has for RSA key exchange. */
static int choose_suite(struct connection *c, struct cursor offered)
{
    size_t each;
    for (each = 0; each < COUNT(known_suites); each++) {
        DWORD suite = known_suites[each];
        if (is_offered(offered, suite) &&
            SslLookupCipherSuiteInfo(c->provider, c->protocol, suite, 0, &c->suite, 0) == 0 &&
            is_text(c->suite.szExchange, "RSA")) {
            return NONE;
        }
    }
    return HANDSHAKE_FAILURE;
}

/* Starts the hashes: which one a client signs with in TLS 1.2 is known when it has signed. */
static int start_hashes(struct connection *c)
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
static struct cursor body_of(const struct connection *c)
{
    struct cursor body;
    body.at = c->message + 4;
    body.left = c->message_len - 4;
    body.failed = 0;
    return body;
}

static int read_client_hello(struct connection *c)
{
    struct cursor hello, suites, compressions, extensions;
    TRY(read_message(c, CLIENT_HELLO));
    hello = body_of(c);
    c->offered_protocol = take_number(&hello, 2);
    if (hello.left < 32) {
        return DECODE_ERROR;
    }
    memcpy(c->client_random, take(&hello, 32), 32);
    (void)take_part(&hello, 1);
    suites = take_part(&hello, 2);
    compressions = take_part(&hello, 1);
    if (hello.failed || hello.left == 1) {
        return DECODE_ERROR;
    }
    if (memchr(compressions.at, 0, compressions.left) == NULL) {
        return HANDSHAKE_FAILURE;
    }
    if (hello.left > 0) {
        extensions = take_part(&hello, 2);
        while (extensions.left > 0) {
            DWORD kind = take_number(&extensions, 2);
            (void)take_part(&extensions, 2);
            c->extended |= kind == 23;
            c->renegotiation_info |= kind == 0xff01;
        }
        if (extensions.failed || hello.left > 0) {
            return DECODE_ERROR;
        }
    }
    c->renegotiation_info |= is_offered(suites, 0x00ff);
    if (c->offered_protocol < TLS1_PROTOCOL_VERSION) {
        return PROTOCOL_VERSION;
    }
    c->protocol = c->offered_protocol < TLS1_2_PROTOCOL_VERSION ? c->offered_protocol
                                                                : TLS1_2_PROTOCOL_VERSION;
    TRY(choose_suite(c, suites));
    TRY(start_hashes(c));
    return hash_message(c, c->message, c->message_len);
}

/* ServerHello, Certificate, CertificateRequest and ServerHelloDone. */
static int send_hello(struct connection *c)
{
    unsigned char message[16 + sizeof(certificate) + 64], *extensions, *end;
    FILE *random = fopen("/dev/urandom", "rb");
    size_t got = random == NULL ? 0 : fread(c->server_random, 1, 32, random);
    if (random != NULL) {
        (void)fclose(random);
    }
    TRY(got == 32 ? NONE : INTERNAL_ERROR);
    end = message + 4;
    end += put_number(end, c->protocol, 2);
    memcpy(end, c->server_random, 32);
    end += 32;
    end += put_number(end, 0, 1); /* no session to come back to */
    end += put_number(end, c->suite.dwCipherSuite, 2);
    end += put_number(end, 0, 1); /* no compression */
    extensions = end;
    end += 2;
    if (c->renegotiation_info) {
        end += put_number(end, 0xff01, 2);
        end += put_number(end, 1, 2);
        end += put_number(end, 0, 1);
    }
    if (c->extended) {
        end += put_number(end, 23, 2);
        end += put_number(end, 0, 2);
    }
    put_number(extensions, (size_t)(end - extensions) - 2, 2);
    if (end == extensions + 2) {
        end = extensions;
    }
    TRY(send_message(c, SERVER_HELLO, message, (size_t)(end - message)));

    put_number(message + 4, sizeof(certificate) + 3, 3);
    put_number(message + 7, sizeof(certificate), 3);
    memcpy(message + 10, certificate, sizeof(certificate));
    TRY(send_message(c, CERTIFICATE, message, 10 + sizeof(certificate)));

    end = message + 4;
    end += put_number(end, 2, 1);
    end += put_number(end, RSA_SIGN, 1);
    end += put_number(end, ECDSA_SIGN, 1);
    if (c->protocol == TLS1_2_PROTOCOL_VERSION) {
        end += put_number(end, sizeof(schemes), 2);
        memcpy(end, schemes, sizeof(schemes));
        end += sizeof(schemes);
    }
    end += put_number(end, 0, 2); /* of whatever authority */
    TRY(send_message(c, CERTIFICATE_REQUEST, message, (size_t)(end - message)));
    return send_message(c, SERVER_HELLO_DONE, message, 4);
}

/* The content of an element of DER with this tag. */
static struct cursor take_element(struct cursor *cursor, unsigned char tag)
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
static struct cursor take_unsigned(struct cursor *cursor)
{
    struct cursor number = take_element(cursor, 0x02);
    while (number.left > 1 && number.at[0] == 0) {
        (void)take(&number, 1);
    }
    return number;
}

/* Imports an RSAPublicKey (RFC 8017 appendix A.1.1). */
static int import_rsa_key(struct connection *c, struct cursor encoded)
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
    c->client_kind = RSA_KEY;
    status = SslImportKey(c->provider, &c->client_key, BCRYPT_RSAPUBLIC_BLOB, blob, (DWORD)len, 0);
    return status == 0 ? NONE : UNSUPPORTED_CERTIFICATE;
}

/* Imports an uncompressed point (RFC 5480 section 2.2), of which the length tells the curve. */
static int import_point(struct connection *c, struct cursor point)
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
    c->client_kind = ECDSA_KEY;
    return SslImportKey(c->provider, &c->client_key, BCRYPT_ECCPUBLIC_BLOB, blob,
                        (DWORD)(sizeof(header) + point.left), 0) == 0
               ? NONE
               : UNSUPPORTED_CERTIFICATE;
}

/* Imports the key of a certificate (RFC 5280 section 4.1). Who issued it is not looked at. */
static int import_client_key(struct connection *c, struct cursor encoded)
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

/* Certificate: empty, or a chain of which the first is the client's. */
static int read_certificate(struct connection *c)
{
    struct cursor message, chain, first;
    TRY(read_message(c, CERTIFICATE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    chain = take_part(&message, 3);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    if (chain.left == 0) {
        return NONE;
    }
    first = take_part(&chain, 3);
    return chain.failed ? DECODE_ERROR : import_client_key(c, first);
}

/* CertificateVerify, which a client sends that has shown a certificate. */
static int read_certificate_verify(struct connection *c)
{
    NCRYPT_HASH_HANDLE hash = c->hash;
    struct cursor message, signature;
    const char *name = NULL;
    unsigned char digest[64], value[80];
    DWORD len = 0, flags = 0;
    SECURITY_STATUS status;
    if (c->client_key == 0) {
        return NONE;
    }
    TRY(read_message(c, CERTIFICATE_VERIFY));
    message = body_of(c);
    if (c->protocol == TLS1_2_PROTOCOL_VERSION) {
        const void *known =
            memchr(client_hashes, (int)take_number(&message, 1), sizeof(client_hashes));
        if (take_number(&message, 1) != c->client_kind || known == NULL) {
            return ILLEGAL_PARAMETER;
        }
        hash = c->hashes[(const unsigned char *)known - client_hashes];
        name = client_hash_names[(const unsigned char *)known - client_hashes];
    }
    signature = take_part(&message, 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    /* Before the message itself is hashed. */
    TRY_CALL(SslComputeClientAuthHash(
        c->provider, c->master_key, hash,
        c->client_kind == RSA_KEY ? BCRYPT_RSA_ALGORITHM : BCRYPT_ECDSA_ALGORITHM, digest,
        sizeof(digest), &len, 0));
    memcpy(value, digest, len);
    /* An RSA signature of TLS 1.2 names its hash. */
    if (c->client_kind == RSA_KEY && name != NULL) {
        len = name_hash(value, name, digest, len);
        flags = NCRYPT_SSL_SIGN_INCLUDE_HASHOID;
    }
    status = SslVerifySignature(c->provider, c->client_key, value, len, in(signature.at),
                                (DWORD)signature.left, flags);
    if (status == NTE_BAD_SIGNATURE) {
        return DECRYPT_ERROR;
    }
    TRY_CALL(status);
    return hash_message(c, c->message, c->message_len);
}

/* ClientKeyExchange: the premaster secret becomes the master key, and that the session keys. */
static int read_client_key_exchange(struct connection *c)
{
    unsigned char session_hash[48];
    DWORD session_hash_len = 0;
    NCryptBuffer buffers[3];
    NCryptBufferDesc list = list_of(buffers, 3), randoms = list_of(buffers + 1, 2);
    struct cursor message, encrypted;
    TRY(read_message(c, CLIENT_KEY_EXCHANGE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    encrypted = take_part(&message, 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    /* The version in the premaster secret is the one that the client offered. */
    set_buffer(&buffers[0], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &c->offered_protocol, sizeof(DWORD));
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_CLIENT_RANDOM, c->client_random, 32);
    set_buffer(&buffers[2], NCRYPTBUFFER_SSL_SERVER_RANDOM, c->server_random, 32);
    if (c->extended) {
        TRY_CALL(SslComputeSessionHash(c->provider, c->hash, c->protocol, session_hash,
                                       sizeof(session_hash), &session_hash_len, 0));
        set_buffer(&buffers[1], NCRYPTBUFFER_SSL_SESSION_HASH, session_hash, session_hash_len);
        list = list_of(buffers, 2);
    }
    TRY_CALL(SslImportMasterKey(c->provider, c->private_key, &c->master_key, c->protocol,
                                c->suite.dwCipherSuite, &list, in(encrypted.at),
                                (DWORD)encrypted.left, NCRYPT_SSL_SERVER_FLAG));
    set_buffer(&buffers[1], NCRYPTBUFFER_SSL_CLIENT_RANDOM, c->client_random, 32);
    TRY_CALL(SslGenerateSessionKeys(c->provider, c->master_key, &c->read_key, &c->write_key,
                                    &randoms, 0));
    return NONE;
}

static int exchange_finished(struct connection *c)
{
    static unsigned char content[MAX_RECORD];
    unsigned char type, difference = 0, message[4 + VERIFY_DATA_LEN];
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
    TRY_CALL(SslComputeFinishedHash(c->provider, c->master_key, c->hash, message + 4,
                                    VERIFY_DATA_LEN, NCRYPT_SSL_CLIENT_FLAG));
    if (c->message_len != sizeof(message) || c->waiting_len > 0) {
        return DECODE_ERROR;
    }
    for (each = 4; each < sizeof(message); each++) {
        difference |= (unsigned char)(c->message[each] ^ message[each]);
    }
    if (difference != 0) {
        return DECRYPT_ERROR;
    }
    TRY(hash_message(c, c->message, c->message_len));

    content[0] = 1;
    TRY(write_record(c, CT_CHANGE_CIPHER_SPEC, content, 1));
    c->writes_encrypted = 1;
    TRY_CALL(SslComputeFinishedHash(c->provider, c->master_key, c->hash, message + 4,
                                    VERIFY_DATA_LEN, NCRYPT_SSL_SERVER_FLAG));
    return send_message(c, FINISHED, message, sizeof(message));
}

/* Reads one request, up to its empty line, and answers it. */
static int answer(struct connection *c)
{
    static unsigned char content[MAX_RECORD];
    char request[MAX_MESSAGE + 1], page[512], name[NCRYPT_SSL_MAX_NAME_SIZE];
    size_t request_len = 0, len, each;
    int page_len;
    do {
        unsigned char type;
        TRY(read_record(c, &type, content, &len));
        if (type == CT_ALERT) {
            return GONE;
        }
        if (type != CT_APPLICATIONDATA || len > MAX_MESSAGE - request_len) {
            return UNEXPECTED_MESSAGE;
        }
        memcpy(request + request_len, content, len);
        request_len += len;
        request[request_len] = 0;
    } while (strstr(request, "\r\n\r\n") == NULL);
    for (each = 0; each + 1 < sizeof(name) && c->suite.szCipherSuite[each] != 0; each++) {
        name[each] = (char)c->suite.szCipherSuite[each];
    }
    name[each] = 0;
    page_len = snprintf(page, sizeof(page),
                        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
                        "protocol %04x suite %s extended %d client %s\n",
                        (unsigned)c->protocol, name, c->extended,
                        c->client_key == 0             ? "none"
                        : c->client_kind == RSA_KEY ? "RSA"
                                                    : "ECDSA");
    CHECK(page_len > 0 && (size_t)page_len < sizeof(page));
    /* The first byte goes alone, for the chained vectors of TLS 1.0 (BEAST). */
    TRY(write_record(c, CT_APPLICATIONDATA, (unsigned char *)page, 1));
    return write_record(c, CT_APPLICATIONDATA, (unsigned char *)page + 1, (size_t)page_len - 1);
}

static int serve(struct connection *c)
{
    TRY(read_client_hello(c));
    TRY(send_hello(c));
    TRY(read_certificate(c));
    TRY(read_client_key_exchange(c));
    TRY(read_certificate_verify(c));
    TRY(exchange_finished(c));
    return answer(c);
}

static void free_objects(struct connection *c)
{
    NCRYPT_HANDLE handles[5 + COUNT(c->hashes)];
    size_t each;
    handles[0] = c->hash;
    handles[1] = c->master_key;
    handles[2] = c->read_key;
    handles[3] = c->write_key;
    handles[4] = c->client_key;
    memcpy(&handles[5], c->hashes, sizeof(c->hashes));
    for (each = 0; each < COUNT(handles); each++) {
        if (handles[each] != 0) {
            OK(SslFreeObject(handles[each], 0));
        }
    }
}

/* Serves a connection, and returns how it ended. */
static int handle(int socket, NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key)
{
    static struct connection connection;
    struct timeval patience = {60, 0};
    int outcome;
    memset(&connection, 0, sizeof(connection));
    connection.socket = socket;
    connection.provider = provider;
    connection.private_key = private_key;
    CHECK(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    CHECK(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    outcome = serve(&connection);
    if (outcome != GONE) {
        /* close_notify is a warning, everything else the end. */
        unsigned char alert[2];
        alert[0] = outcome == NONE ? 1 : 2;
        alert[1] = (unsigned char)outcome;
        (void)write_record(&connection, CT_ALERT, alert, 2);
    }
    free_objects(&connection);
    (void)shutdown(socket, SHUT_WR);
    CHECK(close(socket) == 0);
    return outcome;
}

int main(int count, char **arguments)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE private_key = open_key(provider);
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), connections, failed = 0;
    CHECK(count == 2);
    connections = atoi(arguments[1]);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(listener >= 0);
    CHECK(bind(listener, (struct sockaddr *)(void *)&address, len) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)(void *)&address, &len) == 0);
    printf("%d\n", ntohs(address.sin_port));
    CHECK(fflush(stdout) == 0);
    while (connections-- > 0) {
        int socket = accept(listener, NULL, NULL), outcome;
        CHECK(socket >= 0);
        outcome = handle(socket, provider, private_key);
        if (outcome != NONE) {
            fprintf(stderr, "a connection ended with %d\n", outcome);
            failed++;
        }
    }
    CHECK(close(listener) == 0);
    OK(SslFreeObject(private_key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left() != 0 || failed != 0;
}
