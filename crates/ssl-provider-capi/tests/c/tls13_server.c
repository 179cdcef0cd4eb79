/*
 * A whole server of TLS 1.3: key agreement in every group of the provider, hybrid ones preferred,
 * HelloRetryRequest, an RSA and an ECDSA certificate, tickets, KeyUpdate and an exporter. Sockets,
 * records and handshake messages are here, in tls13.h and in tls.h, and everything cryptographic is
 * asked of the interface. It answers one HTTP request for each connection with a page that says
 * what was negotiated. A test, not a server for any network.
 *
 *     tls13_server CONNECTIONS [GROUP]
 *
 * listens on a free port of the loopback, prints it, serves so many connections, and exits. With a
 * number of a group it takes no other.
 */

#define _POSIX_C_SOURCE 200809L

#include "tls13.h"

/* The suites that this server knows, best first. */
static const DWORD known_suites[] = {TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, 0x1303};

/* The groups that it takes, best first. */
static DWORD groups[MAX_GROUPS];
static size_t groups_len;

static NCRYPT_KEY_HANDLE rsa_key, curve_key;

/* The pre-shared keys of the tickets, whose content is their number. */
static struct {
    NCRYPT_KEY_HANDLE psk;
    DWORD suite;
} tickets[256];
static size_t tickets_len;

/* What a client offers that matters here. */
struct offer {
    unsigned char session_id[32];
    struct cursor session, suites, groups, schemes, shares, identities, binders;
    int has_version, has_psk_mode;
    /* Where the list of binders begins in the message. */
    size_t binders_at;
};

/* The list of a pre-shared key extension, which is the last one. */
static void read_psks(struct connection *c, struct cursor *content, struct offer *offer)
{
    offer->identities = take_part(content, 2);
    offer->binders_at = (size_t)(content->at - c->message);
    offer->binders = take_part(content, 2);
}

static int read_client_hello(struct tls13 *t, struct offer *offer)
{
    struct connection *c = &t->c;
    struct cursor hello, compressions, extensions;
    memset(offer, 0, sizeof(*offer));
    TRY(read_message(c, CLIENT_HELLO));
    hello = body_of(c);
    (void)take_number(&hello, 2);
    (void)take(&hello, 32);
    offer->session = take_part(&hello, 1);
    offer->suites = take_part(&hello, 2);
    compressions = take_part(&hello, 1);
    extensions = take_part(&hello, 2);
    if (hello.failed || hello.left > 0 || offer->session.left > 32) {
        return DECODE_ERROR;
    }
    memcpy(offer->session_id, offer->session.at, offer->session.left);
    if (compressions.left != 1 || compressions.at[0] != 0) {
        return ILLEGAL_PARAMETER;
    }
    while (extensions.left > 0) {
        DWORD kind = take_number(&extensions, 2);
        struct cursor content = take_part(&extensions, 2), list;
        switch (kind) {
        case SUPPORTED_VERSIONS:
            list = take_part(&content, 1);
            offer->has_version = is_offered(list, TLS1_3);
            break;
        case SUPPORTED_GROUPS:
            offer->groups = take_part(&content, 2);
            break;
        case SIGNATURE_ALGORITHMS:
            offer->schemes = take_part(&content, 2);
            break;
        case KEY_SHARE:
            offer->shares = take_part(&content, 2);
            break;
        case PSK_KEY_EXCHANGE_MODES:
            list = take_part(&content, 1);
            offer->has_psk_mode = memchr(list.at, PSK_DHE_KE, list.left) != NULL;
            break;
        case PRE_SHARED_KEY:
            read_psks(c, &content, offer);
            if (extensions.left > 0) {
                return ILLEGAL_PARAMETER;
            }
            break;
        default:
            content.left = 0;
        }
        if (content.failed || content.left > 0) {
            return DECODE_ERROR;
        }
    }
    if (extensions.failed) {
        return DECODE_ERROR;
    }
    if (!offer->has_version) {
        return PROTOCOL_VERSION;
    }
    return offer->groups.at == NULL || offer->shares.at == NULL ? MISSING_EXTENSION : NONE;
}

/* The share of a client in a group; none if it has sent none. */
static int find_share(struct cursor shares, DWORD group, struct cursor *found)
{
    memset(found, 0, sizeof(*found));
    while (shares.left > 0) {
        DWORD number = take_number(&shares, 2);
        struct cursor share = take_part(&shares, 2);
        if (shares.failed) {
            return DECODE_ERROR;
        }
        if (number == group) {
            *found = share;
        }
    }
    return NONE;
}

