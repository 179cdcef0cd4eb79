/*
 * A whole server, TLS 1.0 to 1.2, with RSA, ECDHE and DHE key exchange, and an RSA and an ECDSA
 * certificate. Sockets, records and handshake messages are here and in tls.h, and everything
 * cryptographic is asked of the interface. It answers one HTTP request for each connection with a
 * page that says what was negotiated. It asks clients for a certificate, and has those that show
 * one prove that it is theirs. A test, not a server for any network.
 *
 *     server CONNECTIONS
 *
 * listens on a free port of the loopback, prints it, serves so many connections, and exits.
 *
 *     server attacked none|request|require|leaking
 *
 * serves in many processes at once, each with a provider of its own, until SIGTERM; clients may
 * fail, and are asked for a certificate as the second argument says. A process that has left
 * anything behind at the end, or that ended before, makes the exit code 1. `leaking` leaves a key
 * behind, to show that it is seen.
 */

#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "tls.h"

/* The suites that this server knows, best first. */
static const DWORD known_suites[] = {
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_256_GCM_SHA384,
    TLS_RSA_WITH_AES_128_CBC_SHA256,
    TLS_RSA_WITH_AES_256_CBC_SHA256,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_256_CBC_SHA,
    TLS_RSA_WITH_3DES_EDE_CBC_SHA,
};

/* The keys of the two certificates. */
static NCRYPT_KEY_HANDLE rsa_key, curve_key;

/* Whether clients are asked for a certificate, and whether they must have one. */
static int asks = 1, must_have;

/* Whether a key is not freed. */
static int leaks;

/* How long a client may be silent: longer than one under valgrind is, and not for attackers. */
static int seconds = 60;

/* What a client offers that matters here. */
struct offer {
    struct cursor suites, groups, schemes;
};

static DWORD kind_of_certificate(const struct connection *c)
{
    return is_text(c->suite.szCertificate, "ECDSA") ? ECDSA_KEY : RSA_KEY;
}

/* Takes the first curve of the provider that the client has too; without a list of the client's,
 * P-256 (RFC 8422 section 4). Returns 0 for none. */
static DWORD choose_group(const struct connection *c, struct cursor offered)
{
    NCRYPT_SSL_ECC_CURVE *curves = NULL;
    DWORD count = 0, each, group = 0;
    OK(SslEnumEccCurves(c->provider, &count, &curves, 0));
    for (each = 0; each < count && group == 0; each++) {
        DWORD type = curves[each].dwCurveType;
        /* Behind the curves stand hybrid groups, of TLS 1.3. */
        if (type <= 255 && (offered.at == NULL ? type == TLS_ECC_P256_CURVE_KEY_TYPE
                                               : is_offered(offered, type))) {
            group = type;
        }
    }
    OK(SslFreeBuffer(curves));
    return group;
}

/* Signatures of TLS 1.2 have SHA-256 here. */
static int can_sign(const struct connection *c, const struct offer *offer)
{
    return c->protocol < TLS1_2_PROTOCOL_VERSION || offer->schemes.at == NULL ||
           is_offered(offer->schemes, 4u << 8 | kind_of_certificate(c));
}

/* Takes the first suite that the client offers too, and whose key exchange both can do. */
static int choose_suite(struct connection *c, const struct offer *offer)
{
    size_t each;
    for (each = 0; each < COUNT(known_suites); each++) {
        DWORD suite = known_suites[each];
        if (!is_offered(offer->suites, suite) ||
            SslLookupCipherSuiteInfo(c->provider, c->protocol, suite, 0, &c->suite, 0) != 0) {
            continue;
        }
        c->group = exchange_is(c, "ECDH") ? choose_group(c, offer->groups) : 0;
        if (exchange_is(c, "RSA")) {
            return NONE;
        }
        if ((c->group != 0 || exchange_is(c, "DH")) && can_sign(c, offer)) {
            return NONE;
        }
    }
    return HANDSHAKE_FAILURE;
}

