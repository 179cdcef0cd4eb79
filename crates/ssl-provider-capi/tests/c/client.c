/*
 * A whole client, TLS 1.0 to 1.2, with RSA, ECDHE and DHE key exchange, with and without the
 * extended master secret, and with client certificates. Sockets, records and handshake messages are
 * here and in tls.h, and everything cryptographic is asked of the interface. It believes any
 * certificate, but not that it is the server's: a server without its key fails. A test, no client
 * for any network.
 *
 *     client PORT PROTOCOL SUITE IDENTITY EXTENDED [GROUP]
 *
 * connects to a port of the loopback, offers one protocol and one suite, both in hexadecimal, has
 * the certificate "none", "RSA" or "ECDSA" if it is asked for one, asks for the extended master
 * secret if EXTENDED is 1, offers one group, or all curves of the provider, and prints the page of
 * the server. The exit code is 0, or 1 with the alert on standard error.
 */

#define _POSIX_C_SOURCE 200809L

#include "tls.h"

/* What was asked for on the command line. */
static DWORD protocol, suite, own_kind, only_group;
static int asks_for_extended;
static NCRYPT_KEY_HANDLE own_key;

/* The groups that are offered, as they go over the wire. */
static unsigned char groups[2 * 16];
static size_t groups_len;

static void find_groups(NCRYPT_PROV_HANDLE provider)
{
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    DWORD count = 0, each;
    OK(SslEnumEccCurves(provider, &count, &curves, 0));
    CHECK(count > 0 && 2 * count <= sizeof(groups));
    for (each = 0; each < count; each++) {
        /* Behind the curves stand hybrid groups, of TLS 1.3. */
        int is_curve = curves[each].dwCurveType <= 255;
        if (is_curve && (only_group == 0 || curves[each].dwCurveType == only_group)) {
            groups_len += put_number(groups + groups_len, curves[each].dwCurveType, 2);
        }
    }
    OK(SslFreeBuffer(curves));
    CHECK(groups_len > 0);
}

/* Signatures of servers have SHA-256 or SHA-384 in TLS 1.2. */
static const unsigned char taken_schemes[] = {4, RSA_KEY, 4, ECDSA_KEY, 5, RSA_KEY, 5, ECDSA_KEY};

/* Sends ClientHello, and keeps it: what hashes it is known when the server has answered. */
static int send_hello(struct connection *c, unsigned char *hello, size_t *hello_len)
{
    unsigned char *end = hello + 4, *extensions;
    TRY(randomize(c->client_random));
    end += put_number(end, protocol, 2);
    memcpy(end, c->client_random, 32);
    end += 32;
    end += put_number(end, 0, 1);
    end += put_number(end, 4, 2);
    end += put_number(end, suite, 2);
    end += put_number(end, 0x00ff, 2); /* no renegotiation (RFC 5746 section 3.3) */
    end += put_number(end, 1, 1);
    end += put_number(end, 0, 1);
    extensions = end;
    end += 2;
    if (asks_for_extended) {
        end += put_number(end, 23, 2);
        end += put_number(end, 0, 2);
    }
    if (protocol == TLS1_2_PROTOCOL_VERSION) {
        end += put_number(end, 13, 2);
        end += put_number(end, sizeof(taken_schemes) + 2, 2);
        end += put_number(end, sizeof(taken_schemes), 2);
        memcpy(end, taken_schemes, sizeof(taken_schemes));
        end += sizeof(taken_schemes);
    }
    end += put_number(end, 10, 2);
    end += put_number(end, groups_len + 2, 2);
    end += put_number(end, groups_len, 2);
    memcpy(end, groups, groups_len);
    end += groups_len;
    end += put_number(end, 11, 2);
    end += put_number(end, 2, 2);
    end += put_number(end, 1, 1);
    end += put_number(end, 0, 1); /* uncompressed points */
    put_number(extensions, (size_t)(end - extensions) - 2, 2);
    *hello_len = (size_t)(end - hello);
    hello[0] = CLIENT_HELLO;
    put_number(hello + 1, *hello_len - 4, 3);
    return write_record(c, CT_HANDSHAKE, hello, *hello_len);
}

static int read_server_hello(struct connection *c)
{
    struct cursor hello, extensions;
    TRY(read_message(c, SERVER_HELLO));
    hello = body_of(c);
    c->protocol = take_number(&hello, 2);
    if (hello.left < 32) {
        return DECODE_ERROR;
    }
    memcpy(c->server_random, take(&hello, 32), 32);
    (void)take_part(&hello, 1);
    if (c->protocol != protocol) {
        return PROTOCOL_VERSION;
    }
    if (take_number(&hello, 2) != suite || take_number(&hello, 1) != 0) {
        return ILLEGAL_PARAMETER;
    }
    if (hello.left > 0) {
        extensions = take_part(&hello, 2);
        while (extensions.left > 0) {
            DWORD kind = take_number(&extensions, 2);
            (void)take_part(&extensions, 2);
            if (kind == 23 && !asks_for_extended) {
                return ILLEGAL_PARAMETER;
            }
            c->extended |= kind == 23;
        }
        if (extensions.failed || hello.left > 0) {
            return DECODE_ERROR;
        }
    }
    if (hello.failed) {
        return DECODE_ERROR;
    }
    TRY_CALL(SslLookupCipherSuiteInfo(c->provider, protocol, suite, 0, &c->suite, 0));
    return start_hashes(c);
}