/* Takes the best group of which there is a share, or else the best that both have. */
static int choose_group(struct tls13 *t, const struct offer *offer, struct cursor *share)
{
    size_t each;
    for (each = 0; each < groups_len; each++) {
        t->c.group = groups[each];
        TRY(find_share(offer->shares, groups[each], share));
        if (share->at != NULL) {
            return is_offered(offer->groups, groups[each]) ? NONE : ILLEGAL_PARAMETER;
        }
    }
    for (each = 0; each < groups_len; each++) {
        t->c.group = groups[each];
        if (is_offered(offer->groups, groups[each])) {
            return NONE;
        }
    }
    return HANDSHAKE_FAILURE;
}

static int choose_suite(struct tls13 *t, const struct offer *offer)
{
    size_t each;
    for (each = 0; each < COUNT(known_suites); each++) {
        if (is_offered(offer->suites, known_suites[each])) {
            return take_suite(t, known_suites[each]);
        }
    }
    return HANDSHAKE_FAILURE;
}

/* ServerHello, or HelloRetryRequest. */
static int send_server_hello(struct tls13 *t, const struct offer *offer, int is_retry)
{
    static unsigned char message[128 + MAX_SHARE];
    struct connection *c = &t->c;
    unsigned char *end = message + 4, *extensions;
    DWORD share_len = 0;
    TRY(randomize(c->server_random));
    end += put_number(end, TLS1_2_PROTOCOL_VERSION, 2);
    memcpy(end, is_retry ? retry_random : c->server_random, 32);
    end += 32;
    end += put_number(end, offer->session.left, 1);
    memcpy(end, offer->session_id, offer->session.left);
    end += offer->session.left;
    end += put_number(end, c->suite.dwCipherSuite, 2);
    end += put_number(end, 0, 1);
    extensions = end;
    end += 2;
    end += put_number(end, SUPPORTED_VERSIONS, 2);
    end += put_number(end, 2, 2);
    end += put_number(end, TLS1_3, 2);
    end += put_number(end, KEY_SHARE, 2);
    if (is_retry) {
        end += put_number(end, 2, 2);
        end += put_number(end, c->group, 2);
    } else {
        TRY(put_share(c, end + 6, &share_len));
        end += put_number(end, share_len + 4, 2);
        end += put_number(end, c->group, 2);
        end += put_number(end, share_len, 2);
        end += share_len;
    }
    if (t->resumed) {
        end += put_number(end, PRE_SHARED_KEY, 2);
        end += put_number(end, 2, 2);
        end += put_number(end, 0, 2); /* the first one */
    }
    put_number(extensions, (size_t)(end - extensions) - 2, 2);
    return send_message(c, SERVER_HELLO, message, (size_t)(end - message));
}

/* Takes the first pre-shared key, if it is one of a ticket of this suite. Its binder is over the
 * messages so far, and ClientHello up to the list of binders. */
static int take_psk(struct tls13 *t, struct offer *offer)
{
    struct connection *c = &t->c;
    struct cursor identity, binder;
    NCRYPT_HASH_HANDLE hash = 0;
    NCRYPT_KEY_HANDLE key = 0;
    unsigned char expected[48];
    size_t number;
    if (offer->identities.at == NULL || !offer->has_psk_mode) {
        return NONE;
    }
    identity = take_part(&offer->identities, 2);
    (void)take_number(&offer->identities, 4);
    binder = take_part(&offer->binders, 1);
    if (offer->identities.failed || offer->binders.failed) {
        return DECODE_ERROR;
    }
    number = identity.left == 2 ? take_number(&identity, 2) : tickets_len;
    if (number >= tickets_len || tickets[number].suite != c->suite.dwCipherSuite) {
        return NONE;
    }
    t->psk = tickets[number].psk;
    TRY_CALL(SslExtractEarlyKey(c->provider, t->psk, &t->early, TLS1_3, c->suite.dwCipherSuite,
                                NULL, 0));
    TRY_CALL(SslExpandBinderKey(c->provider, t->early, &key, NULL, NCRYPT_SSL_RESUMPTION_PSK_FLAG));
    OK(SslDuplicateTranscriptHash(c->provider, c->hash, &hash, 0));
    OK(SslHashHandshake(c->provider, hash, c->message, (DWORD)offer->binders_at, 0));
    OK(SslComputeFinishedHash(c->provider, key, hash, expected, t->hash_len,
                              NCRYPT_SSL_CLIENT_FLAG));
    OK(SslFreeObject(hash, 0));
    OK(SslFreeObject(key, 0));
    if (binder.left != t->hash_len || !is_equal(binder.at, expected, t->hash_len)) {
        return DECRYPT_ERROR;
    }
    t->resumed = 1;
    return NONE;
}

