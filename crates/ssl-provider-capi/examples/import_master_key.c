/*
 * Imports the master key of one RSA key exchange, as a server does with a ClientKeyExchange:
 *
 *     import_master_key KEY.der CERTIFICATE.der ENCRYPTED
 *
 * KEY.der is an RSA key as PKCS#8, ENCRYPTED the encrypted premaster secret. The randoms are made
 * up. Whatever is in ENCRYPTED, the import succeeds: only the client's Finished tells.
 */

#include <stdio.h>

#include "sslprovider.h"

struct file {
    unsigned char bytes[16384];
    DWORD len;
};

static int read_file(struct file *file, const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        perror(path);
        return 0;
    }
    file->len = (DWORD)fread(file->bytes, 1, sizeof(file->bytes), stream);
    fclose(stream);
    return 1;
}

static SECURITY_STATUS import(struct file *key_file, struct file *certificate,
                              struct file *encrypted)
{
    unsigned char client_random[32] = {1}, server_random[32] = {2};
    DWORD offered_version = TLS1_2_PROTOCOL_VERSION;
    NCryptBuffer buffers[] = {
        {sizeof(client_random), NCRYPTBUFFER_SSL_CLIENT_RANDOM, NULL},
        {sizeof(server_random), NCRYPTBUFFER_SSL_SERVER_RANDOM, NULL},
        {sizeof(offered_version), NCRYPTBUFFER_SSL_HIGHEST_VERSION, NULL},
    };
    NCryptBufferDesc list = {NCRYPTBUFFER_VERSION, 3, buffers};
    CERT_CONTEXT context = {X509_ASN_ENCODING, NULL, 0, NULL, NULL};
    NCRYPT_PROV_HANDLE storage = 0, provider = 0;
    NCRYPT_KEY_HANDLE stored_key = 0, key = 0, master_key = 0;
    SECURITY_STATUS status;

    buffers[0].pvBuffer = client_random;
    buffers[1].pvBuffer = server_random;
    buffers[2].pvBuffer = &offered_version;
    context.pbCertEncoded = certificate->bytes;
    context.cbCertEncoded = certificate->len;

    /* The key goes into storage, where SslOpenPrivateKey finds it by its certificate. */
    status = NCryptOpenStorageProvider(&storage, NULL, 0);
    if (status == ERROR_SUCCESS) {
        status = NCryptImportKey(storage, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &stored_key,
                                 key_file->bytes, key_file->len, 0);
    }
    if (status == ERROR_SUCCESS) {
        status = SslOpenProvider(&provider, NULL, 0);
    }
    if (status == ERROR_SUCCESS) {
        status = SslOpenPrivateKey(provider, &key, &context, 0);
    }
    if (status == ERROR_SUCCESS) {
        status = SslImportMasterKey(provider, key, &master_key, TLS1_2_PROTOCOL_VERSION,
                                    TLS_RSA_WITH_AES_128_GCM_SHA256, &list, encrypted->bytes,
                                    encrypted->len, NCRYPT_SSL_SERVER_FLAG);
    }
    /* From here SslGenerateSessionKeys and SslComputeFinishedHash go on with the master key. */
    if (master_key != 0) {
        SslFreeObject(master_key, 0);
    }
    if (key != 0) {
        SslFreeObject(key, 0);
    }
    if (provider != 0) {
        SslFreeObject(provider, 0);
    }
    if (stored_key != 0) {
        NCryptFreeObject(stored_key);
    }
    if (storage != 0) {
        NCryptFreeObject(storage);
    }
    return status;
}

int main(int count, char **arguments)
{
    static struct file key, certificate, encrypted;
    SECURITY_STATUS status;
    if (count != 4) {
        fprintf(stderr, "usage: %s KEY.der CERTIFICATE.der ENCRYPTED\n", arguments[0]);
        return 2;
    }
    if (!read_file(&key, arguments[1]) || !read_file(&certificate, arguments[2]) ||
        !read_file(&encrypted, arguments[3])) {
        return 2;
    }
    status = import(&key, &certificate, &encrypted);
    printf("SslImportMasterKey and what comes before it: 0x%08x\n", (unsigned)status);
    return status == ERROR_SUCCESS ? 0 : 1;
}
