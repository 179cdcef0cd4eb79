/*
 * The calls and buffers of a program that calls the interface on Windows: a client of TLS 1.2, with
 * RSA and ECDHE, and records that are written and read in place at 5 + dwHeaderLen. The server is
 * this library too.
 */

#include "test.h"

static NCRYPT_PROV_HANDLE provider, storage;

struct client {
    NCRYPT_KEY_HANDLE master, read, write;
    NCRYPT_SSL_CIPHER_LENGTHS lengths;
    ULONGLONG sent, received;
};

/* The list of every call: {20, 21} or {20, 21, 22}, the same for master and session keys. */
static DWORD version = TLS1_2_PROTOCOL_VERSION;
static NCryptBuffer entries[3];

static NCryptBufferDesc *list_with(size_t count)
{
    static NCryptBufferDesc list;
    set_randoms(entries);
    set_buffer(&entries[2], NCRYPTBUFFER_SSL_HIGHEST_VERSION, &version, sizeof(version));
    list = list_of(entries, count);
    return &list;
}

/* It finds the lengths of a suite by its number and the key type of the curve, and reserves room in
 * front of the data for the header and 5 bytes more, so that padding and MAC fit a byte. */
static void look_up(struct client *c, DWORD suite, DWORD key_type)
{
    NCRYPT_SSL_CIPHER_SUITE info;
    OK(SslLookupCipherSuiteInfo(provider, version, suite, key_type, &info, 0));
    CHECK(info.dwKeyType == key_type);
    memset(&c->lengths, 0, sizeof(c->lengths));
    OK(SslLookupCipherLengths(provider, version, suite, key_type, &c->lengths, sizeof(c->lengths),
                              0));
    CHECK(c->lengths.cbLength == sizeof(c->lengths));
    CHECK(c->lengths.dwFixedTrailerLen + c->lengths.dwMaxVariableTrailerLen <= 255);
}

static void start_records(struct client *c)
{
    OK(SslGenerateSessionKeys(provider, c->master, &c->read, &c->write, list_with(3), 0));
    OK(SslFreeObject(c->master, 0));
}

/* Encrypts what stands at 5 + dwHeaderLen, in place. */
static DWORD send_record(struct client *c, unsigned char *buffer, DWORD data_len, DWORD room)
{
    DWORD record_len = 0, offset = 5 + c->lengths.dwHeaderLen;
    OK(SslEncryptPacket(provider, c->write, buffer + offset, data_len, buffer, room, &record_len,
                        c->sent++, CT_APPLICATIONDATA, 0));
    CHECK(record_len <= room);
    return record_len;
}

/* Decrypts a record to 5 + dwHeaderLen bytes behind its start, into what is left of it there. */
static DWORD receive_record(struct client *c, unsigned char *buffer, DWORD record_len)
{
    DWORD data_len = 0, offset = 5 + c->lengths.dwHeaderLen;
    OK(SslDecryptPacket(provider, c->read, buffer, record_len, buffer + offset,
                        record_len - offset, &data_len, c->received++, 0));
    return data_len;
}

/* The server is asked for one thing at a time, and answers with what it was sent. */
static void echo(struct client *c, NCRYPT_KEY_HANDLE of_server)
{
    static unsigned char buffer[2 * 16384 + 512], content[16384 + 512];
    static const DWORD sizes[] = {1, 2, 100, 1000, 16384};
    NCRYPT_KEY_HANDLE read = 0, write = 0;
    DWORD each, at, offset = 5 + c->lengths.dwHeaderLen;
    OK(SslGenerateSessionKeys(provider, of_server, &read, &write, list_with(2), 0));
    OK(SslFreeObject(of_server, 0));
    for (each = 0; each < COUNT(sizes); each++) {
        DWORD size = sizes[each], record_len, content_len = 0;
        DWORD room = offset + size + c->lengths.dwFixedTrailerLen +
                     c->lengths.dwMaxVariableTrailerLen;
        for (at = 0; at < size; at++) {
            buffer[offset + at] = (unsigned char)(at * 7 + each);
        }
        record_len = send_record(c, buffer, size, room);
        OK(SslDecryptPacket(provider, read, buffer, record_len, content, sizeof(content),
                            &content_len, each, 0));
        CHECK(content_len == size);
        OK(SslEncryptPacket(provider, write, content, content_len, buffer, sizeof(buffer),
                            &record_len, each, CT_APPLICATIONDATA, 0));
        CHECK(receive_record(c, buffer, record_len) == size);
        for (at = 0; at < size; at++) {
            CHECK(buffer[offset + at] == (unsigned char)(at * 7 + each));
        }
    }
    OK(SslFreeObject(read, 0));
    OK(SslFreeObject(write, 0));
}

static void free_client(struct client *c)
{
    OK(SslFreeObject(c->read, 0));
    OK(SslFreeObject(c->write, 0));
}

