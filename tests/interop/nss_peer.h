/* What the NSS client and the NSS server share: settings of a cell, and keys from PEM files. */

#ifndef NSS_PEER_H
#define NSS_PEER_H

#include <cert.h>
#include <keyhi.h>
#include <nspr.h>
#include <nss.h>
#include <nssb64.h>
#include <pk11pub.h>
#include <secerr.h>
#include <ssl.h>
#include <sslexp.h>
#include <sslproto.h>

#include "peer.h"

static inline bool configure_both(PRFileDesc *fd, const struct cell *cell)
{
    SSLVersionRange range = {(PRUint16)cell->version, (PRUint16)cell->version};
    SSLNamedGroup groups[MAX_GROUPS];
    for (size_t index = 0; index < cell->group_count; index++)
        groups[index] = (SSLNamedGroup)cell->groups[index];
    for (PRUint16 index = 0; index < SSL_NumImplementedCiphers; index++)
        SSL_CipherPrefSet(fd, SSL_ImplementedCiphers[index], PR_FALSE);
    if (cell->group_count > 0
        && SSL_NamedGroupConfig(fd, groups, (unsigned)cell->group_count) != SECSuccess)
        return false;
    return SSL_VersionRangeSet(fd, &range) == SECSuccess
           && SSL_CipherPrefSet(fd, (PRInt32)cell->suite, PR_TRUE) == SECSuccess
           && SSL_OptionSet(fd, SSL_ENABLE_EXTENDED_MASTER_SECRET,
                            (PRIntn)cell->extended_master_secret)
                  == SECSuccess
           && SSL_OptionSet(fd, SSL_ENABLE_SERVER_DHE, PR_TRUE) == SECSuccess
           && SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, uses_tickets(cell)) == SECSuccess
           && SSL_OptionSet(fd, SSL_ENABLE_0RTT_DATA, has_early_data(cell)) == SECSuccess;
}

/* After the handshake: tells what is exported, and replaces keys if it is to. */
static inline bool after_handshake(PRFileDesc *fd, const struct cell *cell)
{
    unsigned char material[EXPORT_BYTES];
    if (!is_tls13(cell))
        return true;
    if (SSL_ExportKeyingMaterial(fd, EXPORT_LABEL, sizeof EXPORT_LABEL - 1, PR_FALSE, NULL, 0,
                                 material, sizeof material)
        != SECSuccess)
        return failed("export", PR_GetError());
    print_export(material);
    if (updates_keys(cell) && SSL_KeyUpdate(fd, PR_TRUE) != SECSuccess)
        return failed("KeyUpdate", PR_GetError());
    return true;
}

/* Reads what is between the lines of a PEM file. */
static inline bool read_pem(const char *path, SECItem *der)
{
    static char text[16384], base64[16384];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file), count = 0;
    fclose(file);
    text[length] = '\0';
    char *start = strchr(text, '\n'), *end = strstr(text, "-----END");
    if (start == NULL || end == NULL)
        return false;
    while (++start < end)
        base64[count++] = *start;
    base64[count] = '\0';
    return NSSBase64_DecodeBuffer(NULL, der, base64, (unsigned)count) != NULL;
}

/* Returns a certificate, or NULL. */
static inline CERTCertificate *load_certificate(const char *name)
{
    SECItem der = {0};
    if (!read_pem(path_of(name, "cert"), &der))
        return NULL;
    return CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &der, NULL, PR_FALSE, PR_TRUE);
}

static inline bool load_identity(const char *name, CERTCertificate **certificate,
                                 SECKEYPrivateKey **key)
{
    SECItem der = {0};
    *certificate = load_certificate(name);
    if (*certificate == NULL || !read_pem(path_of(name, "key"), &der))
        return false;
    SECKEYPublicKey *public_key = CERT_ExtractPublicKey(*certificate);
    if (public_key == NULL)
        return false;
    /* Keys on curves are found by their public value. */
    SECItem *value = SECKEY_GetPublicKeyType(public_key) == ecKey ? &public_key->u.ec.publicValue
                                                                  : NULL;
    PK11SlotInfo *slot = PK11_GetInternalSlot();
    SECStatus status =
        PK11_ImportDERPrivateKeyInfoAndReturnKey(slot, &der, NULL, value, PR_FALSE, PR_TRUE,
                                                 KU_ALL, key, NULL);
    PK11_FreeSlot(slot);
    SECKEY_DestroyPublicKey(public_key);
    return status == SECSuccess;
}

#endif