static int read_client_hello(struct connection *c)
{
    struct cursor hello, compressions, extensions;
    struct offer offer;
    memset(&offer, 0, sizeof(offer));
    TRY(read_message(c, CLIENT_HELLO));
    hello = body_of(c);
    c->offered_protocol = take_number(&hello, 2);
    if (hello.left < 32) {
        return DECODE_ERROR;
    }
    memcpy(c->client_random, take(&hello, 32), 32);
    (void)take_part(&hello, 1);
    offer.suites = take_part(&hello, 2);
    compressions = take_part(&hello, 1);
    if (hello.failed || hello.left == 1) {
        return DECODE_ERROR;
    }
    if (memchr(compressions.at, 0, compressions.left) == NULL) {
        return HANDSHAKE_FAILURE;
    }
    if (hello.left > 0) {
        extensions = take_part(&hello, 2);
        while (extensions.left > 0) {
            DWORD kind = take_number(&extensions, 2);
            struct cursor content = take_part(&extensions, 2);
            c->extended |= kind == 23;
            c->renegotiation_info |= kind == 0xff01;
            c->point_formats |= kind == 11;
            if (kind == 10) {
                offer.groups = take_part(&content, 2);
            } else if (kind == 13) {
                offer.schemes = take_part(&content, 2);
            }
            if (content.failed) {
                return DECODE_ERROR;
            }
        }
        if (extensions.failed || hello.left > 0) {
            return DECODE_ERROR;
        }
    }
    c->renegotiation_info |= is_offered(offer.suites, 0x00ff);
    if (c->offered_protocol < TLS1_PROTOCOL_VERSION) {
        return PROTOCOL_VERSION;
    }
    c->protocol = c->offered_protocol < TLS1_2_PROTOCOL_VERSION ? c->offered_protocol
                                                                : TLS1_2_PROTOCOL_VERSION;
    TRY(choose_suite(c, &offer));
    TRY(start_hashes(c));
    return hash_message(c, c->message, c->message_len);
}

/* ServerKeyExchange: a key in a group, and a signature of it (RFC 5246 section 7.4.3, RFC 8422
 * section 5.4). */
static int send_key_exchange(struct connection *c)
{
    static unsigned char message[MAX_MESSAGE];
    static const unsigned char two = 2;
    unsigned char *parameters = message + 4, *end = parameters;
    DWORD share_len = 0, kind = kind_of_certificate(c);
    struct to_sign what;
    if (exchange_is(c, "RSA")) {
        return NONE;
    }
    if (exchange_is(c, "ECDH")) {
        TRY(new_key_on_curve(c, c->group));
        end += put_number(end, 3, 1); /* a curve with a name */
        end += put_number(end, c->group, 2);
        TRY(export_share(c, end + 1, &share_len));
        end += put_number(end, share_len, 1);
    } else {
        struct cursor prime = {ffdhe2048, sizeof(ffdhe2048), 0}, generator = {&two, 1, 0};
        TRY(new_key_in_field(c, prime, generator));
        end += put_number(end, sizeof(ffdhe2048), 2);
        memcpy(end, ffdhe2048, sizeof(ffdhe2048));
        end += sizeof(ffdhe2048);
        end += put_number(end, 1, 2);
        end += put_number(end, two, 1);
        TRY(export_share(c, end + 2, &share_len));
        end += put_number(end, share_len, 2);
    }
    end += share_len;
    TRY(hash_parameters(c, kind, 4, parameters, (size_t)(end - parameters), &what));
    TRY(put_signature(c, kind == RSA_KEY ? rsa_key : curve_key, kind, 4, &what, &end));
    return send_message(c, SERVER_KEY_EXCHANGE, message, (size_t)(end - message));
}

