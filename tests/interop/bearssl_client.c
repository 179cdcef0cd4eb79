/* The BearSSL client of the interoperability matrix. BearSSL knows neither the extended master
 * secret nor encrypt-then-MAC, and no tickets. README.md describes its input and output. */

#include "bearssl_peer.h"

static bool connection(br_ssl_client_context *client, unsigned port, bool resume)
{
    static struct answer answer;
    br_sslio_context io;
    int fd = connect_to(port), count;
    if (fd < 0)
        return failed("connect", fd);
    br_ssl_client_reset(client, HOST, resume);
    br_sslio_init(&io, &client->eng, receive, &fd, transmit, &fd);
    br_sslio_write_all(&io, REQUEST, strlen(REQUEST));
    br_sslio_flush(&io);
    answer.length = 0;
    while ((count = br_sslio_read(&io, answer.bytes + answer.length,
                                  sizeof answer.bytes - answer.length)) > 0)
        answer.length += (size_t)count;
    close(fd);
    /* BR_ERR_OK is a connection that the server ended with close_notify. */
    if (br_ssl_engine_last_error(&client->eng) != BR_ERR_OK)
        return failed("BearSSL error", br_ssl_engine_last_error(&client->eng));
    tell_secret(&client->eng);
    print_answer(&answer);
    return true;
}

static bool converse(const struct cell *cell)
{
    static br_ssl_client_context client;
    static br_x509_minimal_context minimal;
    static br_x509_knownkey_context known;
    static br_ec_impl curves;
    static struct identity server, own;
    static unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
    const char *name = client_identity(cell);
    if (cell->version < BR_TLS10)
        return failed("no version", cell->version);
    if (!read_certificate(cell->server, &server))
        return failed("certificate", 0);
    br_ssl_client_init_full(&client, &minimal, NULL, 0);
    believe(&client.eng, &known, &server);
    limit(&client.eng, cell, &curves, cell->group_count);
    if (name != NULL && (!read_certificate(name, &own) || !read_key(name, &own)))
        return failed("client certificate", 0);
    if (name != NULL && own.private_key.key_type == BR_KEYTYPE_RSA)
        br_ssl_client_set_single_rsa(&client, &own.chain, 1, &own.private_key.key.rsa,
                                     br_rsa_pkcs1_sign_get_default());
    else if (name != NULL)
        br_ssl_client_set_single_ec(&client, &own.chain, 1, &own.private_key.key.ec,
                                    BR_KEYTYPE_SIGN, BR_KEYTYPE_EC, br_ec_get_default(),
                                    br_ecdsa_sign_asn1_get_default());
    br_ssl_engine_set_buffer(&client.eng, buffer, sizeof buffer, 1);
    return connection(&client, cell->port, false) && connection(&client, cell->port, true);
}

int main(int argc, char **argv)
{
    return start(argc, argv, converse);
}
