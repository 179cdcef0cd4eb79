/*
 * Runs the master secrets and key blocks of TLS with OpenSSL's PRF: replace prf by your own.
 * cc run.c $(pkg-config --cflags --libs jansson libcrypto) && ./a.out ../tls_key_schedule.json
 * Exit code 1 when a test fails.
 */
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

/* A field of a test as bytes, of at most 1024; an absent one is empty. */
static int field(json_t *test, const char *name, unsigned char *out)
{
    const char *hex = json_string_value(json_object_get(test, name));
    int len = 0;

    while (hex && len < 1024 && sscanf(hex + 2 * len, "%2hhx", &out[len]) == 1)
        len++;
    return len;
}

/* What is under test: whether the PRF of `secret` over two seeds is the field `want`. */
static int prf(json_t *test, const EVP_MD *md, const char *secret, const char *label,
               const char *first, const char *second, const char *want)
{
    unsigned char key[1024], seed[2048], expected[1024], out[1024];
    int key_len = field(test, secret, key), label_len = (int)strlen(label), seed_len;
    size_t len = (size_t)field(test, want, expected);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
    int good;

    memcpy(seed, label, (size_t)label_len);
    seed_len = label_len + field(test, first, seed + label_len);
    seed_len += field(test, second, seed + seed_len);
    good = EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_CTX_set_tls1_prf_md(context, md) > 0
        && EVP_PKEY_CTX_set1_tls1_prf_secret(context, key, key_len) > 0
        && EVP_PKEY_CTX_add1_tls1_prf_seed(context, seed, seed_len) > 0
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
            const EVP_MD *md = !name ? NULL : strcmp(name, "MD5+SHA1") == 0
                ? EVP_md5_sha1() : EVP_get_digestbyname(name);
            int good;

            if (!md) /* SSL 3.0 has no PRF. */
                continue;
            ran++;
            good = json_object_get(test, "sessionHash")
                ? prf(test, md, "premaster", "extended master secret", "sessionHash", "",
                      "masterSecret")
                : prf(test, md, "premaster", "master secret", "clientRandom", "serverRandom",
                      "masterSecret");
            if (!good || !prf(test, md, "masterSecret", "key expansion", "serverRandom",
                              "clientRandom", "keyBlock")) {
                failed++;
                printf("failed: %lld\n", json_integer_value(json_object_get(test, "tcId")));
            }
        }
    json_decref(file);
    printf("run.c: %zu tests, %zu failed\n", ran, failed);
    return failed || !ran;
}