/* From ServerHello to ServerHelloDone. */
static int send_hello(struct connection *c)
{
    unsigned char message[128], *extensions, *end = message + 4;
    TRY(randomize(c->server_random));
    end += put_number(end, c->protocol, 2);
    memcpy(end, c->server_random, 32);
    end += 32;
    end += put_number(end, 0, 1); /* no session to come back to */
    end += put_number(end, c->suite.dwCipherSuite, 2);
    end += put_number(end, 0, 1); /* no compression */
    extensions = end;
    end += 2;
    if (c->renegotiation_info) {
        end += put_number(end, 0xff01, 2);
        end += put_number(end, 1, 2);
        end += put_number(end, 0, 1);
    }
    if (c->extended) {
        end += put_number(end, 23, 2);
        end += put_number(end, 0, 2);
    }
    if (c->point_formats && exchange_is(c, "ECDH")) {
        end += put_number(end, 11, 2);
        end += put_number(end, 2, 2);
        end += put_number(end, 1, 1);
        end += put_number(end, 0, 1); /* uncompressed */
    }
    put_number(extensions, (size_t)(end - extensions) - 2, 2);
    if (end == extensions + 2) {
        end = extensions;
    }
    TRY(send_message(c, SERVER_HELLO, message, (size_t)(end - message)));
    TRY(send_certificate(c, kind_of_certificate(c)));
    TRY(send_key_exchange(c));

    end = message + 4;
    if (!asks) {
        return send_message(c, SERVER_HELLO_DONE, message, 4);
    }
    end += put_number(end, 2, 1);
    end += put_number(end, RSA_SIGN, 1);
    end += put_number(end, ECDSA_SIGN, 1);
    if (c->protocol == TLS1_2_PROTOCOL_VERSION) {
        end += put_number(end, sizeof(schemes), 2);
        memcpy(end, schemes, sizeof(schemes));
        end += sizeof(schemes);
    }
    end += put_number(end, 0, 2); /* of whatever authority */
    TRY(send_message(c, CERTIFICATE_REQUEST, message, (size_t)(end - message)));
    return send_message(c, SERVER_HELLO_DONE, message, 4);
}

