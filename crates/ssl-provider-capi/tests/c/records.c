/* Records: what the peer wrote is opened, what is written opens again, and what is bad does not. */

#include "test.h"

#define MAX_PAYLOAD 16384
#define ROOM (MAX_PAYLOAD + 512)

static unsigned char payload[MAX_PAYLOAD + 1], record[ROOM], opened[ROOM], before[ROOM];

struct keys {
    NCRYPT_KEY_HANDLE read, write;
    DWORD header_len, trailer_len, padding_len;
};

static struct keys keys_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                           const struct exchange *exchange)
{
    NCRYPT_KEY_HANDLE master = import_master_key(provider, private_key, exchange);
    NCRYPT_SSL_CIPHER_LENGTHS lengths;
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    struct keys keys;
    memset(&keys, 0, sizeof(keys));
    set_randoms(buffers);
    OK(SslGenerateSessionKeys(provider, master, &keys.read, &keys.write, &list, 0));
    OK(SslFreeObject(master, 0));
    OK(SslLookupCipherLengths(provider, exchange->protocol, exchange->suite, 0, &lengths,
                              sizeof(lengths), 0));
    keys.header_len = lengths.dwHeaderLen;
    keys.trailer_len = lengths.dwFixedTrailerLen;
    keys.padding_len = lengths.dwMaxVariableTrailerLen;
    return keys;
}

static void free_keys(struct keys keys)
{
    OK(SslFreeObject(keys.read, 0));
    OK(SslFreeObject(keys.write, 0));
}

static void known_records(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key)
{
    size_t each;
    for (each = 0; each < COUNT(exchanges); each++) {
        const struct exchange *exchange = &exchanges[each];
        struct keys keys = keys_of(provider, private_key, exchange);
        DWORD len = 0;
        OK(SslDecryptPacket(provider, keys.read, in(exchange->client_record), exchange->record_len,
                            opened, ROOM, &len, 0, 0));
        CHECK(len == sizeof(transcript) && memcmp(opened, transcript, len) == 0);
        OK(SslEncryptPacket(provider, keys.write, in(transcript), (DWORD)sizeof(transcript), record,
                            ROOM, &len, 0, CT_HANDSHAKE, 0));
        CHECK(len == exchange->record_len);
        /* The vector of TLS 1.1 is random. */
        CHECK((memcmp(record, exchange->server_record, len) == 0) == (exchange->protocol != 0x302));
        free_keys(keys);
    }
}

/* Payloads of many lengths, record after record, apart and in place. */
static void round_trips(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                        const struct exchange *exchange)
{
    static const DWORD lens[] = {0, 1, 15, 16, 27, 28, 1000, MAX_PAYLOAD - 1, MAX_PAYLOAD};
    struct keys writer = keys_of(provider, private_key, exchange);
    struct keys reader = keys_of(provider, private_key, exchange);
    ULONGLONG sequence = 0;
    DWORD each, in_place;
    for (each = 0; each < COUNT(lens); each++) {
        for (in_place = 0; in_place < 2; in_place++, sequence++) {
            DWORD len = lens[each], sealed = 0, asked = 0, room = 0, got = 77;
            PBYTE from = in_place ? record + writer.header_len : payload;
            PBYTE to = in_place ? record + writer.header_len : opened;
            memset(record, 0xa5, ROOM);
            memset(opened, 0xa5, ROOM);
            if (in_place) {
                memcpy(from, payload, len);
            }
            OK(SslEncryptPacket(provider, writer.write, from, len, NULL, 0, &asked, sequence, 23,
                                0));
            CHECK(asked >= writer.header_len + len + writer.trailer_len);
            CHECK(asked <= writer.header_len + len + writer.trailer_len + writer.padding_len);
            EXPECT(NTE_BUFFER_TOO_SMALL, SslEncryptPacket(provider, writer.write, from, len, record,
                                                          asked - 1, &sealed, sequence, 23, 0));
            CHECK(sealed == asked && record[0] == 0xa5);
            OK(SslEncryptPacket(provider, writer.write, from, len, record, asked, &sealed, sequence,
                                23, 0));
            CHECK(sealed == asked && record[sealed] == 0xa5 && record[0] == 23);

            OK(SslDecryptPacket(provider, reader.write, record, sealed, NULL, 0, &room, sequence,
                                0));
            CHECK(room >= len && room <= len + reader.padding_len);
            if (room > 0) {
                EXPECT(NTE_BUFFER_TOO_SMALL,
                       SslDecryptPacket(provider, reader.write, record, sealed, to, room - 1, &got,
                                        sequence, 0));
                CHECK(got == room);
            }
            OK(SslDecryptPacket(provider, reader.write, record, sealed, to, room, &got, sequence,
                                0));
            CHECK(got == len && memcmp(to, payload, len) == 0);
            CHECK(in_place || opened[len] == 0xa5);
        }
    }
    free_keys(writer);
    free_keys(reader);
}