static int read_certificate(struct connection *c)
{
    struct cursor message, chain, first;
    TRY(read_message(c, CERTIFICATE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    chain = take_part(&message, 3);
    first = take_part(&chain, 3);
    if (message.failed || message.left > 0 || chain.failed) {
        return DECODE_ERROR;
    }
    TRY(import_peer_key(c, first));
    /* The key must be one that the suite is for. */
    return is_text(c->suite.szCertificate, c->peer_kind == RSA_KEY ? "RSA" : "ECDSA")
               ? NONE
               : UNSUPPORTED_CERTIFICATE;
}

/* Takes the parameters of ServerKeyExchange, and makes a key in the same group. */
static int take_parameters(struct connection *c, struct cursor *message)
{
    if (exchange_is(c, "ECDH")) {
        DWORD type = take_number(message, 1), group = take_number(message, 2);
        struct cursor offered, point = take_part(message, 1);
        offered.at = groups;
        offered.left = groups_len;
        offered.failed = 0;
        if (message->failed) {
            return DECODE_ERROR;
        }
        if (type != 3 || !is_offered(offered, group)) {
            return ILLEGAL_PARAMETER;
        }
        TRY(new_key_on_curve(c, group));
        return import_share_on_curve(c, point);
    } else {
        struct cursor prime = take_part(message, 2), generator = take_part(message, 2);
        struct cursor number = take_part(message, 2);
        if (message->failed) {
            return DECODE_ERROR;
        }
        TRY(new_key_in_field(c, prime, generator));
        return import_share_in_field(c, prime, generator, number);
    }
}

/* ServerKeyExchange, whose signature shows that the key of the certificate is the server's. */
static int read_key_exchange(struct connection *c)
{
    unsigned char hash_number = 0;
    struct cursor message, signature;
    struct to_sign what;
    size_t parameters_len;
    if (exchange_is(c, "RSA")) {
        return NONE;
    }
    TRY(read_message(c, SERVER_KEY_EXCHANGE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    TRY(take_parameters(c, &message));
    parameters_len = (size_t)(message.at - (c->message + 4));
    if (protocol == TLS1_2_PROTOCOL_VERSION) {
        hash_number = (unsigned char)take_number(&message, 1);
        if (take_number(&message, 1) != c->peer_kind) {
            return ILLEGAL_PARAMETER;
        }
    }
    signature = take_part(&message, 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    TRY(hash_parameters(c, c->peer_kind, hash_number, c->message + 4, parameters_len, &what));
    return check_signature(c, &what, signature);
}

/* ClientKeyExchange and the master key. With RSA and the extended master secret the two are made
 * one after the other, since the second depends on the message. */
static int send_key_exchange(struct connection *c)
{
    static unsigned char message[MAX_MESSAGE];
    unsigned char *share = message + 6;
    struct master_list list;
    DWORD len = 0;
    if (!exchange_is(c, "RSA")) {
        size_t length_len = exchange_is(c, "ECDH") ? 1 : 2;
        share = message + 4 + length_len;
        TRY(export_share(c, share, &len));
        put_number(message + 4, len, length_len);
        TRY(send_message(c, CLIENT_KEY_EXCHANGE, message, 4 + length_len + len));
        TRY(agree(c, NCRYPT_SSL_CLIENT_FLAG));
        return generate_session_keys(c);
    }
    if (c->extended) {
        NCryptBuffer offered;
        NCryptBufferDesc version = list_of(&offered, 1);
        set_buffer(&offered, NCRYPTBUFFER_SSL_HIGHEST_VERSION, &c->offered_protocol,
                   sizeof(DWORD));
        TRY_CALL(SslGeneratePreMasterKey(c->provider, c->peer_key, &c->premaster, protocol, suite,
                                         &version, share, MAX_MESSAGE - 6, &len, 0));
        put_number(message + 4, len, 2);
        TRY(send_message(c, CLIENT_KEY_EXCHANGE, message, 6 + len));
        TRY(set_master_list(c, &list));
        TRY_CALL(SslGenerateMasterKey(c->provider, c->premaster, 0, &c->master_key, protocol, suite,
                                      &list.list, NULL, 0, NULL, NCRYPT_SSL_CLIENT_FLAG));
    } else {
        TRY(set_master_list(c, &list));
        TRY_CALL(SslGenerateMasterKey(c->provider, 0, c->peer_key, &c->master_key, protocol, suite,
                                      &list.list, share, MAX_MESSAGE - 6, &len,
                                      NCRYPT_SSL_CLIENT_FLAG));
        put_number(message + 4, len, 2);
        TRY(send_message(c, CLIENT_KEY_EXCHANGE, message, 6 + len));
    }
    return generate_session_keys(c);
}

/* CertificateVerify, with SHA-256 in TLS 1.2. */
static int send_certificate_verify(struct connection *c)
{
    unsigned char message[1024], digest[64], *end = message + 4;
    int is_newest = protocol == TLS1_2_PROTOCOL_VERSION;
    struct to_sign what;
    DWORD len = 0;
    TRY_CALL(SslComputeClientAuthHash(
        c->provider, c->master_key, is_newest ? c->hashes[1] : c->hash,
        own_kind == RSA_KEY ? BCRYPT_RSA_ALGORITHM : BCRYPT_ECDSA_ALGORITHM, digest, sizeof(digest),
        &len, 0));
    set_to_sign(&what, own_kind, is_newest ? client_hash_names[1] : NULL, digest, len);
    TRY(put_signature(c, own_key, own_kind, client_hashes[1], &what, &end));
    return send_message(c, CERTIFICATE_VERIFY, message, (size_t)(end - message));
}

static int shake_hands(struct connection *c)
{
    static unsigned char hello[512];
    size_t hello_len = 0;
    int is_asked = 0;
    TRY(send_hello(c, hello, &hello_len));
    TRY(read_server_hello(c));
    TRY(hash_message(c, hello, hello_len));
    TRY(hash_message(c, c->message, c->message_len));
    TRY(read_certificate(c));
    TRY(read_key_exchange(c));
    TRY(is_next(c, CERTIFICATE_REQUEST, &is_asked));
    if (is_asked) {
        TRY(read_message(c, CERTIFICATE_REQUEST));
        TRY(hash_message(c, c->message, c->message_len));
    }
    TRY(read_message(c, SERVER_HELLO_DONE));
    TRY(hash_message(c, c->message, c->message_len));
    if (c->message_len != 4 || c->waiting_len > 0) {
        return DECODE_ERROR;
    }
    if (is_asked) {
        TRY(send_certificate(c, own_kind));
    }
    TRY(send_key_exchange(c));
    if (is_asked && own_kind != 0) {
        TRY(send_certificate_verify(c));
    }
    TRY(send_finished(c, NCRYPT_SSL_CLIENT_FLAG));
    return read_finished(c, NCRYPT_SSL_SERVER_FLAG);
}

/* Asks for a page, and prints it. */
static int read_page(struct connection *c)
{
    static unsigned char content[MAX_RECORD];
    static const unsigned char request[] = "GET / HTTP/1.0\r\n\r\n";
    size_t got = 0;
    TRY(write_record(c, CT_APPLICATIONDATA, request, 1));
    TRY(write_record(c, CT_APPLICATIONDATA, request + 1, sizeof(request) - 2));
    for (;;) {
        unsigned char type;
        size_t len;
        TRY(read_record(c, &type, content, &len));
        if (type == CT_ALERT) {
            /* close_notify, after the page. */
            return len == 2 && content[0] == 1 && content[1] == 0 && got > 0 ? NONE : GONE;
        }
        if (type != CT_APPLICATIONDATA) {
            return UNEXPECTED_MESSAGE;
        }
        CHECK(fwrite(content, 1, len, stdout) == len);
        got += len;
    }
}

int main(int count, char **arguments)
{
    static struct connection connection;
    struct timeval patience = {60, 0};
    struct sockaddr_in address;
    int outcome, is_left;
    CHECK(count == 6 || count == 7);
    protocol = (DWORD)strtoul(arguments[2], NULL, 16);
    suite = (DWORD)strtoul(arguments[3], NULL, 16);
    asks_for_extended = atoi(arguments[5]);
    only_group = count == 7 ? (DWORD)atoi(arguments[6]) : 0;
    connection.provider = open_provider();
    connection.offered_protocol = protocol;
    find_groups(connection.provider);
    if (strcmp(arguments[4], "RSA") == 0) {
        own_kind = RSA_KEY;
        own_key = open_key(connection.provider);
    } else if (strcmp(arguments[4], "ECDSA") == 0) {
        own_kind = ECDSA_KEY;
        own_key = open_curve_key(connection.provider);
    } else {
        CHECK(strcmp(arguments[4], "none") == 0);
    }
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(arguments[1]));
    connection.socket = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connection.socket >= 0);
    CHECK(setsockopt(connection.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    CHECK(connect(connection.socket, (struct sockaddr *)(void *)&address, sizeof(address)) == 0);
    outcome = shake_hands(&connection);
    if (outcome == NONE) {
        outcome = read_page(&connection);
    }
    if (outcome != NONE) {
        fprintf(stderr, "the connection ended with %d\n", outcome);
    }
    end_connection(&connection, outcome);
    if (own_key != 0) {
        OK(SslFreeObject(own_key, 0));
    }
    OK(SslFreeObject(connection.provider, 0));
    is_left = nothing_is_left();
    return is_left != 0 || outcome != NONE;
}