/* Makes a key in the group of the client's share, which a key of a hybrid group answers. */
static int new_key(struct connection *c, struct cursor share)
{
    int answers = is_hybrid(c->group);
    SECURITY_STATUS status = SslCreateEphemeralKey(
        c->provider, &c->ephemeral, TLS1_3, c->suite.dwCipherSuite, c->group, 0,
        answers ? in(share.at) : NULL, answers ? (DWORD)share.left : 0, 0);
    if (status == NTE_BAD_DATA) {
        return ILLEGAL_PARAMETER;
    }
    TRY_CALL(status);
    return import_share(c, share);
}

static int greet(struct tls13 *t, struct offer *offer)
{
    struct connection *c = &t->c;
    struct cursor share;
    TRY(read_client_hello(t, offer));
    c->skips_change_cipher_spec = 1;
    TRY(choose_suite(t, offer));
    TRY(choose_group(t, offer, &share));
    if (share.at == NULL) {
        TRY(hash_message(c, c->message, c->message_len));
        TRY(hash_retry(t));
        TRY(send_server_hello(t, offer, 1));
        TRY(read_client_hello(t, offer));
        TRY(find_share(offer->shares, c->group, &share));
        if (share.at == NULL || !is_offered(offer->suites, c->suite.dwCipherSuite)) {
            return ILLEGAL_PARAMETER;
        }
    }
    TRY(new_key(c, share));
    TRY(take_psk(t, offer));
    return hash_message(c, c->message, c->message_len);
}

/* Certificate and CertificateVerify, with the key that the client can verify. */
static int send_identity(struct tls13 *t, const struct offer *offer)
{
    static unsigned char message[11 + 2048 + 2];
    int is_curve = is_offered(offer->schemes, 0x0403);
    struct bytes own = {certificate, sizeof(certificate)};
    size_t len;
    if (!is_curve && !is_offered(offer->schemes, 0x0804)) {
        return HANDSHAKE_FAILURE;
    }
    if (is_curve) {
        own = curve_keys[0].certificate;
    }
    len = own.len;
    CHECK(len <= 2048);
    put_number(message + 4, 0, 1);
    put_number(message + 5, len + 5, 3);
    put_number(message + 8, len, 3);
    memcpy(message + 11, own.data, len);
    put_number(message + 11 + len, 0, 2);
    TRY(send_message(&t->c, CERTIFICATE, message, 13 + len));
    return send_verify(t, is_curve ? curve_key : rsa_key, is_curve ? 0x0403 : 0x0804);
}

/* A ticket with a pre-shared key for the next connection. */
static int send_ticket(struct tls13 *t)
{
    struct connection *c = &t->c;
    unsigned char message[64], nonce[2], *end = message + 4;
    if (tickets_len == COUNT(tickets)) {
        return NONE;
    }
    put_number(nonce, tickets_len, 2);
    TRY_CALL(SslExpandResumptionMasterKey(c->provider, t->master, c->hash, &t->resumption, NULL,
                                          0));
    TRY_CALL(SslExpandPreSharedKey(c->provider, t->resumption, nonce, 2, &tickets[tickets_len].psk,
                                   NULL, 0));
    tickets[tickets_len].suite = c->suite.dwCipherSuite;
    end += put_number(end, 3600, 4);
    end += put_number(end, 0, 4); /* what is added to its age, which is not looked at */
    end += put_number(end, 2, 1);
    memcpy(end, nonce, 2);
    end += 2;
    end += put_number(end, 2, 2);
    end += put_number(end, tickets_len++, 2);
    end += put_number(end, 0, 2);
    message[0] = NEW_SESSION_TICKET;
    put_number(message + 1, (size_t)(end - message) - 4, 3);
    return write_record(c, CT_HANDSHAKE, message, (size_t)(end - message));
}

/* What the client can compute too (RFC 8446 section 7.5). */
static int export_material(struct tls13 *t, unsigned char *material)
{
    char label[] = "EXPORTER-test";
    NCRYPT_KEY_HANDLE exporter = 0;
    TRY_CALL(SslExpandExporterMasterKey(t->c.provider, t->master, t->c.hash, &exporter, NULL, 0));
    OK(SslExportKeyingMaterial(t->c.provider, exporter, label, NULL, 0, NULL, 0, material, 20, 0));
    OK(SslFreeObject(exporter, 0));
    return NONE;
}