/* A record with one bit changed, cut, or with another number: one status, nothing written. */
static void bad_records(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                        const struct exchange *exchange)
{
    DWORD len = exchange->record_len, got = 77, at, cut;
    struct keys keys;
    memset(opened, 0xa5, ROOM);
    memset(before, 0xa5, ROOM);
    for (at = 0; at < len; at++) {
        keys = keys_of(provider, private_key, exchange);
        memcpy(record, exchange->client_record, len);
        record[at] ^= (unsigned char)(1u << at % 8);
        EXPECT(NTE_DECRYPTION_FAILURE, SslDecryptPacket(provider, keys.read, record, len, opened,
                                                        ROOM, &got, 0, 0));
        free_keys(keys);
    }
    keys = keys_of(provider, private_key, exchange);
    for (cut = 0; cut < len; cut++) {
        EXPECT(NTE_DECRYPTION_FAILURE, SslDecryptPacket(provider, keys.read, record, cut, opened,
                                                        ROOM, &got, 0, 0));
    }
    EXPECT(NTE_DECRYPTION_FAILURE, SslDecryptPacket(provider, keys.read, in(payload),
                                                    sizeof(payload), opened, ROOM, &got, 0, 0));
    free_keys(keys);
    keys = keys_of(provider, private_key, exchange);
    EXPECT(NTE_DECRYPTION_FAILURE,
           SslDecryptPacket(provider, keys.read, in(exchange->client_record), len, opened, ROOM,
                            &got, 1, 0));
    free_keys(keys);
    CHECK(got == 77 && memcmp(opened, before, ROOM) == 0);
}

/* The only public caller of these functions for application data reserves 5 + dwHeaderLen bytes
 * before the content, encrypts and decrypts there in place, and gives the decrypted content no more
 * room than the rest of the record. */
static void in_place_behind_five_more_bytes(NCRYPT_PROV_HANDLE provider,
                                            NCRYPT_KEY_HANDLE private_key,
                                            const struct exchange *exchange)
{
    struct keys apart = keys_of(provider, private_key, exchange);
    struct keys in_place = keys_of(provider, private_key, exchange);
    DWORD len = 1000, reserved = 5 + in_place.header_len, sealed = 0, got = 0;
    OK(SslEncryptPacket(provider, apart.write, payload, len, before, ROOM, &sealed, 0, 23, 0));
    memcpy(record + reserved, payload, len);
    OK(SslEncryptPacket(provider, in_place.write, record + reserved, len, record,
                        reserved + len + in_place.trailer_len + in_place.padding_len, &got, 0, 23,
                        0));
    /* The IV of TLS 1.1 is random. */
    CHECK(got == sealed && (exchange->protocol == 0x302 || memcmp(record, before, got) == 0));

    memcpy(record, exchange->client_record, exchange->record_len);
    OK(SslDecryptPacket(provider, in_place.read, record, exchange->record_len, record + reserved,
                        exchange->record_len - reserved, &got, 0, 0));
    CHECK(got == sizeof(transcript) && memcmp(record + reserved, transcript, got) == 0);
    free_keys(apart);
    free_keys(in_place);
}

