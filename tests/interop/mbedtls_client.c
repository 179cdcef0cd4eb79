/* The mbedTLS client of the interoperability matrix.
 * README.md describes its input and output. */

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "client.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context generator;

/* Tells the secrets of a connection, as mbedTLS tells them to us. */
static int on_keys(void *context, const unsigned char *master, const unsigned char *key_block,
                   size_t mac_length, size_t key_length, size_t iv_length,
                   const unsigned char client_random[RANDOM_BYTES],
                   const unsigned char server_random[RANDOM_BYTES], mbedtls_tls_prf_types prf)
{
    (void)context, (void)key_block, (void)mac_length, (void)key_length, (void)iv_length;
    (void)server_random, (void)prf;
    print_secret(client_random, master);
    return 0;
}

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

static bool connection(const struct cell *cell, unsigned short port, mbedtls_ssl_session *session,
                       bool resume)
{
    const int suites[] = {(int)cell->suite, 0};
    int minor = (int)(cell->version & 0xFF);
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_net_context socket;
    struct answer answer;
    bool done;
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&socket);
    mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &generator);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
    mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    mbedtls_ssl_conf_extended_master_secret(&config, cell->extended_master_secret);
    mbedtls_ssl_conf_encrypt_then_mac(&config, cell->encrypt_then_mac);
    mbedtls_ssl_conf_session_tickets(&config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_export_keys_ext_cb(&config, on_keys, NULL);
    socket.fd = connect_to(port);
    mbedtls_ssl_set_bio(&ssl, &socket, mbedtls_net_send, mbedtls_net_recv, NULL);
    int code = mbedtls_ssl_setup(&ssl, &config);
    if (socket.fd < 0 || code != 0)
        done = failed("setup", code);
    else
        done = exchange(&ssl, session, resume, &answer);
    if (done)
        print_answer(&answer);
    mbedtls_net_free(&socket);
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
    return done;
}

static bool converse(const struct cell *cell, unsigned short port)
{
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    bool done = connection(cell, port, &session, false) && connection(cell, port, &session, true);
    mbedtls_ssl_session_free(&session);
    return done;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        char version[16];
        mbedtls_version_get_string(version);
        puts(version);
        return 0;
    }
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&generator);
    if (mbedtls_ctr_drbg_seed(&generator, mbedtls_entropy_func, &entropy, NULL, 0) != 0)
        return 1;
    return serve_cells((unsigned short)atoi(argv[1]), converse);
}
