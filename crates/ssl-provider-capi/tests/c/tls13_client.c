/*
 * A whole client of TLS 1.3: one suite and one group, HelloRetryRequest, resumption by a ticket,
 * KeyUpdate and an exporter. Sockets, records and handshake messages are here, in tls13.h and in
 * tls.h, and everything cryptographic is asked of the interface. It believes any certificate, but
 * not that it is the server's: a server without its key fails. A test, no client for any network.
 *
 *     tls13_client PORT SUITE GROUP RETRY RESUME
 *
 * connects to a port of the loopback, offers one suite, in hexadecimal, and one group, of which it
 * sends no share at first if RETRY is 1, so that the server has to ask for it, and prints the page
 * of the server and what it exports. If RESUME is 1, it connects again with a ticket of the server,
 * and fails if that does not take it. The exit code is 0, or 1 with the alert on standard error.
 *
 *     tls13_client groups
 *
 * prints the numbers of the groups that it can be asked for.
 */

#define _POSIX_C_SOURCE 200809L

#include "tls13.h"

/* What was asked for on the command line. */
static DWORD suite, group;
static int sends_no_share, resumes;

/* A ticket, and its pre-shared key. */
static NCRYPT_KEY_HANDLE ticket_psk;
static unsigned char ticket[MAX_MESSAGE];
static size_t ticket_len;

/* Of HelloRetryRequest, to be sent back. */
static unsigned char cookie[1024];
static size_t cookie_len;

/* Fills in the binder of a hello, which is its end: over what was hashed before, and the hello up
 * to its list of binders. */
static int put_binder(struct tls13 *t, unsigned char *hello, size_t hello_len)
{
    struct connection *c = &t->c;
    size_t truncated = hello_len - 3 - t->hash_len;
    NCRYPT_HASH_HANDLE hash = 0;
    NCRYPT_KEY_HANDLE key = 0;
    TRY_CALL(SslExpandBinderKey(c->provider, t->early, &key, NULL, NCRYPT_SSL_RESUMPTION_PSK_FLAG));
    OK(SslDuplicateTranscriptHash(c->provider, c->hash, &hash, 0));
    OK(SslHashHandshake(c->provider, hash, hello, (DWORD)truncated, 0));
    OK(SslComputeFinishedHash(c->provider, key, hash, hello + hello_len - t->hash_len, t->hash_len,
                              NCRYPT_SSL_CLIENT_FLAG));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(key, 0));
    return NONE;
}

static unsigned char *put_extension(unsigned char *end, DWORD kind, size_t len)
{
    end += put_number(end, kind, 2);
    return end + put_number(end, len, 2);
}

static int send_hello(struct tls13 *t, int has_share)
{
    static unsigned char hello[1024 + MAX_SHARE + sizeof(cookie) + sizeof(ticket)];
    struct connection *c = &t->c;
    unsigned char *end = hello + 4, *extensions;
    DWORD share_len = 0;
    size_t len;
    end += put_number(end, TLS1_2_PROTOCOL_VERSION, 2);
    memcpy(end, c->client_random, 32);
    end += 32;
    end += put_number(end, 0, 1);
    end += put_number(end, 2, 2);
    end += put_number(end, suite, 2);
    end += put_number(end, 1, 1);
    end += put_number(end, 0, 1);
    extensions = end;
    end = put_extension(end + 2, SUPPORTED_VERSIONS, 3);
    end += put_number(end, 2, 1);
    end += put_number(end, TLS1_3, 2);
    end = put_extension(end, SUPPORTED_GROUPS, 4);
    end += put_number(end, 2, 2);
    end += put_number(end, group, 2);
    end = put_extension(end, SIGNATURE_ALGORITHMS, 2 + sizeof(tls13_schemes));
    end += put_number(end, sizeof(tls13_schemes), 2);
    memcpy(end, tls13_schemes, sizeof(tls13_schemes));
    end += sizeof(tls13_schemes);
    end = put_extension(end, PSK_KEY_EXCHANGE_MODES, 2);
    end += put_number(end, 1, 1);
    end += put_number(end, PSK_DHE_KE, 1);
    if (cookie_len > 0) {
        end = put_extension(end, 44, cookie_len);
        memcpy(end, cookie, cookie_len);
        end += cookie_len;
    }
    if (has_share) {
        TRY(put_share(c, end + 10, &share_len));
        end = put_extension(end, KEY_SHARE, share_len + 6);
        end += put_number(end, share_len + 4, 2);
        end += put_number(end, group, 2);
        end += put_number(end, share_len, 2);
        end += share_len;
    } else {
        end = put_extension(end, KEY_SHARE, 2);
        end += put_number(end, 0, 2);
    }
    if (t->psk != 0) {
        end = put_extension(end, PRE_SHARED_KEY, 2 + 2 + ticket_len + 4 + 2 + 1 + t->hash_len);
        end += put_number(end, 2 + ticket_len + 4, 2);
        end += put_number(end, ticket_len, 2);
        memcpy(end, ticket, ticket_len);
        end += ticket_len;
        end += put_number(end, 0, 4); /* its age, hidden, which servers may look at */
        end += put_number(end, 1 + t->hash_len, 2);
        end += put_number(end, t->hash_len, 1);
        end += t->hash_len;
    }
    put_number(extensions, (size_t)(end - extensions) - 2, 2);
    len = (size_t)(end - hello);
    hello[0] = CLIENT_HELLO;
    put_number(hello + 1, len - 4, 3);
    if (t->psk != 0) {
        TRY(put_binder(t, hello, len));
    }
    return send_message(c, CLIENT_HELLO, hello, len);
}

