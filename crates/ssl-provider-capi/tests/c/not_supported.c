/* What is not there yet, TLS 1.3: NTE_NOT_SUPPORTED, after the handles are validated. */

#include "test.h"

static unsigned char buffer[64];
static NCryptBufferDesc list;
static NCRYPT_KEY_HANDLE out, out2;

/* Calls with good handles, then with a freed one in the place of each. */
#define NOT_YET(call_with, good)                                                 \
    do {                                                                         \
        out = out2 = 77;                                                         \
        EXPECT(NTE_NOT_SUPPORTED, call_with(good));                              \
        EXPECT(NTE_INVALID_HANDLE, call_with(freed));                            \
        EXPECT(NTE_INVALID_HANDLE, call_with(0));                                \
    } while (0)

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider(), freed = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider);
    NCRYPT_KEY_HANDLE master = import_master_key(provider, key, &exchanges[4]);
    NCRYPT_KEY_HANDLE read = 0, write = 0;
    NCRYPT_HASH_HANDLE hash = hash_of_transcript(provider, 0x0303, 0x009c);
    PBYTE b = buffer;
    NCryptBuffer buffers[2];
    set_randoms(buffers);
    list = list_of(buffers, 2);
    OK(SslGenerateSessionKeys(provider, master, &read, &write, &list, 0));
    OK(SslFreeObject(freed, 0));

#define CALL(h) SslExtractEarlyKey(h, 0, &out, 0x304, 0x1301, NULL, 0)
    NOT_YET(CALL, provider);
#undef CALL
#define CALL(h) SslExtractHandshakeKey(provider, h, master, master, &out, NULL, 0)
    NOT_YET(CALL, master);
#undef CALL
#define CALL(h) SslExtractMasterKey(provider, h, &out, NULL, 0)
    NOT_YET(CALL, master);
#undef CALL
#define CALL(h) SslExpandTrafficKeys(provider, master, h, &out, &out2, NULL, 0)
    NOT_YET(CALL, hash);
#undef CALL
#define CALL(h) SslExpandWriteKey(provider, h, &out, NULL, 0)
    NOT_YET(CALL, master);
#undef CALL
#define CALL(h) SslExpandExporterMasterKey(provider, h, hash, &out, NULL, 0)
    NOT_YET(CALL, master);
#undef CALL
#define CALL(h) SslExpandResumptionMasterKey(provider, h, hash, &out, NULL, 0)
    NOT_YET(CALL, master);
#undef CALL
#define CALL(h) SslExpandBinderKey(provider, h, &out, NULL, NCRYPT_SSL_EXTERNAL_PSK_FLAG)
    NOT_YET(CALL, master);
#undef CALL
#define CALL(h) SslExpandPreSharedKey(provider, h, b, 8, &out, NULL, 0)
    NOT_YET(CALL, master);
#undef CALL
    CHECK(out == 0);

    OK(SslFreeObject(read, 0));
    OK(SslFreeObject(write, 0));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(master, 0));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}
