/* The BearSSL server of the interoperability matrix. BearSSL knows neither the extended master
 * secret nor encrypt-then-MAC, and no tickets. README.md describes its input and output. */

#include "bearssl_peer.h"

/* The signature of a client may be on another curve than the ephemeral keys. */
static uint32_t verify(const br_ec_impl *curves, const void *hash, size_t hash_length,
                       const br_ec_public_key *key, const void *signature, size_t length)
{
    (void)curves;
    return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), hash, hash_length, key, signature,
                                            length);
}

/* Sends a line back; a client may also close without one. */
static bool connection(br_ssl_server_context *server, int listener)
{
    static struct answer line;
    br_sslio_context io;
    int fd = accept_one(listener), count;
    if (fd < 0)
        return failed("accept", fd);
    br_ssl_server_reset(server);
    br_sslio_init(&io, &server->eng, receive, &fd, transmit, &fd);
    line.length = 0;
    do {
        count = br_sslio_read(&io, line.bytes + line.length, sizeof line.bytes - line.length);
        if (count > 0)
            line.length += (size_t)count;
    } while (count > 0 && line.bytes[line.length - 1] != '\n');
    if (line.length > 0) {
        br_sslio_write_all(&io, line.bytes, line.length);
        br_sslio_close(&io);
    }
    close(fd);
    if (br_ssl_engine_last_error(&server->eng) != BR_ERR_OK)
        return failed("BearSSL error", br_ssl_engine_last_error(&server->eng));
    tell_secret(&server->eng);
    return true;
}

static bool converse(const struct cell *cell)
{
    static br_ssl_server_context server;
    static br_ssl_session_cache_lru cache;
    static br_x509_knownkey_context known;
    static br_ec_impl curves;
    static struct identity own, client;
    static br_x500_name authority;
    static unsigned char buffer[BR_SSL_BUFSIZE_BIDI], store[4096];
    const char *name = client_identity(cell);
    if (cell->version < BR_TLS10)
        return failed("no version", cell->version);
    if (!read_certificate(cell->server, &own) || !read_key(cell->server, &own))
        return failed("certificate", 0);
    if (own.private_key.key_type == BR_KEYTYPE_RSA)
        br_ssl_server_init_full_rsa(&server, &own.chain, 1, &own.private_key.key.rsa);
    else
        br_ssl_server_init_full_ec(&server, &own.chain, 1, BR_KEYTYPE_EC,
                                   &own.private_key.key.ec);
    /* Only the first group is for ephemeral keys. */
    limit(&server.eng, cell, &curves, cell->group_count > 0 ? 1 : 0);
    if (name != NULL) {
        if (!read_certificate(name, &client))
            return failed("client certificate", 0);
        authority.data = client.name.bytes;
        authority.len = client.name.length;
        br_ssl_server_set_trust_anchor_names(&server, &authority, 1);
        believe(&server.eng, &known, &client);
        br_ssl_engine_set_default_rsavrfy(&server.eng);
        br_ssl_engine_set_ecdsa(&server.eng, verify);
    }
    br_ssl_session_cache_lru_init(&cache, store, sizeof store);
    br_ssl_server_set_cache(&server, &cache.vtable);
    br_ssl_engine_set_buffer(&server.eng, buffer, sizeof buffer, 1);
    int listener = listen_anywhere();
    bool done = listener >= 0 || failed("listen", listener);
    for (int count = connections_of(cell); done && count > 0; count--)
        done = connection(&server, listener);
    close(listener);
    return done;
}

int main(int argc, char **argv)
{
    return start(argc, argv, converse);
}
