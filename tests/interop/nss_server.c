/* The NSS server of the interoperability matrix. NSS does not know encrypt-then-MAC, and
 * distributions build it without a key log. README.md describes its input and output. */

#include "nss_peer.h"

/* A client certificate must be the one that the cell names. */
static SECStatus believe(void *context, PRFileDesc *fd, PRBool check, PRBool is_server)
{
    const struct cell *cell = context;
    (void)check, (void)is_server;
    const char *name = client_identity(cell);
    CERTCertificate *received = SSL_PeerCertificate(fd);
    CERTCertificate *expected = name == NULL ? NULL : load_certificate(name);
    bool same = received != NULL && expected != NULL
                && SECITEM_CompareItem(&received->derCert, &expected->derCert) == SECEqual;
    if (!same)
        PR_SetError(SEC_ERROR_UNTRUSTED_CERT, 0);
    return same ? SECSuccess : SECFailure;
}

/* Early data need a memory for replays, which takes none in its first window; so it is made to have
 * begun before. */
static bool allow_early_data(PRFileDesc *fd, const struct cell *cell)
{
    const PRTime window = 10 * PR_USEC_PER_SEC;
    SSLAntiReplayContext *replays = NULL;
    if (!has_early_data(cell))
        return true;
    return SSL_CreateAntiReplayContext(PR_Now() - 3 * window, window, 7, 14, &replays)
               == SECSuccess
           && SSL_SetAntiReplayContext(fd, replays) == SECSuccess
           && SSL_ReleaseAntiReplayContext(replays) == SECSuccess
           && SSL_SetMaxEarlyDataSize(fd, 4096) == SECSuccess;
}

static bool configure(PRFileDesc *fd, const struct cell *cell)
{
    CERTCertificate *certificate;
    SECKEYPrivateKey *key;
    bool asks = client_identity(cell) != NULL;
    return load_identity(cell->server, &certificate, &key) && configure_both(fd, cell)
           && SSL_ConfigServerCert(fd, certificate, key, NULL, 0) == SECSuccess
           && SSL_OptionSet(fd, SSL_REQUEST_CERTIFICATE, asks) == SECSuccess
           && SSL_OptionSet(fd, SSL_REQUIRE_CERTIFICATE,
                            asks ? SSL_REQUIRE_ALWAYS : SSL_REQUIRE_NEVER)
                  == SECSuccess
           && SSL_AuthCertificateHook(fd, believe, (void *)cell) == SECSuccess
           && allow_early_data(fd, cell);
}

/* Sends a line back; a client may also close without one. */
static bool exchange(PRFileDesc *fd, const struct cell *cell)
{
    static struct answer line;
    PRInt32 count;
    line.length = 0;
    if (SSL_ResetHandshake(fd, PR_TRUE) != SECSuccess)
        return failed("handshake", PR_GetError());
    /* It stops where there are early data to be read. */
    while (SSL_ForceHandshake(fd) != SECSuccess) {
        if (!has_early_data(cell) || PR_GetError() != PR_WOULD_BLOCK_ERROR)
            return failed("handshake", PR_GetError());
        count = PR_Read(fd, line.bytes + line.length,
                        (PRInt32)(sizeof line.bytes - line.length));
        if (count > 0)
            line.length += (size_t)count;
    }
    if (!after_handshake(fd, cell))
        return false;
    do {
        count = PR_Read(fd, line.bytes + line.length,
                        (PRInt32)(sizeof line.bytes - line.length));
        if (count < 0)
            return failed("read", PR_GetError());
        line.length += (size_t)count;
    } while (count > 0 && line.bytes[line.length - 1] != '\n');
    if (line.length > 0
        && PR_Write(fd, line.bytes, (PRInt32)line.length) != (PRInt32)line.length)
        return failed("write", PR_GetError());
    /* A socket that is closed with something unread in it resets the connection: the client may
     * have replaced its keys since. */
    if (is_tls13(cell) && PR_Shutdown(fd, PR_SHUTDOWN_SEND) == PR_SUCCESS)
        while (PR_Read(fd, line.bytes, sizeof line.bytes) > 0)
            ;
    return true;
}

static bool connection(const struct cell *cell, PRFileDesc *model, PRFileDesc *listener)
{
    PRFileDesc *accepted = PR_Accept(listener, NULL, PR_SecondsToInterval(TIMEOUT_SECONDS));
    if (accepted == NULL)
        return failed("accept", PR_GetError());
    PRFileDesc *fd = SSL_ImportFD(model, accepted);
    if (fd == NULL)
        return failed("socket", PR_GetError());
    bool done = exchange(fd, cell);
    PR_Close(fd);
    return done;
}

static bool converse(const struct cell *cell)
{
    PRNetAddr address;
    PRFileDesc *listener = PR_NewTCPSocket();
    PRFileDesc *model = SSL_ImportFD(NULL, PR_NewTCPSocket());
    if (model == NULL || !configure(model, cell))
        return failed("configuration", PR_GetError());
    PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &address);
    if (PR_Bind(listener, &address) != PR_SUCCESS || PR_Listen(listener, 4) != PR_SUCCESS
        || PR_GetSockName(listener, &address) != PR_SUCCESS)
        return failed("listen", PR_GetError());
    printf("listening %u\n", PR_ntohs(address.inet.port));
    fflush(stdout);
    bool done = true;
    for (int count = connections_of(cell); done && count > 0; count--)
        done = connection(cell, model, listener);
    PR_Close(listener);
    PR_Close(model);
    return done;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        puts(NSS_GetVersion());
        return 0;
    }
    if (NSS_NoDB_Init(NULL) != SECSuccess || NSS_SetDomesticPolicy() != SECSuccess
        || SSL_ConfigServerSessionIDCache(0, 0, 0, ".") != SECSuccess)
        return 1;
    return run_cells(argv[1], converse);
}
