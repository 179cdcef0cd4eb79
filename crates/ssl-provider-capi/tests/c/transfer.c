/* Keys that come and go as blobs: session keys to another process, public keys, and signatures. */

#define _POSIX_C_SOURCE 200809L

#include "test.h"

static unsigned char blob[4096], record[512], opened[512];

static DWORD export_key(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key, LPCWSTR type)
{
    DWORD asked = 0, len = 0;
    OK(SslExportKey(provider, key, type, NULL, 0, &asked, 0));
    CHECK(asked > 0 && asked < sizeof(blob));
    memset(blob, 0xa5, sizeof(blob));
    EXPECT(NTE_BUFFER_TOO_SMALL, SslExportKey(provider, key, type, blob, asked - 1, &len, 0));
    CHECK(len == asked && blob[0] == 0xa5);
    OK(SslExportKey(provider, key, type, blob, asked, &len, 0));
    CHECK(len == asked && blob[len] == 0xa5);
    return len;
}

/* In another process: takes a key over and opens the second record; both are on standard input. */
static int go_on(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    NCRYPT_KEY_HANDLE key = 0;
    DWORD lens[2], len = 0;
    CHECK(fread(lens, sizeof(DWORD), 2, stdin) == 2);
    CHECK(lens[0] <= sizeof(blob) && lens[1] <= sizeof(record));
    CHECK(fread(blob, 1, lens[0], stdin) == lens[0] && fread(record, 1, lens[1], stdin) == lens[1]);
    OK(SslImportKey(provider, &key, BCRYPT_OPAQUE_KEY_BLOB, blob, lens[0], 0));
    OK(SslDecryptPacket(provider, key, record, lens[1], opened, sizeof(opened), &len, 1, 0));
    CHECK(len == 5 && memcmp(opened, "after", 5) == 0);
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return 0;
}

static void go_on_elsewhere(const char *program, DWORD blob_len, DWORD record_len)
{
    char command[4096];
    DWORD lens[2];
    FILE *other;
    lens[0] = blob_len;
    lens[1] = record_len;
    CHECK(snprintf(command, sizeof(command), "'%s' import", program) < (int)sizeof(command));
    other = popen(command, "w");
    CHECK(other != NULL);
    CHECK(fwrite(lens, sizeof(DWORD), 2, other) == 2);
    CHECK(fwrite(blob, 1, blob_len, other) == blob_len);
    CHECK(fwrite(record, 1, record_len, other) == record_len);
    CHECK(pclose(other) == 0);
}

/* A key is handed over after its first record, with what the record left behind. */
static void hand_over(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key,
                      const struct exchange *exchange, const char *program)
{
    NCRYPT_KEY_HANDLE master = import_master_key(provider, private_key, exchange), keys[5];
    NCryptBuffer buffers[2];
    NCryptBufferDesc list = list_of(buffers, 2);
    DWORD len = 0, blob_len, at;
    set_randoms(buffers);
    OK(SslGenerateSessionKeys(provider, master, &keys[0], &keys[1], &list, 0));
    OK(SslGenerateSessionKeys(provider, master, &keys[2], &keys[3], &list, 0));
    /* One pair writes, the other opens. */
    OK(SslEncryptPacket(provider, keys[1], in(transcript), 20, record, sizeof(record), &len, 0, 23,
                        0));
    OK(SslDecryptPacket(provider, keys[3], record, len, opened, sizeof(opened), &len, 0, 0));
    blob_len = export_key(provider, keys[3], BCRYPT_OPAQUE_KEY_BLOB);
    OK(SslEncryptPacket(provider, keys[1], in((const unsigned char *)"after"), 5, record,
                        sizeof(record), &len, 1, 23, 0));
    go_on_elsewhere(program, blob_len, len);

    /* Damage is found, wherever it is, and so is a blob of another length. */
    keys[4] = 77;
    for (at = 0; at < blob_len; at++) {
        blob[at] ^= 1;
        EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &keys[4], BCRYPT_OPAQUE_KEY_BLOB, blob,
                                                   blob_len, 0));
        blob[at] ^= 1;
        EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &keys[4], BCRYPT_OPAQUE_KEY_BLOB, blob,
                                                   at, 0));
        CHECK(keys[4] == 0);
    }
    EXPECT(NTE_NOT_SUPPORTED, SslExportKey(provider, master, BCRYPT_OPAQUE_KEY_BLOB, blob,
                                           sizeof(blob), &len, 0));
    EXPECT(NTE_NOT_SUPPORTED, SslExportKey(provider, keys[0], BCRYPT_RSAPUBLIC_BLOB, blob,
                                           sizeof(blob), &len, 0));
    for (at = 0; at < 4; at++) {
        OK(SslFreeObject(keys[at], 0));
    }
    OK(SslFreeObject(master, 0));
}

