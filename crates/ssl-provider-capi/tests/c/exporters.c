/* Keying material for other protocols, and the key blocks of EAP methods. */

#include "test.h"

static unsigned char randoms[64], output[65536 + 2];
static char label[] = "EXPERIMENTAL";
static unsigned char context[] = {'c', 'o', 'n', 't', 'e', 'x', 't'};

static void keying_material(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE master,
                            const struct exchange *exchange)
{
    const unsigned char *expected = exchange->keying_material;
    DWORD len;
    for (len = 1; len <= 40; len++) {
        memset(output, 0xa5, 64);
        OK(SslExportKeyingMaterial(provider, master, label, randoms, 64, NULL, 0, output, len, 0));
        CHECK(memcmp(output, expected, len) == 0 && output[len] == 0xa5);
    }
    OK(SslExportKeyingMaterial(provider, master, label, randoms, 64, context, 0, output, 40, 0));
    CHECK(memcmp(output, expected + 40, 40) == 0);
    OK(SslExportKeyingMaterial(provider, master, label, randoms, 64, context, 7, output, 40, 0));
    CHECK(memcmp(output, expected + 80, 40) == 0);
}

static void eap_key_blocks(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE master,
                           const struct exchange *exchange)
{
    DWORD len = 0, flags;
    for (flags = 0; flags < 3; flags++) {
        OK(SslComputeEapKeyBlock(provider, master, randoms, 64, NULL, 0, &len, flags));
        CHECK(len == sizeof(SecPkgContext_EapKeyBlock));
        memset(output, 0xa5, 256);
        OK(SslComputeEapKeyBlock(provider, master, randoms, 64, output, len, &len, flags));
        CHECK(len == 192 && memcmp(output, exchange->eap, len) == 0 && output[len] == 0xa5);
    }
    memset(output, 0xa5, 512);
    EXPECT(NTE_BUFFER_TOO_SMALL,
           SslComputeEapKeyBlock(provider, master, randoms, 64, output, 191, &len, 0));
    CHECK(len == 192 && output[0] == 0xa5);
    OK(SslComputeEapKeyBlock(provider, master, randoms, 64, output, 300, &len, 0));
    CHECK(len == 192 && output[192] == 0xa5);
    OK(SslComputeEapKeyBlock(provider, master, randoms, 64, output, 128, &len, 1));
    CHECK(len == 128 && memcmp(output, exchange->eap + 192, len) == 0);
    OK(SslComputeEapKeyBlock(provider, master, randoms, 64, output, 17, &len, 2));
    CHECK(len == 17 && memcmp(output, exchange->eap + 320, len) == 0);
}

static void refusals(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE master, NCRYPT_KEY_HANDLE other)
{
    static char endless[256], empty[] = "", newline[] = "a\n", reserved[] = "master secret";
    DWORD len = 77, flag;
    memset(endless, 'a', sizeof(endless));
    memset(output, 0xa5, 64);
#define EXPORT(status, provider_, master_, label_, randoms_, size_, context_, context_size_, out_, \
               out_size_, flags_)                                                                  \
    EXPECT(status, SslExportKeyingMaterial(provider_, master_, label_, randoms_, size_, context_,  \
                                           context_size_, out_, out_size_, flags_))
    EXPORT(NTE_INVALID_HANDLE, 0, master, label, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_HANDLE, provider, other, label, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, NULL, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, empty, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, newline, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, endless, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, reserved, randoms, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, NULL, 64, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, NULL, 0, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 63, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 65, NULL, 0, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 64, NULL, 1, output, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 64, NULL, 0, NULL, 40, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 64, NULL, 0, output, 0, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 64, NULL, 0, output, 65537, 0);
    EXPORT(NTE_INVALID_PARAMETER, provider, master, label, randoms, 64, NULL, 0, output,
           0xffffffffu, 0);
#define EAP(status, provider_, master_, randoms_, rlen_, len_, result_, flags_)                    \
    EXPECT(status, SslComputeEapKeyBlock(provider_, master_, randoms_, rlen_, output, len_,        \
                                         result_, flags_))
    EAP(NTE_INVALID_HANDLE, 0, master, randoms, 64, 192, &len, 0);
    EAP(NTE_INVALID_HANDLE, provider, other, randoms, 64, 192, &len, 0);
    EAP(NTE_INVALID_PARAMETER, provider, master, NULL, 64, 192, &len, 0);
    EAP(NTE_INVALID_PARAMETER, provider, master, randoms, 63, 192, &len, 0);
    EAP(NTE_INVALID_PARAMETER, provider, master, randoms, 64, 192, NULL, 0);
    EAP(NTE_INVALID_PARAMETER, provider, master, randoms, 64, 0, &len, 1);
    EAP(NTE_INVALID_PARAMETER, provider, master, randoms, 64, 65537, &len, 1);
    EAP(NTE_BAD_FLAGS, provider, master, randoms, 64, 192, &len, 3);
    for (flag = 1; flag != 0; flag <<= 1) {
        EXPORT(NTE_BAD_FLAGS, provider, master, label, randoms, 64, NULL, 0, output, 40, flag);
        if (flag > 2) {
            EAP(NTE_BAD_FLAGS, provider, master, randoms, 64, 192, &len, flag);
        }
    }
    CHECK(len == 77 && output[0] == 0xa5);
    output[65536] = 0xa5;
    EXPORT(ERROR_SUCCESS, provider, master, label, randoms, 64, NULL, 0, output, 65536, 0);
    CHECK(output[65536] == 0xa5);
}

int main(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = open_key(provider);
    size_t each;
    memcpy(randoms, client_random, 32);
    memcpy(randoms + 32, server_random, 32);
    for (each = 0; each < COUNT(exchanges); each++) {
        NCRYPT_KEY_HANDLE master = import_master_key(provider, key, &exchanges[each]);
        keying_material(provider, master, &exchanges[each]);
        eap_key_blocks(provider, master, &exchanges[each]);
        refusals(provider, master, key);
        OK(SslFreeObject(master, 0));
    }
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}
