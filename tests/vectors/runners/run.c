/*
 * Runs the master secrets and key blocks of TLS with OpenSSL's TLS1-PRF: replace prf by your own.
 *
 * cc run.c -o run $(pkg-config --cflags --libs jansson libcrypto) && ./run tls_key_schedule.json
 * Exit code 1 when a test fails.
 */
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

/* A field of a test as bytes, of at most 1024; an absent one is empty. */
static size_t field(json_t *test, const char *name, unsigned char *out)
{
    const char *hex = json_string_value(json_object_get(test, name));
    size_t len = hex ? strlen(hex) / 2 : 0;
    unsigned byte;

    for (size_t i = 0; i < len && i < 1024 && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
        out[i] = (unsigned char)byte;
    return len < 1024 ? len : 1024;
}

/* What is under test: whether the PRF of a secret is the field `want`. */
static int prf(json_t *test, const EVP_MD *md, const char *secret, const char *label,
               const char *seed, const char *more, const char *want)
{
    unsigned char key[1024], value[2048], expected[1024], out[1024];
    size_t key_len = field(test, secret, key), len = field(test, want, expected);
    size_t seed_len = field(test, seed, value);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
    int good;

    seed_len += field(test, more, value + seed_len);
    good = context && EVP_PKEY_derive_init(context) > 0
        && EVP_PKEY_CTX_set_tls1_prf_md(context, md) > 0
        && EVP_PKEY_CTX_set1_tls1_prf_secret(context, key, (int)key_len) > 0
        && EVP_PKEY_CTX_add1_tls1_prf_seed(context, (const unsigned char *)label,
                                           (int)strlen(label)) > 0
        && EVP_PKEY_CTX_add1_tls1_prf_seed(context, value, (int)seed_len) > 0
        && EVP_PKEY_derive(context, out, &len) > 0 && memcmp(out, expected, len) == 0;
    EVP_PKEY_CTX_free(context);
    return good;
}

int main(int argc, char **argv)
{
    json_t *file = argc == 2 ? json_load_file(argv[1], 0, NULL) : NULL, *group, *test;
    size_t i, j, ran = 0, failed = 0;

    json_array_foreach(json_object_get(file, "testGroups"), i, group)
        json_array_foreach(json_object_get(group, "tests"), j, test) {
            const char *name = json_string_value(json_object_get(test, "prf"));
            int is_extended = json_object_get(test, "sessionHash") != NULL;
            const EVP_MD *md = name && strcmp(name, "MD5+SHA1") == 0 ? EVP_md5_sha1()
                                                                     : EVP_get_digestbyname(name);

            if (!md) /* SSL 3.0 */
                continue;
            ran++;
            if (prf(test, md, "premaster", is_extended ? "extended master secret" : "master secret",
                    is_extended ? "sessionHash" : "clientRandom",
                    is_extended ? "" : "serverRandom", "masterSecret")
                && prf(test, md, "masterSecret", "key expansion", "serverRandom", "clientRandom",
                       "keyBlock"))
                continue;
            failed++;
            printf("tcId %lld failed\n", json_integer_value(json_object_get(test, "tcId")));
        }
    json_decref(file);
    printf("run.c: %zu tests, %zu failed\n", ran, failed);
    return failed || !ran;
}