static int shake_hands(struct tls13 *t, unsigned char *material)
{
    unsigned char message[6] = {0, 0, 0, 0, 0, 0};
    NCRYPT_KEY_HANDLE secrets[2] = {0, 0};
    struct offer offer;
    TRY(greet(t, &offer));
    TRY(send_server_hello(t, &offer, 0));
    TRY(start_handshake_keys(t));
    TRY(send_message(&t->c, ENCRYPTED_EXTENSIONS, message, 6));
    if (!t->resumed) {
        TRY(send_identity(t, &offer));
    }
    TRY(send_finished13(t));
    TRY(start_application_keys(t, secrets));
    TRY(export_material(t, material));
    TRY(change_keys(t, 1, secrets[1]));
    if (read_finished13(t) != NONE) {
        forget(&secrets[0]);
        return DECRYPT_ERROR;
    }
    t->c.skips_change_cipher_spec = 0;
    TRY(change_keys(t, 0, secrets[0]));
    return send_ticket(t);
}

static int no_message(struct tls13 *t)
{
    (void)t;
    return UNEXPECTED_MESSAGE;
}

/* Reads one request, up to its empty line, and answers it. */
static int answer(struct tls13 *t, const unsigned char *material)
{
    static unsigned char content[MAX_RECORD];
    char request[MAX_MESSAGE + 1], page[512], name[NCRYPT_SSL_MAX_NAME_SIZE], hex[41];
    size_t request_len = 0, len, each;
    int page_len;
    do {
        TRY(read_application(t, no_message, content, &len));
        if (len > MAX_MESSAGE - request_len) {
            return UNEXPECTED_MESSAGE;
        }
        memcpy(request + request_len, content, len);
        request_len += len;
        request[request_len] = 0;
    } while (strstr(request, "\r\n\r\n") == NULL);
    for (each = 0; each + 1 < sizeof(name) && t->c.suite.szCipherSuite[each] != 0; each++) {
        name[each] = (char)t->c.suite.szCipherSuite[each];
    }
    name[each] = 0;
    for (each = 0; each < 20; each++) {
        (void)snprintf(hex + 2 * each, 3, "%02X", material[each]);
    }
    page_len = snprintf(page, sizeof(page),
                        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
                        "protocol 0304 suite %s group %u retried %d resumed %d\n"
                        "exporter %s\n",
                        name, (unsigned)t->c.group, t->retried, t->resumed, hex);
    CHECK(page_len > 0 && (size_t)page_len < sizeof(page));
    /* The second half goes under new keys. */
    TRY(write_record(&t->c, CT_APPLICATIONDATA, (unsigned char *)page, 1));
    TRY(send_key_update(t, 0));
    return write_record(&t->c, CT_APPLICATIONDATA, (unsigned char *)page + 1, (size_t)page_len - 1);
}

int main(int count, char **arguments)
{
    static struct tls13 connection;
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), connections, failed = 0;
    NCRYPT_PROV_HANDLE provider = open_provider();
    size_t each;
    CHECK(count == 2 || count == 3);
    groups_len = find_groups(provider, groups);
    if (count == 3) {
        groups[0] = (DWORD)atoi(arguments[2]);
        groups_len = 1;
    }
    rsa_key = open_key(provider);
    curve_key = open_curve_key(provider);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(listener >= 0);
    CHECK(bind(listener, (struct sockaddr *)(void *)&address, len) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)(void *)&address, &len) == 0);
    printf("%d\n", ntohs(address.sin_port));
    CHECK(fflush(stdout) == 0);
    connections = atoi(arguments[1]);
    while (connections-- > 0) {
        struct timeval patience = {60, 0};
        unsigned char material[20];
        int outcome;
        memset(&connection, 0, sizeof(connection));
        connection.own = 1;
        connection.c.provider = provider;
        connection.c.socket = accept(listener, NULL, NULL);
        CHECK(connection.c.socket >= 0);
        CHECK(setsockopt(connection.c.socket, SOL_SOCKET, SO_RCVTIMEO, &patience,
                         sizeof(patience)) == 0);
        outcome = shake_hands(&connection, material);
        if (outcome == NONE) {
            outcome = answer(&connection, material);
        }
        if (outcome != NONE) {
            fprintf(stderr, "a connection ended with %d\n", outcome);
            failed++;
        }
        free_secrets(&connection);
        end_connection(&connection.c, outcome);
    }
    CHECK(close(listener) == 0);
    for (each = 0; each < tickets_len; each++) {
        OK(SslFreeObject(tickets[each].psk, 0));
    }
    OK(SslFreeObject(rsa_key, 0));
    OK(SslFreeObject(curve_key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left() != 0 || failed != 0;
}
