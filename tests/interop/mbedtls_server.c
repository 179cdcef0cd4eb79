/* The mbedTLS server of the interoperability matrix.
 * README.md describes its input and output. */

#include <mbedtls/dhm.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>

#include "mbedtls_peer.h"

static const unsigned char ffdhe2048_p[] = MBEDTLS_DHM_RFC7919_FFDHE2048_P_BIN;
static const unsigned char ffdhe3072_p[] = MBEDTLS_DHM_RFC7919_FFDHE3072_P_BIN;
static const unsigned char ffdhe4096_p[] = MBEDTLS_DHM_RFC7919_FFDHE4096_P_BIN;
static const unsigned char ffdhe_g[] = {2};

/* The server's own choice of a finite field. */
static int use_field(mbedtls_ssl_config *config, unsigned group)
{
    const unsigned char *prime;
    size_t length;
    switch (group) {
    case 0x100:
        prime = ffdhe2048_p, length = sizeof ffdhe2048_p;
        break;
    case 0x101:
        prime = ffdhe3072_p, length = sizeof ffdhe3072_p;
        break;
    case 0x102:
        prime = ffdhe4096_p, length = sizeof ffdhe4096_p;
        break;
    default:
        return 0;
    }
    return mbedtls_ssl_conf_dh_param_bin(config, prime, length, ffdhe_g, sizeof ffdhe_g);
}

/* Sends a line back; a client may also close without one. */
static bool exchange(mbedtls_ssl_context *ssl)
{
    static struct answer line;
    int code;
    if ((code = mbedtls_ssl_handshake(ssl)) != 0)
        return failed("handshake", code);
    line.length = 0;
    do {
        code = mbedtls_ssl_read(ssl, line.bytes + line.length, sizeof line.bytes - line.length);
        if (code > 0)
            line.length += (size_t)code;
    } while (code > 0 && line.bytes[line.length - 1] != '\n');
    if (code <= 0 && code != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return failed("read", code);
    for (size_t sent = 0; sent < line.length; sent += (size_t)code)
        if ((code = mbedtls_ssl_write(ssl, line.bytes + sent, line.length - sent)) <= 0)
            return failed("write", code);
    mbedtls_ssl_close_notify(ssl);
    return true;
}

static bool connection(const mbedtls_ssl_config *config, int listener)
{
    mbedtls_ssl_context ssl;
    mbedtls_net_context socket;
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&socket);
    socket.fd = accept_one(listener);
    mbedtls_ssl_set_bio(&ssl, &socket, mbedtls_net_send, mbedtls_net_recv, NULL);
    int code = mbedtls_ssl_setup(&ssl, config);
    bool done = socket.fd < 0 || code != 0 ? failed("setup", code) : exchange(&ssl);
    mbedtls_net_free(&socket);
    mbedtls_ssl_free(&ssl);
    return done;
}

static bool converse(const struct cell *cell)
{
    struct settings settings;
    mbedtls_ssl_cache_context cache;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_x509_crt authority;
    mbedtls_ssl_cache_init(&cache);
    mbedtls_ssl_ticket_init(&tickets);
    mbedtls_x509_crt_init(&authority);
    int code = configure(&settings, cell, MBEDTLS_SSL_IS_SERVER);
    mbedtls_ssl_config *config = &settings.config;
    const char *name = client_identity(cell);
    if (code == 0)
        code = use_identity(&settings, cell->server);
    if (code == 0 && cell->group_count > 0)
        code = use_field(config, cell->groups[0]);
    if (code == 0 && name != NULL)
        code = mbedtls_x509_crt_parse_file(&authority, path_of(name, "cert"));
    if (code == 0 && uses_tickets(cell))
        code = mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &generator,
                                        MBEDTLS_CIPHER_AES_256_GCM, 86400);
    if (uses_tickets(cell))
        mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write,
                                            mbedtls_ssl_ticket_parse, &tickets);
    else
        mbedtls_ssl_conf_session_cache(config, &cache, mbedtls_ssl_cache_get,
                                       mbedtls_ssl_cache_set);
    mbedtls_ssl_conf_ca_chain(config, &authority, NULL);
    mbedtls_ssl_conf_authmode(config, name == NULL ? MBEDTLS_SSL_VERIFY_NONE
                                                   : MBEDTLS_SSL_VERIFY_REQUIRED);
    bool done = code == 0;
    if (done) {
        int listener = listen_anywhere();
        for (int count = connections_of(cell); done && count > 0; count--)
            done = connection(config, listener);
        close(listener);
    } else {
        failed("configuration", code);
    }
    release(&settings);
    mbedtls_x509_crt_free(&authority);
    mbedtls_ssl_ticket_free(&tickets);
    mbedtls_ssl_cache_free(&cache);
    return done;
}

int main(int argc, char **argv)
{
    return start(argc, argv, converse);
}
