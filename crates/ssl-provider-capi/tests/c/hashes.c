/* Handshake hashes: fed in pieces, duplicated, and read as the session hash. */

#include "test.h"

static void session_hashes(NCRYPT_PROV_HANDLE provider)
{
    size_t each;
    for (each = 0; each < COUNT(exchanges); each++) {
        const struct exchange *exchange = &exchanges[each];
        NCRYPT_HASH_HANDLE whole, pieces = 0, copy = 0;
        unsigned char output[49];
        DWORD len = 0, at;
        whole = hash_of_transcript(provider, exchange->protocol, exchange->suite);
        OK(SslCreateHandshakeHash(provider, &pieces, exchange->protocol, exchange->suite, 0));
        for (at = 0; at + 1 < sizeof(transcript); at++) {
            OK(SslHashHandshake(provider, pieces, in(transcript) + at, 1, 0));
        }
        OK(SslHashHandshake(provider, pieces, NULL, 0, 0));
        OK(SslDuplicateTranscriptHash(provider, pieces, &copy, 0));
        OK(SslHashHandshake(provider, copy, in(transcript) + at, 1, 0));

        OK(SslComputeSessionHash(provider, whole, exchange->protocol, NULL, 0, &len, 0));
        CHECK(len == exchange->hash_len);
        EXPECT(NTE_BUFFER_TOO_SMALL, SslComputeSessionHash(provider, whole, exchange->protocol,
                                                           output, len - 1, &len, 0));
        CHECK(len == exchange->hash_len);
        output[len] = 0xa5;
        OK(SslComputeSessionHash(provider, whole, exchange->protocol, output, len, &len, 0));
        CHECK(memcmp(output, exchange->hash, len) == 0 && output[len] == 0xa5);
        OK(SslComputeSessionHash(provider, copy, exchange->protocol, output, len, &len, 0));
        CHECK(memcmp(output, exchange->hash, len) == 0);
        OK(SslComputeSessionHash(provider, pieces, exchange->protocol, output, len, &len, 0));
        CHECK(memcmp(output, exchange->hash, len) != 0);
        OK(SslFreeObject(whole, 0));
        OK(SslFreeObject(pieces, 0));
        OK(SslFreeObject(copy, 0));
    }
}

static void refusals(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_HASH_HANDLE hash = 77, copy = 77;
    unsigned char output[64];
    DWORD len = 0;
    EXPECT(NTE_INVALID_PARAMETER, SslCreateHandshakeHash(provider, &hash, 0x0304, 0x009c, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateHandshakeHash(provider, &hash, 0x0303, 0x1301, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateHandshakeHash(provider, &hash, 0x0303, 0xffff, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateHandshakeHash(provider, &hash, 0x0301, 0x009c, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslCreateHandshakeHash(provider, NULL, 0x0303, 0x009c, 0));
    EXPECT(NTE_BAD_FLAGS, SslCreateHandshakeHash(provider, &hash, 0x0303, 0x009c, 1));
    EXPECT(NTE_INVALID_HANDLE, SslCreateHandshakeHash(0, &hash, 0x0303, 0x009c, 0));
    CHECK(hash == 0);
    OK(SslCreateHandshakeHash(provider, &hash, 0x0303, 0x009c, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslHashHandshake(provider, hash, NULL, 1, 0));
    EXPECT(NTE_BAD_FLAGS, SslHashHandshake(provider, hash, output, 0, 1));
    EXPECT(NTE_INVALID_HANDLE, SslHashHandshake(provider, provider, output, 0, 0));
    EXPECT(NTE_INVALID_HANDLE, SslHashHandshake(hash, hash, output, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeSessionHash(provider, hash, 0x0302, output, 64, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslComputeSessionHash(provider, hash, 0x0303, output, 64, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslComputeSessionHash(provider, hash, 0x0303, output, 64, &len, 1));
    EXPECT(NTE_INVALID_PARAMETER, SslDuplicateTranscriptHash(provider, hash, NULL, 0));
    EXPECT(NTE_BAD_FLAGS, SslDuplicateTranscriptHash(provider, hash, &copy, 1));
    CHECK(copy == 0);
    OK(SslFreeObject(hash, 0));
    EXPECT(NTE_INVALID_HANDLE, SslHashHandshake(provider, hash, output, 1, 0));
    EXPECT(NTE_INVALID_HANDLE, SslDuplicateTranscriptHash(provider, hash, &copy, 0));
}

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    session_hashes(provider);
    refusals(provider);
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}
