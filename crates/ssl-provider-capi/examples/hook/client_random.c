/*
 * A hook that reads the client random of every RSA key exchange, as key-log tools do on Windows.
 *
 * It stands in front of SslImportMasterKey, walks the parameter list for the client random, prints
 * it to standard error, and passes the call on:
 *
 *     cc -shared -fPIC -I../../include -o client_random.so client_random.c -ldl
 *     LD_PRELOAD=./client_random.so ./program
 *
 * With the extended master secret the list may hold no random; then it says so.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "sslprovider.h"

SECURITY_STATUS WINAPI SslImportMasterKey(NCRYPT_PROV_HANDLE hSslProvider,
                                          NCRYPT_KEY_HANDLE hPrivateKey,
                                          NCRYPT_KEY_HANDLE *phMasterKey, DWORD dwProtocol,
                                          DWORD dwCipherSuite, PNCryptBufferDesc pParameterList,
                                          PBYTE pbEncryptedKey, DWORD cbEncryptedKey, DWORD dwFlags)
{
    SslImportMasterKeyFn next;
    void *symbol = dlsym(RTLD_NEXT, "SslImportMasterKey");
    ULONG each, byte, count = 0;
    int found = 0;
    if (symbol == NULL) {
        return NTE_PROVIDER_DLL_FAIL;
    }
    memcpy(&next, &symbol, sizeof(next));
    /* What the program passes may be wrong; the library refuses longer lists unseen. */
    if (pParameterList != NULL && pParameterList->pBuffers != NULL &&
        pParameterList->cBuffers <= 256) {
        count = pParameterList->cBuffers;
    }
    for (each = 0; each < count; each++) {
        const NCryptBuffer *buffer = &pParameterList->pBuffers[each];
        const unsigned char *random = (const unsigned char *)buffer->pvBuffer;
        if (buffer->BufferType == NCRYPTBUFFER_SSL_CLIENT_RANDOM && buffer->cbBuffer == 32 &&
            random != NULL) {
            fputs("CLIENT_RANDOM ", stderr);
            for (byte = 0; byte < 32; byte++) {
                fprintf(stderr, "%02x", random[byte]);
            }
            fputc('\n', stderr);
            found = 1;
        }
    }
    if (!found) {
        fputs("no client random in the list\n", stderr);
    }
    return next(hSslProvider, hPrivateKey, phMasterKey, dwProtocol, dwCipherSuite, pParameterList,
                pbEncryptedKey, cbEncryptedKey, dwFlags);
}
