/* The NSS client of the interoperability matrix. NSS does not know encrypt-then-MAC, and
 * distributions build it without a key log. README.md describes its input and output. */

#include "nss_peer.h"

static SECStatus believe(void *context, PRFileDesc *fd, PRBool check, PRBool is_server)
{
    (void)context, (void)fd, (void)check, (void)is_server;
    return SECSuccess;
}

/* Gives the client's certificate to a server that asks for it. */
static SECStatus send_certificate(void *context, PRFileDesc *fd, CERTDistNames *names,
                                  CERTCertificate **certificate, SECKEYPrivateKey **key)
{
    const struct cell *cell = context;
    (void)fd, (void)names;
    const char *name = client_identity(cell);
    return name != NULL && load_identity(name, certificate, key) ? SECSuccess : SECFailure;
}

static bool configure(PRFileDesc *fd, const struct cell *cell)
{
    /* Fields have numbers from 256 on (RFC 7919). NSS lists them only if it insists on them. */
    bool uses_field = cell->group_count > 0 && cell->groups[0] >= 0x100;
    return configure_both(fd, cell)
           && SSL_OptionSet(fd, SSL_REQUIRE_DH_NAMED_GROUPS, uses_field) == SECSuccess
           && SSL_AuthCertificateHook(fd, believe, NULL) == SECSuccess
           && SSL_GetClientAuthDataHook(fd, send_certificate, (void *)cell) == SECSuccess
           && SSL_SetURL(fd, HOST) == SECSuccess;
}

static bool set_blocking(PRFileDesc *fd, bool blocks)
{
    PRSocketOptionData option = {.option = PR_SockOpt_Nonblocking};
    option.value.non_blocking = !blocks;
    return PR_SetSocketOption(fd, &option) == PR_SUCCESS;
}

/* Sends the request between ClientHello and the end of the handshake. */
static bool send_early(PRFileDesc *fd)
{
    return set_blocking(fd, false) && SSL_ForceHandshake(fd) == SECFailure
           && PR_GetError() == PR_WOULD_BLOCK_ERROR
           && PR_Write(fd, REQUEST, sizeof REQUEST - 1) == sizeof REQUEST - 1
           && set_blocking(fd, true);
}

static bool exchange(PRFileDesc *fd, const struct cell *cell, bool is_second)
{
    static struct answer answer;
    PRNetAddr address;
    PRInt32 count;
    PR_InitializeNetAddr(PR_IpAddrLoopback, (PRUint16)cell->port, &address);
    if (!configure(fd, cell))
        return failed("configuration", PR_GetError());
    if (PR_Connect(fd, &address, PR_INTERVAL_NO_TIMEOUT) != PR_SUCCESS)
        return failed("connect", PR_GetError());
    bool is_early = is_second && has_early_data(cell);
    if (SSL_ResetHandshake(fd, PR_FALSE) != SECSuccess)
        return failed("handshake", PR_GetError());
    if (is_early && !send_early(fd))
        return failed("early data", PR_GetError());
    if (SSL_ForceHandshake(fd) != SECSuccess)
        return failed("handshake", PR_GetError());
    if (!after_handshake(fd, cell))
        return false;
    if (!is_early && PR_Write(fd, REQUEST, sizeof REQUEST - 1) != sizeof REQUEST - 1)
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

static bool connection(const struct cell *cell, bool is_second)
{
    PRFileDesc *fd = SSL_ImportFD(NULL, PR_NewTCPSocket());
    if (fd == NULL)
        return failed("socket", PR_GetError());
    bool done = exchange(fd, cell, is_second);
    PR_Close(fd);
    return done;
}

static bool converse(const struct cell *cell)
{
    /* The cache is the process's: a session of another cell is not to be resumed. */
    SSL_ClearSessionCache();
    return connection(cell, false) && connection(cell, true);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        puts(NSS_GetVersion());
        return 0;
    }
    if (NSS_NoDB_Init(NULL) != SECSuccess || NSS_SetDomesticPolicy() != SECSuccess)
        return 1;
    return run_cells(argv[1], converse);
}