/* Certificate: empty, or a chain of which the first is the client's. */
static int read_certificate(struct connection *c)
{
    struct cursor message, chain, first;
    if (!asks) {
        return NONE;
    }
    TRY(read_message(c, CERTIFICATE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    chain = take_part(&message, 3);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    if (chain.left == 0) {
        return must_have ? HANDSHAKE_FAILURE : NONE;
    }
    first = take_part(&chain, 3);
    return chain.failed ? DECODE_ERROR : import_peer_key(c, first);
}

/* CertificateVerify, which a client sends that has shown a certificate. */
static int read_certificate_verify(struct connection *c)
{
    NCRYPT_HASH_HANDLE hash = c->hash;
    struct cursor message, signature;
    const char *name = NULL;
    unsigned char digest[64];
    DWORD len = 0;
    struct to_sign what;
    if (c->peer_key == 0) {
        return NONE;
    }
    TRY(read_message(c, CERTIFICATE_VERIFY));
    message = body_of(c);
    if (c->protocol == TLS1_2_PROTOCOL_VERSION) {
        const void *known =
            memchr(client_hashes, (int)take_number(&message, 1), sizeof(client_hashes));
        if (take_number(&message, 1) != c->peer_kind || known == NULL) {
            return ILLEGAL_PARAMETER;
        }
        hash = c->hashes[(const unsigned char *)known - client_hashes];
        name = client_hash_names[(const unsigned char *)known - client_hashes];
    }
    signature = take_part(&message, 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    /* Before the message itself is hashed. */
    TRY_CALL(SslComputeClientAuthHash(
        c->provider, c->master_key, hash,
        c->peer_kind == RSA_KEY ? BCRYPT_RSA_ALGORITHM : BCRYPT_ECDSA_ALGORITHM, digest,
        sizeof(digest), &len, 0));
    set_to_sign(&what, c->peer_kind, name, digest, len);
    TRY(check_signature(c, &what, signature));
    return hash_message(c, c->message, c->message_len);
}

/* ClientKeyExchange: the master key, and of that the session keys. */
static int read_client_key_exchange(struct connection *c)
{
    struct cursor message, part;
    TRY(read_message(c, CLIENT_KEY_EXCHANGE));
    TRY(hash_message(c, c->message, c->message_len));
    message = body_of(c);
    part = take_part(&message, exchange_is(c, "ECDH") ? 1 : 2);
    if (message.failed || message.left > 0) {
        return DECODE_ERROR;
    }
    if (exchange_is(c, "RSA")) {
        struct master_list list;
        TRY(set_master_list(c, &list));
        TRY_CALL(SslImportMasterKey(c->provider, rsa_key, &c->master_key, c->protocol,
                                    c->suite.dwCipherSuite, &list.list, in(part.at),
                                    (DWORD)part.left, NCRYPT_SSL_SERVER_FLAG));
    } else {
        static const unsigned char two = 2;
        struct cursor prime = {ffdhe2048, sizeof(ffdhe2048), 0}, generator = {&two, 1, 0};
        TRY(exchange_is(c, "ECDH") ? import_share_on_curve(c, part)
                                   : import_share_in_field(c, prime, generator, part));
        TRY(agree(c, NCRYPT_SSL_SERVER_FLAG));
    }
    return generate_session_keys(c);
}

/* Reads one request, up to its empty line, and answers it. */
static int answer(struct connection *c)
{
    static unsigned char content[MAX_RECORD];
    char request[MAX_MESSAGE + 1], page[512], name[NCRYPT_SSL_MAX_NAME_SIZE];
    size_t request_len = 0, len, each;
    int page_len;
    do {
        unsigned char type;
        TRY(read_record(c, &type, content, &len));
        if (type == CT_ALERT) {
            return GONE;
        }
        if (type != CT_APPLICATIONDATA || len > MAX_MESSAGE - request_len) {
            return UNEXPECTED_MESSAGE;
        }
        memcpy(request + request_len, content, len);
        request_len += len;
        request[request_len] = 0;
    } while (strstr(request, "\r\n\r\n") == NULL);
    for (each = 0; each + 1 < sizeof(name) && c->suite.szCipherSuite[each] != 0; each++) {
        name[each] = (char)c->suite.szCipherSuite[each];
    }
    name[each] = 0;
    page_len = snprintf(page, sizeof(page),
                        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
                        "protocol %04x suite %s extended %d client %s\n",
                        (unsigned)c->protocol, name, c->extended,
                        c->peer_key == 0           ? "none"
                        : c->peer_kind == RSA_KEY ? "RSA"
                                                   : "ECDSA");
    CHECK(page_len > 0 && (size_t)page_len < sizeof(page));
    /* The first byte goes alone, for the chained vectors of TLS 1.0 (BEAST). */
    TRY(write_record(c, CT_APPLICATIONDATA, (unsigned char *)page, 1));
    return write_record(c, CT_APPLICATIONDATA, (unsigned char *)page + 1, (size_t)page_len - 1);
}

static int serve(struct connection *c)
{
    TRY(read_client_hello(c));
    TRY(send_hello(c));
    TRY(read_certificate(c));
    TRY(read_client_key_exchange(c));
    TRY(read_certificate_verify(c));
    TRY(read_finished(c, NCRYPT_SSL_CLIENT_FLAG));
    TRY(send_finished(c, NCRYPT_SSL_SERVER_FLAG));
    return answer(c);
}

/* Serves a connection, and returns how it ended. */
static int handle(int socket, NCRYPT_PROV_HANDLE provider)
{
    static struct connection connection;
    struct timeval patience = {0, 0};
    int outcome;
    memset(&connection, 0, sizeof(connection));
    connection.socket = socket;
    connection.provider = provider;
    patience.tv_sec = seconds;
    CHECK(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    CHECK(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    outcome = serve(&connection);
    end_connection(&connection, outcome);
    return outcome;
}

/* Opens what connections need, and frees it. */
static NCRYPT_PROV_HANDLE open_all(void)
{
    NCRYPT_PROV_HANDLE provider = open_provider();
    rsa_key = open_key(provider);
    curve_key = open_curve_key(provider);
    return provider;
}

static int free_all(NCRYPT_PROV_HANDLE provider)
{
    if (!leaks) {
        OK(SslFreeObject(rsa_key, 0));
    }
    OK(SslFreeObject(curve_key, 0));
    OK(SslFreeObject(provider, 0));
    return nothing_is_left();
}

/* One of the processes that are attacked: serves until the other end of the pipe is closed. */
static int serve_attackers(int listener, int pipe_end)
{
    NCRYPT_PROV_HANDLE provider = open_all();
    struct pollfd wanted[2];
    memset(wanted, 0, sizeof(wanted));
    wanted[0].fd = listener;
    wanted[1].fd = pipe_end;
    wanted[0].events = wanted[1].events = POLLIN;
    for (;;) {
        int socket;
        CHECK(poll(wanted, 2, -1) > 0);
        if (wanted[1].revents != 0) {
            return free_all(provider);
        }
        socket = accept(listener, NULL, NULL);
        /* Another process may have been faster. */
        if (socket >= 0) {
            (void)handle(socket, provider);
        }
    }
}

/* As many as there are attackers at a time, and more, since one may hold several connections. */
#define PROCESSES 40

/* Keeps the signals that end the server under attack for sigwait. */
static void hold_signals(sigset_t *signals)
{
    CHECK(sigemptyset(signals) == 0);
    CHECK(sigaddset(signals, SIGTERM) == 0 && sigaddset(signals, SIGCHLD) == 0);
    CHECK(sigprocmask(SIG_BLOCK, signals, NULL) == 0);
}

static int be_attacked(int listener, const sigset_t *signals)
{
    int ends[2], each, failed = 0, status = 0, signal_number = 0;
    CHECK(pipe(ends) == 0);
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    for (each = 0; each < PROCESSES; each++) {
        pid_t process = fork();
        CHECK(process >= 0);
        if (process == 0) {
            CHECK(close(ends[1]) == 0);
            exit(serve_attackers(listener, ends[0]));
        }
    }
    CHECK(sigwait(signals, &signal_number) == 0);
    if (signal_number == SIGCHLD) {
        fprintf(stderr, "a process has ended that should not\n");
        failed = 1;
    }
    CHECK(close(ends[1]) == 0);
    for (each = 0; each < PROCESSES; each++) {
        CHECK(wait(&status) > 0);
        if (status != 0) {
            fprintf(stderr, "a process ended with the status %#x\n", (unsigned)status);
            failed = 1;
        }
    }
    return failed;
}

int main(int count, char **arguments)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), connections, failed = 0;
    int attacked = count == 3 && strcmp(arguments[1], "attacked") == 0;
    NCRYPT_PROV_HANDLE provider;
    sigset_t signals;
    CHECK(count == 2 || attacked);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(listener >= 0);
    CHECK(bind(listener, (struct sockaddr *)(void *)&address, len) == 0);
    CHECK(listen(listener, attacked ? 256 : 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)(void *)&address, &len) == 0);
    if (attacked) {
        must_have = strcmp(arguments[2], "require") == 0;
        asks = must_have || strcmp(arguments[2], "request") == 0;
        leaks = strcmp(arguments[2], "leaking") == 0;
        seconds = 10;
        /* Whoever reads the port may end the server at once. */
        hold_signals(&signals);
    }
    printf("%d\n", ntohs(address.sin_port));
    CHECK(fflush(stdout) == 0);
    if (attacked) {
        return be_attacked(listener, &signals);
    }
    provider = open_all();
    connections = atoi(arguments[1]);
    while (connections-- > 0) {
        int socket = accept(listener, NULL, NULL), outcome;
        CHECK(socket >= 0);
        outcome = handle(socket, provider);
        if (outcome != NONE) {
            fprintf(stderr, "a connection ended with %d\n", outcome);
            failed++;
        }
    }
    CHECK(close(listener) == 0);
    return free_all(provider) != 0 || failed != 0;
}