/* No distance of input and output is refused, and a bad record writes nothing at any. */
static void overlaps_at_every_distance(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                                       const struct exchange *exchange)
{
    struct keys keys = keys_of(provider, private_key, exchange);
    DWORD len = 100, sealed = 0, got, distance, room = 0;
    ULONGLONG sequence = 0;
    OK(SslEncryptPacket(provider, keys.write, payload, len, NULL, 0, &sealed, 0, 23, 0));
    OK(SslDecryptPacket(provider, keys.read, record, sealed, NULL, 0, &room, 0, 0));
    memset(before, 0xa5, ROOM);
    for (distance = 0; distance <= sealed; distance++) {
        memset(record, 0xa5, ROOM);
        got = 77;
        EXPECT(NTE_DECRYPTION_FAILURE, SslDecryptPacket(provider, keys.read, record, sealed,
                                                        record + distance, room, &got, 0, 0));
        CHECK(got == 77 && memcmp(record, before, ROOM) == 0);
        OK(SslEncryptPacket(provider, keys.write, record + distance, len, record, ROOM, &got,
                            sequence++, 23, 0));
        CHECK(got == sealed);
        OK(SslEncryptPacket(provider, keys.write, record, len, record + distance, ROOM - distance,
                            &got, sequence++, 23, 0));
        CHECK(got == sealed);
    }
    free_keys(keys);
}

/* What overlaps has the result that it has apart. */
static void overlaps(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                     const struct exchange *exchange)
{
    static const DWORD distances[] = {0, 1, 4, 5, 8, 13, 16, 21, 26, 60, 99};
    DWORD each, len = 100, sealed, got;
    for (each = 0; each < COUNT(distances); each++) {
        DWORD distance = distances[each], before_input;
        for (before_input = 0; before_input < 2; before_input++) {
            struct keys apart = keys_of(provider, private_key, exchange);
            struct keys keys = keys_of(provider, private_key, exchange);
            PBYTE from = record + (before_input ? distance : 0);
            PBYTE to = record + (before_input ? 0 : distance);
            OK(SslEncryptPacket(provider, apart.write, payload, len, before, ROOM, &sealed, 0, 23,
                                0));
            memcpy(from, payload, len);
            OK(SslEncryptPacket(provider, keys.write, from, len, to, ROOM - distance, &got, 0, 23,
                                0));
            CHECK(got == sealed);
            CHECK(exchange->protocol == 0x302 || memcmp(to, before, got) == 0);
            memcpy(from, exchange->client_record, exchange->record_len);
            OK(SslDecryptPacket(provider, keys.read, from, exchange->record_len, to,
                                ROOM - distance, &got, 0, 0));
            CHECK(got == sizeof(transcript) && memcmp(to, transcript, got) == 0);
            free_keys(apart);
            free_keys(keys);
        }
    }
}

/* An AEAD key writes under increasing numbers only; a refusal uses none up. */
static void numbers_only_grow(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                              const struct exchange *exchange)
{
    static const ULONGLONG used[] = {5, 4, 0};
    struct keys keys = keys_of(provider, private_key, exchange);
    SECURITY_STATUS status = exchange->protocol == 0x303 ? NTE_INVALID_PARAMETER : ERROR_SUCCESS;
    DWORD len = 0, each;
    OK(SslEncryptPacket(provider, keys.write, payload, 10, record, ROOM, &len, 5, 23, 0));
    for (each = 0; each < COUNT(used); each++) {
        memset(record, 0xa5, ROOM);
        len = 77;
        EXPECT(status, SslEncryptPacket(provider, keys.write, payload, 10, record, ROOM, &len,
                                        used[each], 23, 0));
        CHECK((record[0] == 0xa5) == (status != ERROR_SUCCESS));
        CHECK((len == 77) == (status != ERROR_SUCCESS));
    }
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslEncryptPacket(provider, keys.write, payload, 10, record, 1, &len, 6, 23, 0));
    OK(SslEncryptPacket(provider, keys.write, payload, 10, NULL, 0, &len, 6, 23, 0));
    OK(SslEncryptPacket(provider, keys.write, payload, 10, record, ROOM, &len, 6, 23, 0));
    free_keys(keys);
}

