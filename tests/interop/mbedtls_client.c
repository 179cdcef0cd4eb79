/* The mbedTLS client of the interoperability matrix.
 * README.md describes its input and output. */

#include "mbedtls_peer.h"

static bool exchange(mbedtls_ssl_context *ssl, mbedtls_ssl_session *session, bool resume,
                     struct answer *answer)
{
    int code;
    if (resume && (code = mbedtls_ssl_set_session(ssl, session)) != 0)
        return failed("set_session", code);
    if ((code = mbedtls_ssl_handshake(ssl)) != 0)
        return failed("handshake", code);
    if (!resume && (code = mbedtls_ssl_get_session(ssl, session)) != 0)
        return failed("get_session", code);
    const unsigned char *request = (const unsigned char *)REQUEST;
    size_t sent = 0;
    while (sent < strlen(REQUEST)) {
        code = mbedtls_ssl_write(ssl, request + sent, strlen(REQUEST) - sent);
        if (code <= 0)
            return failed("write", code);
        sent += (size_t)code;
    }
    answer->length = 0;
    while ((code = mbedtls_ssl_read(ssl, answer->bytes + answer->length,
                                    sizeof answer->bytes - answer->length)) > 0)
        answer->length += (size_t)code;
    if (code != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return failed("read", code);
    mbedtls_ssl_close_notify(ssl);
    return true;
}

static bool connection(const struct cell *cell, const mbedtls_ssl_config *config,
                       mbedtls_ssl_session *session, bool resume)
{
    mbedtls_ssl_context ssl;
    mbedtls_net_context socket;
    struct answer answer;
    bool done;
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&socket);
    socket.fd = connect_to(cell->port);
    mbedtls_ssl_set_bio(&ssl, &socket, mbedtls_net_send, mbedtls_net_recv, NULL);
    int code = mbedtls_ssl_setup(&ssl, config);
    if (socket.fd < 0 || code != 0)
        done = failed("setup", code);
    else
        done = exchange(&ssl, session, resume, &answer);
    if (done)
        print_answer(&answer);
    mbedtls_net_free(&socket);
    mbedtls_ssl_free(&ssl);
    return done;
}

static bool converse(const struct cell *cell)
{
    struct settings settings;
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    int code = configure(&settings, cell, MBEDTLS_SSL_IS_CLIENT);
    mbedtls_ssl_conf_authmode(&settings.config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_session_tickets(&settings.config,
                                     uses_tickets(cell) ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                                        : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    const char *name = client_identity(cell);
    if (code == 0 && name != NULL)
        code = use_identity(&settings, name);
    bool done = code == 0 ? connection(cell, &settings.config, &session, false)
                                && connection(cell, &settings.config, &session, true)
                          : failed("configuration", code);
    mbedtls_ssl_session_free(&session);
    release(&settings);
    return done;
}

int main(int argc, char **argv)
{
    return start(argc, argv, converse);
}