/* ServerHello or HelloRetryRequest. What of it is asked for is in the other parameters. */
static int read_server_hello(struct tls13 *t, int *is_retry, struct cursor *share)
{
    struct connection *c = &t->c;
    struct cursor hello, extensions;
    DWORD version = 0, chosen = 0;
    TRY(read_message(c, SERVER_HELLO));
    hello = body_of(c);
    (void)take_number(&hello, 2);
    *is_retry = memcmp(take(&hello, 32), retry_random, 32) == 0;
    (void)take_part(&hello, 1);
    if (take_number(&hello, 2) != suite || take_number(&hello, 1) != 0) {
        return ILLEGAL_PARAMETER;
    }
    extensions = take_part(&hello, 2);
    while (extensions.left > 0) {
        DWORD kind = take_number(&extensions, 2);
        struct cursor content = take_part(&extensions, 2);
        switch (kind) {
        case SUPPORTED_VERSIONS:
            version = take_number(&content, 2);
            break;
        case KEY_SHARE:
            chosen = take_number(&content, 2);
            if (!*is_retry) {
                *share = take_part(&content, 2);
            }
            break;
        case PRE_SHARED_KEY:
            if (t->psk == 0 || take_number(&content, 2) != 0) {
                return ILLEGAL_PARAMETER;
            }
            t->resumed = 1;
            break;
        case 44:
            if (!*is_retry || content.left > sizeof(cookie)) {
                return ILLEGAL_PARAMETER;
            }
            cookie_len = content.left;
            memcpy(cookie, take(&content, content.left), cookie_len);
            break;
        default:
            return ILLEGAL_PARAMETER;
        }
        if (content.failed || content.left > 0) {
            return DECODE_ERROR;
        }
    }
    if (hello.failed || hello.left > 0 || extensions.failed) {
        return DECODE_ERROR;
    }
    if (version != TLS1_3) {
        return PROTOCOL_VERSION;
    }
    return chosen == group ? NONE : ILLEGAL_PARAMETER;
}

/* Both hellos, or all four. */
static int greet(struct tls13 *t)
{
    struct connection *c = &t->c;
    struct cursor share;
    int is_retry = 0;
    memset(&share, 0, sizeof(share));
    cookie_len = 0;
    TRY(randomize(c->client_random));
    TRY(take_suite(t, suite));
    c->group = group;
    TRY_CALL(SslCreateEphemeralKey(c->provider, &c->ephemeral, TLS1_3, suite, group, 0, NULL, 0,
                                   0));
    if (t->psk != 0) {
        TRY_CALL(SslExtractEarlyKey(c->provider, t->psk, &t->early, TLS1_3, suite, NULL, 0));
    }
    TRY(send_hello(t, !sends_no_share));
    c->skips_change_cipher_spec = 1;
    TRY(read_server_hello(t, &is_retry, &share));
    if (is_retry) {
        if (!sends_no_share) {
            return ILLEGAL_PARAMETER;
        }
        TRY(hash_retry(t));
        TRY(hash_message(c, c->message, c->message_len));
        TRY(send_hello(t, 1));
        TRY(read_server_hello(t, &is_retry, &share));
    }
    if (is_retry || share.at == NULL || (sends_no_share && !t->retried)) {
        return UNEXPECTED_MESSAGE;
    }
    if (!t->resumed && t->psk != 0) {
        /* It was not taken. */
        t->psk = 0;
        forget(&t->early);
    }
    TRY(import_share(c, share));
    return hash_message(c, c->message, c->message_len);
}