/* A key under whose nonces the peer writes encrypts nothing, whether it has decrypted or not. */
static void read_keys_do_not_write(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                                   const struct exchange *exchange)
{
    struct keys writer = keys_of(provider, private_key, exchange);
    struct keys keys = keys_of(provider, private_key, exchange);
    DWORD len = 0, got = 0;
    EXPECT(NTE_INVALID_PARAMETER,
           SslEncryptPacket(provider, keys.read, payload, 10, record, ROOM, &len, 0, 23, 0));
    OK(SslEncryptPacket(provider, writer.write, payload, 10, record, ROOM, &len, 0, 23, 0));
    OK(SslDecryptPacket(provider, keys.write, record, len, opened, ROOM, &got, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslEncryptPacket(provider, keys.write, payload, 10, record, ROOM, &len, 1, 23, 0));
    free_keys(writer);
    free_keys(keys);
}

static void refusals(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key)
{
    struct keys keys = keys_of(provider, private_key, &exchanges[4]);
    NCRYPT_KEY_HANDLE write = keys.write, read = keys.read;
    DWORD len = 77, type, flag;
#define ENCRYPT(status, provider_, key_, in_, len_, result_, type_, flags_)                        \
    EXPECT(status,                                                                                 \
           SslEncryptPacket(provider_, key_, in_, len_, record, ROOM, result_, 0, type_, flags_))
#define DECRYPT(status, provider_, key_, in_, result_, flags_)                                     \
    EXPECT(status, SslDecryptPacket(provider_, key_, in_, 100, opened, ROOM, result_, 0, flags_))
    memset(record, 0xa5, ROOM);
    ENCRYPT(NTE_INVALID_HANDLE, 0, write, payload, 1, &len, 23, 0);
    ENCRYPT(NTE_INVALID_HANDLE, provider, 0, payload, 1, &len, 23, 0);
    ENCRYPT(NTE_INVALID_HANDLE, provider, private_key, payload, 1, &len, 23, 0);
    ENCRYPT(NTE_INVALID_PARAMETER, provider, write, NULL, 1, &len, 23, 0);
    ENCRYPT(NTE_INVALID_PARAMETER, provider, write, NULL, 0, &len, 23, 0);
    ENCRYPT(NTE_INVALID_PARAMETER, provider, write, payload, 1, NULL, 23, 0);
    ENCRYPT(NTE_INVALID_PARAMETER, provider, write, payload, MAX_PAYLOAD + 1, &len, 23, 0);
    ENCRYPT(NTE_INVALID_PARAMETER, provider, write, payload, 0xffffffffu, &len, 23, 0);
    for (type = 0; type < 1024; type++) {
        if (type < CT_CHANGE_CIPHER_SPEC || type > CT_APPLICATIONDATA) {
            ENCRYPT(NTE_INVALID_PARAMETER, provider, write, payload, 1, &len, type, 0);
        }
    }
    for (flag = 1; flag != 0; flag <<= 1) {
        ENCRYPT(NTE_BAD_FLAGS, provider, write, payload, 1, &len, 23, flag);
        DECRYPT(NTE_BAD_FLAGS, provider, read, record, &len, flag);
    }
    DECRYPT(NTE_INVALID_HANDLE, 0, read, record, &len, 0);
    DECRYPT(NTE_INVALID_HANDLE, provider, provider, record, &len, 0);
    DECRYPT(NTE_INVALID_PARAMETER, provider, read, NULL, &len, 0);
    DECRYPT(NTE_INVALID_PARAMETER, provider, read, record, NULL, 0);
    CHECK(len == 77 && record[0] == 0xa5);
    free_keys(keys);
    ENCRYPT(NTE_INVALID_HANDLE, provider, write, payload, 1, &len, 23, 0);
    DECRYPT(NTE_INVALID_HANDLE, provider, read, record, &len, 0);
}

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider);
    size_t each;
    for (each = 0; each < sizeof(payload); each++) {
        payload[each] = (unsigned char)(each * 7);
    }
    known_records(provider, key);
    /* Every other exchange is one with the extended master secret: the same records. */
    for (each = 0; each < COUNT(exchanges); each += 2) {
        round_trips(provider, key, &exchanges[each]);
        numbers_only_grow(provider, key, &exchanges[each]);
        read_keys_do_not_write(provider, key, &exchanges[each]);
        bad_records(provider, key, &exchanges[each]);
        overlaps_at_every_distance(provider, key, &exchanges[each]);
        overlaps(provider, key, &exchanges[each]);
        in_place_behind_five_more_bytes(provider, key, &exchanges[each]);
    }
    refusals(provider, key);
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}