static void public_keys(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE private_key)
{
    NCRYPT_KEY_HANDLE stored = import_key(), public_key = 0;
    OK(SslImportKey(provider, &public_key, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                    (DWORD)sizeof(public_blob), 0));
    CHECK(export_key(provider, private_key, BCRYPT_RSAPUBLIC_BLOB) == sizeof(public_blob));
    CHECK(memcmp(blob, public_blob, sizeof(public_blob)) == 0);
    CHECK(export_key(provider, stored, BCRYPT_RSAPUBLIC_BLOB) == sizeof(public_blob));
    CHECK(memcmp(blob, public_blob, sizeof(public_blob)) == 0);
    CHECK(export_key(provider, public_key, BCRYPT_RSAPUBLIC_BLOB) == sizeof(public_blob));
    CHECK(memcmp(blob, public_blob, sizeof(public_blob)) == 0);
    OK(SslFreeObject(public_key, 0));
    EXPECT(STATUS_INVALID_HANDLE, SslFreeObject(public_key, 0));
    OK(NCryptFreeObject(stored));
}

/* A good signature, and the same with a bit changed in it or in the digest, which starts at
 * `name_len`. */
static void signature_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key,
                         const unsigned char *hash, DWORD len, DWORD name_len,
                         const unsigned char *good, DWORD flags)
{
    unsigned char value[256], signature[256];
    DWORD bit;
    memcpy(value, hash, len);
    memcpy(signature, good, sizeof(signature));
    OK(SslVerifySignature(provider, key, value, len, signature, 256, flags));
    for (bit = 0; bit < 8; bit++) {
        DWORD at = name_len + (len - name_len) * bit / 8;
        value[at] ^= (unsigned char)(1u << bit);
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, value, len, signature, 256, flags));
        value[at] ^= (unsigned char)(1u << bit);
        signature[32 * bit] ^= (unsigned char)(1u << bit);
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, value, len, signature, 256, flags));
        signature[32 * bit] ^= (unsigned char)(1u << bit);
    }
    EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, value, len, signature, 255, flags));
    EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, value, len, signature, 0, flags));
    EXPECT(NTE_INVALID_PARAMETER,
           SslVerifySignature(provider, key, NULL, len, signature, 256, flags));
    EXPECT(NTE_INVALID_PARAMETER, SslVerifySignature(provider, key, value, len, NULL, 256, flags));
    for (bit = 4; bit != 0; bit <<= 1) {
        EXPECT(NTE_BAD_FLAGS,
               SslVerifySignature(provider, key, value, len, signature, 256, flags | bit));
    }
    EXPECT(NTE_BAD_FLAGS, SslVerifySignature(provider, key, value, len, signature, 256,
                                             NCRYPT_SSL_SIGN_INCLUDE_HASHOID |
                                                 NCRYPT_SSL_SIGN_USE_PSS_PADDING));
}

/* Each flag has a kind of signature of its own, and a form of the hash. */
static void signatures_of(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    const DWORD pkcs1 = NCRYPT_SSL_SIGN_INCLUDE_HASHOID, pss = NCRYPT_SSL_SIGN_USE_PSS_PADDING;
    size_t each;
    for (each = 0; each < COUNT(signatures); each++) {
        const struct signature *known = &signatures[each];
        PBYTE hash = in(known->hash), bare = in(known->bare), info = in(known->signature);
        DWORD len = known->hash_len, named_len;
        unsigned char named[80] = {0};
        signature_of(provider, key, hash, len, 0, bare, 0);
        EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, hash, len - 1, bare, 256, 0));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, hash, len, bare, 256, pkcs1));
        if (known->name == NULL) {
            continue;
        }
        named_len = name_hash(named, known->name, hash, len);
        signature_of(provider, key, named, named_len, named_len - len, info, pkcs1);
        EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, hash, len, info, 256, 0));
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, named, named_len, info, 256, 0));
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, named, named_len, bare, 256, pkcs1));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, named, named_len - 1, info, 256, pkcs1));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, named, named_len + 1, info, 256, pkcs1));
        if (known->pss == NULL) {
            EXPECT(NTE_INVALID_PARAMETER,
                   SslVerifySignature(provider, key, named, named_len, info, 256, pss));
            EXPECT(NTE_INVALID_PARAMETER,
                   SslVerifySignature(provider, key, hash, len, info, 256, pss));
            continue;
        }
        signature_of(provider, key, named, named_len, named_len - len, known->pss, pss);
        signature_of(provider, key, hash, len, 0, known->pss, pss);
        EXPECT(NTE_BAD_SIGNATURE, SslVerifySignature(provider, key, hash, len, info, 256, pss));
        EXPECT(NTE_BAD_SIGNATURE,
               SslVerifySignature(provider, key, named, named_len, in(known->pss), 256, pkcs1));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, named, named_len - 1, in(known->pss), 256, pss));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, hash, len - 1, in(known->pss), 256, pss));
    }
}