static int shake_hands(struct tls13 *t)
{
    struct connection *c = &t->c;
    NCRYPT_KEY_HANDLE secrets[2] = {0, 0}, exporter = 0;
    unsigned char material[20];
    char label[] = "EXPORTER-test";
    size_t each;
    TRY(greet(t));
    TRY(start_handshake_keys(t));
    TRY(read_message(c, ENCRYPTED_EXTENSIONS));
    TRY(hash_message(c, c->message, c->message_len));
    if (!t->resumed) {
        TRY(read_identity(t));
    }
    TRY(read_finished13(t));
    c->skips_change_cipher_spec = 0;
    TRY(start_application_keys(t, secrets));
    TRY_CALL(SslExpandExporterMasterKey(c->provider, t->master, c->hash, &exporter, NULL, 0));
    OK(SslExportKeyingMaterial(c->provider, exporter, label, NULL, 0, NULL, 0, material, 20, 0));
    OK(SslFreeObject(exporter, 0));
    TRY(change_keys(t, 1, secrets[1]));
    TRY(send_finished13(t));
    TRY(change_keys(t, 0, secrets[0]));
    TRY_CALL(SslExpandResumptionMasterKey(c->provider, t->master, c->hash, &t->resumption, NULL,
                                          0));
    printf("own exporter ");
    for (each = 0; each < sizeof(material); each++) {
        printf("%02X", material[each]);
    }
    printf("\n");
    return NONE;
}

/* Keeps the first ticket. */
static int read_ticket(struct tls13 *t)
{
    struct cursor message, nonce, content;
    TRY(read_message(&t->c, NEW_SESSION_TICKET));
    message = body_of(&t->c);
    (void)take_number(&message, 4);
    (void)take_number(&message, 4);
    nonce = take_part(&message, 1);
    content = take_part(&message, 2);
    (void)take_part(&message, 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    if (ticket_psk != 0 || content.left > sizeof(ticket)) {
        return NONE;
    }
    memcpy(ticket, content.at, content.left);
    ticket_len = content.left;
    TRY_CALL(SslExpandPreSharedKey(t->c.provider, t->resumption, in(nonce.at), (DWORD)nonce.left,
                                   &ticket_psk, NULL, 0));
    return NONE;
}

/* Asks for a page, under new keys of both sides, and prints it. */
static int read_page(struct tls13 *t)
{
    static unsigned char content[MAX_RECORD];
    static const unsigned char request[] = "GET / HTTP/1.0\r\n\r\n";
    size_t got = 0, len = 0;
    TRY(send_key_update(t, 1));
    TRY(write_record(&t->c, CT_APPLICATIONDATA, request, sizeof(request) - 1));
    for (;;) {
        int outcome;
        len = 0;
        outcome = read_application(t, read_ticket, content, &len);
        if (outcome == GONE) {
            /* close_notify, after the page. */
            return len == 2 && content[0] == 1 && content[1] == 0 && got > 0 ? NONE : GONE;
        }
        TRY(outcome);
        CHECK(fwrite(content, 1, len, stdout) == len);
        got += len;
    }
}

static int hold(NCRYPT_PROV_HANDLE provider, in_port_t port, NCRYPT_KEY_HANDLE psk)
{
    static struct tls13 connection;
    struct timeval patience = {60, 0};
    struct sockaddr_in address;
    int outcome;
    memset(&connection, 0, sizeof(connection));
    connection.peer = 1;
    connection.psk = psk;
    connection.c.provider = provider;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = port;
    connection.c.socket = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connection.c.socket >= 0);
    CHECK(setsockopt(connection.c.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ==
          0);
    CHECK(connect(connection.c.socket, (struct sockaddr *)(void *)&address, sizeof(address)) == 0);
    outcome = shake_hands(&connection);
    if (outcome == NONE) {
        outcome = read_page(&connection);
    }
    if (outcome == NONE && psk != 0 && !connection.resumed) {
        fprintf(stderr, "the server did not take the ticket\n");
        outcome = HANDSHAKE_FAILURE;
    }
    if (outcome != NONE) {
        fprintf(stderr, "the connection ended with %d\n", outcome);
    }
    free_secrets(&connection);
    end_connection(&connection.c, outcome);
    return outcome;
}

int main(int count, char **arguments)
{
    NCRYPT_PROV_HANDLE provider;
    in_port_t port;
    int outcome;
    if (count == 2 && strcmp(arguments[1], "groups") == 0) {
        DWORD groups[MAX_GROUPS];
        size_t len, each;
        provider = open_provider();
        len = find_groups(provider, groups);
        for (each = 0; each < len; each++) {
            printf("%u\n", (unsigned)groups[each]);
        }
        OK(SslFreeObject(provider, 0));
        return nothing_is_left();
    }
    CHECK(count == 6);
    port = htons((uint16_t)atoi(arguments[1]));
    suite = (DWORD)strtoul(arguments[2], NULL, 16);
    group = (DWORD)atoi(arguments[3]);
    sends_no_share = atoi(arguments[4]);
    resumes = atoi(arguments[5]);
    provider = open_provider();
    outcome = hold(provider, port, 0);
    if (outcome == NONE && resumes) {
        CHECK(ticket_psk != 0);
        outcome = hold(provider, port, ticket_psk);
    }
    forget(&ticket_psk);
    OK(SslFreeObject(provider, 0));
    return nothing_is_left() != 0 || outcome != NONE;
}
