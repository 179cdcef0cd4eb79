/*
 * Runs the master secrets of TLS with OpenSSL's PRF: replace is_good by your own.
 * cc run.c $(pkg-config --cflags --libs jansson libcrypto) && ./a.out ../tls_key_schedule.json
 * Exit code 1 when a test fails.
 */
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

/* Puts a field of a test into `out`, at most 256 bytes. Returns its length, 0 when it is absent. */
static int field(json_t *test, const char *name, unsigned char *out)
{
    const char *hex = json_string_value(json_object_get(test, name));
    int len = 0;

    while (hex && len < 256 && sscanf(hex + 2 * len, "%2hhx", &out[len]) == 1)
        len++;
    return len;
}

/* What is under test: whether the PRF makes the master secret. */
static int is_good(json_t *test, const EVP_MD *md)
{
    unsigned char key[256], seed[512], want[256], out[48];
    size_t out_len = sizeof out;
    int key_len = field(test, "premaster", key), len = field(test, "sessionHash", seed), good;
    const char *label = len > 0 ? "extended master secret" : "master secret";
    EVP_PKEY_CTX *kdf = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);

    if (len == 0) {
        len = field(test, "clientRandom", seed);
        len += field(test, "serverRandom", seed + len);
    }
    good = EVP_PKEY_derive_init(kdf) > 0 && EVP_PKEY_CTX_set_tls1_prf_md(kdf, md) > 0
        && EVP_PKEY_CTX_set1_tls1_prf_secret(kdf, key, key_len) > 0
        && EVP_PKEY_CTX_add1_tls1_prf_seed(kdf, (unsigned char *)label, strlen(label)) > 0
        && EVP_PKEY_CTX_add1_tls1_prf_seed(kdf, seed, len) > 0
        && EVP_PKEY_derive(kdf, out, &out_len) > 0
        && field(test, "masterSecret", want) == 48 && memcmp(out, want, 48) == 0;
    EVP_PKEY_CTX_free(kdf);
    return good;
}

int main(int argc, char **argv)
{
    json_t *file = argc == 2 ? json_load_file(argv[1], 0, NULL) : NULL, *group, *test;
    size_t i, j, ran = 0, failed = 0;

    json_array_foreach(json_object_get(file, "testGroups"), i, group)
        json_array_foreach(json_object_get(group, "tests"), j, test) {
            const char *prf = json_string_value(json_object_get(test, "prf"));
            const EVP_MD *md = prf && strcmp(prf, "MD5+SHA1") == 0 ? EVP_md5_sha1()
                : EVP_get_digestbyname(prf ? prf : ""); /* SSL 3.0 has no PRF. */

            ran += md != NULL;
            if (md && !is_good(test, md)) {
                failed++;
                printf("failed: %lld\n", json_integer_value(json_object_get(test, "tcId")));
            }
        }
    json_decref(file);
    printf("run.c: %zu tests, %zu failed\n", ran, failed);
    return failed || !ran;
}