/* The key of the server goes through key storage, and is freed right after the call. The size is
 * not asked for: the room is 1024 bytes, and one variable is size and result. */
static void rsa(NCRYPT_KEY_HANDLE private_key, DWORD suite)
{
    struct client c;
    unsigned char encrypted[1024];
    NCRYPT_KEY_HANDLE raw = 0, of_server = 0;
    DWORD len = sizeof(encrypted);
    memset(&c, 0, sizeof(c));
    look_up(&c, suite, 0);
    OK(NCryptImportKey(storage, 0, BCRYPT_PUBLIC_KEY_BLOB, NULL, &raw, in(public_blob),
                       sizeof(public_blob), 0));
    OK(SslGenerateMasterKey(provider, 0, raw, &c.master, version, suite, list_with(3), encrypted,
                            len, &len, NCRYPT_SSL_CLIENT_FLAG));
    OK(NCryptFreeObject(raw));
    CHECK(len == 256);
    OK(SslImportMasterKey(provider, private_key, &of_server, version, suite, list_with(3),
                          encrypted, len, NCRYPT_SSL_SERVER_FLAG));
    start_records(&c);
    echo(&c, of_server);
    free_client(&c);
}

/* The point on the wire is 04 and what follows the header of the blob. There is no output of
 * SslGenerateMasterKey, and no place for its size. */
static void ecdhe(DWORD suite, DWORD key_type)
{
    static const DWORD magics[] = {BCRYPT_ECDH_PUBLIC_P256_MAGIC, BCRYPT_ECDH_PUBLIC_P384_MAGIC,
                                   BCRYPT_ECDH_PUBLIC_P521_MAGIC};
    static const DWORD bits[] = {256, 384, 521};
    struct client c;
    unsigned char blobs[2][sizeof(BCRYPT_ECCKEY_BLOB) + 132], points[2][1 + 132];
    NCRYPT_KEY_HANDLE own[2] = {0, 0}, peer[2] = {0, 0}, masters[2] = {0, 0};
    BCRYPT_ECCKEY_BLOB header;
    DWORD each, len = 0;
    memset(&c, 0, sizeof(c));
    look_up(&c, suite, key_type);
    for (each = 0; each < 2; each++) {
        OK(SslCreateEphemeralKey(provider, &own[each], version, suite, key_type,
                                 bits[key_type - 23], NULL, 0, 0));
        OK(SslExportKey(provider, own[each], BCRYPT_ECCPUBLIC_BLOB, blobs[each],
                        sizeof(blobs[each]), &len, 0));
        points[each][0] = 4;
        memcpy(points[each] + 1, blobs[each] + sizeof(header), len - sizeof(header));
    }
    for (each = 0; each < 2; each++) {
        header.dwMagic = magics[key_type - 23];
        header.cbKey = (bits[key_type - 23] + 7) / 8;
        memcpy(blobs[each], &header, sizeof(header));
        memcpy(blobs[each] + sizeof(header), points[1 - each] + 1, 2 * header.cbKey);
        OK(SslImportKey(provider, &peer[each], BCRYPT_ECCPUBLIC_BLOB, blobs[each],
                        (DWORD)sizeof(header) + 2 * header.cbKey, 0));
        OK(SslGenerateMasterKey(provider, own[each], peer[each], &masters[each], version, suite,
                                list_with(2), NULL, 0, NULL,
                                each == 0 ? NCRYPT_SSL_CLIENT_FLAG : NCRYPT_SSL_SERVER_FLAG));
        OK(SslFreeObject(peer[each], 0));
    }
    c.master = masters[0];
    start_records(&c);
    /* Session keys do not depend on the keys that they are of. */
    OK(SslFreeObject(own[0], 0));
    OK(SslFreeObject(own[1], 0));
    echo(&c, masters[1]);
    free_client(&c);
}

int main(void)
{
    /* The certificate of a suite is not the business of its keys: ECDSA suites as well. */
    static const DWORD rsa_suites[] = {0x2f, 0x35, 0x3c, 0x3d, 0x9c, 0x9d, 0x0a};
    static const DWORD ecdhe_suites[] = {0xc013, 0xc014, 0xc027, 0xc02b, 0xc02c, 0xc02f, 0xc009};
    NCRYPT_KEY_HANDLE private_key;
    DWORD each, key_type;
    provider = open_provider();
    private_key = open_key(provider);
    OK(NCryptOpenStorageProvider(&storage, NULL, 0));
    for (each = 0; each < COUNT(rsa_suites); each++) {
        rsa(private_key, rsa_suites[each]);
    }
    for (each = 0; each < COUNT(ecdhe_suites); each++) {
        for (key_type = 23; key_type <= 25; key_type++) {
            ecdhe(ecdhe_suites[each], key_type);
        }
    }
    OK(NCryptFreeObject(storage));
    OK(SslFreeObject(private_key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}
