/* The NSS client of the interoperability matrix. NSS does not know encrypt-then-MAC, and
 * distributions build it without a key log. README.md describes its input and output. */

#include <nspr.h>
#include <nss.h>
#include <ssl.h>
#include <sslproto.h>

#include "client.h"

static SECStatus believe(void *context, PRFileDesc *fd, PRBool check, PRBool is_server)
{
    (void)context, (void)fd, (void)check, (void)is_server;
    return SECSuccess;
}

static bool configure(PRFileDesc *fd, const struct cell *cell)
{
    SSLVersionRange range = {(PRUint16)cell->version, (PRUint16)cell->version};
    for (PRUint16 index = 0; index < SSL_NumImplementedCiphers; index++)
        SSL_CipherPrefSet(fd, SSL_ImplementedCiphers[index], PR_FALSE);
    return SSL_VersionRangeSet(fd, &range) == SECSuccess
           && SSL_CipherPrefSet(fd, (PRInt32)cell->suite, PR_TRUE) == SECSuccess
           && SSL_OptionSet(fd, SSL_ENABLE_EXTENDED_MASTER_SECRET, cell->extended_master_secret)
                  == SECSuccess
           && SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, PR_FALSE) == SECSuccess
           && SSL_AuthCertificateHook(fd, believe, NULL) == SECSuccess
           && SSL_SetURL(fd, HOST) == SECSuccess;
}

static bool exchange(PRFileDesc *fd, const struct cell *cell, unsigned short port)
{
    static struct answer answer;
    PRNetAddr address;
    PRInt32 count;
    PR_InitializeNetAddr(PR_IpAddrLoopback, port, &address);
    if (!configure(fd, cell))
        return failed("configuration", PR_GetError());
    if (PR_Connect(fd, &address, PR_INTERVAL_NO_TIMEOUT) != PR_SUCCESS)
        return failed("connect", PR_GetError());
    if (SSL_ResetHandshake(fd, PR_FALSE) != SECSuccess || SSL_ForceHandshake(fd) != SECSuccess)
        return failed("handshake", PR_GetError());
    if (PR_Write(fd, REQUEST, sizeof REQUEST - 1) != sizeof REQUEST - 1)
        return failed("write", PR_GetError());
    answer.length = 0;
    while ((count = PR_Read(fd, answer.bytes + answer.length,
                            (PRInt32)(sizeof answer.bytes - answer.length))) > 0)
        answer.length += (size_t)count;
    if (count < 0)
        return failed("read", PR_GetError());
    print_answer(&answer);
    return true;
}

static bool connection(const struct cell *cell, unsigned short port)
{
    PRFileDesc *fd = SSL_ImportFD(NULL, PR_NewTCPSocket());
    if (fd == NULL)
        return failed("socket", PR_GetError());
    bool done = exchange(fd, cell, port);
    PR_Close(fd);
    return done;
}

static bool converse(const struct cell *cell, unsigned short port)
{
    /* The cache is the process's: a session of another cell is not to be resumed. */
    SSL_ClearSessionCache();
    return connection(cell, port) && connection(cell, port);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        puts(NSS_GetVersion());
        return 0;
    }
    if (NSS_NoDB_Init(NULL) != SECSuccess || NSS_SetDomesticPolicy() != SECSuccess)
        return 1;
    return serve_cells((unsigned short)atoi(argv[1]), converse);
}