/* Without DigestInfo, any bytes that leave room for the padding. */
static void any_bytes(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    const DWORD most = (DWORD)sizeof(longest);
    PBYTE signature = in(bare_longest);
    unsigned char longer[sizeof(longest) + 1] = {0};
    CHECK(most == 256 - 11);
    memcpy(longer, longest, most);
    signature_of(provider, key, longest, most, 0, signature, 0);
    EXPECT(NTE_INVALID_PARAMETER,
           SslVerifySignature(provider, key, longer, most + 1, signature, 256, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslVerifySignature(provider, key, longer, 0, signature, 256, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslVerifySignature(provider, key, longer, 0xffffffffu, signature, 256, 0));
}

/* A name that no signature has, or one for a digest of another length, or without its NUL. */
static void bad_names(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    const char *names[] = {"",         "MD5",    "SHA",    "SHA1", "SHA224",
                           "SHA3-256", "SHA384", "sha256", "RSA"};
    const struct signature *known = &signatures[2];
    unsigned char named[80];
    DWORD len, flags;
    size_t each;
    for (flags = 1; flags <= 2; flags++) {
        PBYTE good = in(flags == NCRYPT_SSL_SIGN_INCLUDE_HASHOID ? known->signature : known->pss);
        for (each = 0; each < COUNT(names); each++) {
            len = name_hash(named, names[each], known->hash, known->hash_len);
            EXPECT(NTE_INVALID_PARAMETER,
                   SslVerifySignature(provider, key, named, len, good, 256, flags));
        }
        len = name_hash(named, known->name, known->hash, known->hash_len);
        OK(SslVerifySignature(provider, key, named, len, good, 256, flags));
        memmove(named + 12, named + 14, known->hash_len);
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, named, len - 2, good, 256, flags));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, named, 12, good, 256, flags));
        EXPECT(NTE_INVALID_PARAMETER,
               SslVerifySignature(provider, key, named, 0, good, 256, flags));
    }
}

static void refusals(NCRYPT_PROV_HANDLE provider, NCRYPT_KEY_HANDLE key)
{
    NCRYPT_KEY_HANDLE out = 77;
    DWORD len = 77;
    PBYTE good = in(public_blob);
    EXPECT(NTE_INVALID_HANDLE, SslImportKey(0, &out, BCRYPT_RSAPUBLIC_BLOB, good, 283, 0));
    CHECK(out == 0);
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, NULL, BCRYPT_RSAPUBLIC_BLOB, good, 283, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &out, NULL, good, 283, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &out, BCRYPT_RSAPUBLIC_BLOB, NULL, 283, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &out, BCRYPT_RSAPUBLIC_BLOB, good, 282, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &out, BCRYPT_RSAPUBLIC_BLOB, good, 0, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &out, BCRYPT_RSAPUBLIC_BLOB, good, 0xffffffffu, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslImportKey(provider, &out, BCRYPT_RSAPUBLIC_BLOB,
                                               in(private_blob), (DWORD)sizeof(private_blob), 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &out, BCRYPT_ECCPUBLIC_BLOB, good, 283, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslImportKey(provider, &out, BCRYPT_DH_PUBLIC_BLOB, good, 283, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslImportKey(provider, &out, BCRYPT_DH_PRIVATE_BLOB, good, 283, 0));
    EXPECT(NTE_BAD_FLAGS, SslImportKey(provider, &out, BCRYPT_RSAPUBLIC_BLOB, good, 283, 1));
    EXPECT(NTE_INVALID_HANDLE, SslExportKey(provider, 0, BCRYPT_RSAPUBLIC_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_HANDLE, SslExportKey(key, key, BCRYPT_RSAPUBLIC_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER, SslExportKey(provider, key, NULL, NULL, 0, &len, 0));
    EXPECT(NTE_INVALID_PARAMETER,
           SslExportKey(provider, key, BCRYPT_RSAPUBLIC_BLOB, NULL, 0, NULL, 0));
    EXPECT(NTE_NOT_SUPPORTED,
           SslExportKey(provider, key, BCRYPT_RSAPRIVATE_BLOB, NULL, 0, &len, 0));
    EXPECT(NTE_BAD_FLAGS, SslExportKey(provider, key, BCRYPT_RSAPUBLIC_BLOB, NULL, 0, &len, 1));
    EXPECT(NTE_INVALID_HANDLE, SslVerifySignature(provider, provider, good, 32, good, 256, 0));
    EXPECT(NTE_INVALID_HANDLE, SslVerifySignature(key, key, good, 32, good, 256, 0));
    CHECK(out == 0 && len == 77);
}

int main(int count, char **arguments)
{
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_KEY_HANDLE key, public_key = 0;
    size_t each;
    if (count > 1) {
        return go_on();
    }
    provider = open_provider();
    key = open_key(provider);
    for (each = 0; each < COUNT(exchanges); each += 2) {
        hand_over(provider, key, &exchanges[each], arguments[0]);
    }
    public_keys(provider, key);
    OK(SslImportKey(provider, &public_key, BCRYPT_RSAPUBLIC_BLOB, in(public_blob),
                    (DWORD)sizeof(public_blob), 0));
    signatures_of(provider, public_key);
    signatures_of(provider, key);
    any_bytes(provider, public_key);
    bad_names(provider, public_key);
    refusals(provider, key);
    OK(SslFreeObject(public_key, 0));
    OK(SslFreeObject(key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}
