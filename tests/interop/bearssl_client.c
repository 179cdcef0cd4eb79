/* The BearSSL client of the interoperability matrix. BearSSL knows neither the extended master
 * secret nor encrypt-then-MAC. README.md describes its input and output. */

#include <bearssl.h>

#include "client.h"

static unsigned char certificate[8192];
static size_t certificate_length;
static br_rsa_public_key server_key;

static void keep(void *context, const void *bytes, size_t length)
{
    (void)context;
    if (length <= sizeof certificate - certificate_length) {
        memcpy(certificate + certificate_length, bytes, length);
        certificate_length += length;
    }
}

/* Takes the server's key out of its certificate: BearSSL is to believe it without a chain. */
static bool read_certificate(const char *path)
{
    static br_x509_decoder_context decoder;
    static unsigned char text[16384];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text, file), taken = 0;
    fclose(file);
    br_pem_decoder_context pem;
    br_pem_decoder_init(&pem);
    br_pem_decoder_setdest(&pem, keep, NULL);
    while (taken < length && br_pem_decoder_event(&pem) != BR_PEM_END_OBJ)
        taken += br_pem_decoder_push(&pem, text + taken, length - taken);
    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, certificate, certificate_length);
    br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
    if (key == NULL || key->key_type != BR_KEYTYPE_RSA)
        return false;
    server_key = key->key.rsa;
    return true;
}

static int receive(void *context, unsigned char *bytes, size_t length)
{
    ssize_t count = read(*(int *)context, bytes, length);
    return count > 0 ? (int)count : -1;
}

static int transmit(void *context, const unsigned char *bytes, size_t length)
{
    ssize_t count = write(*(int *)context, bytes, length);
    return count > 0 ? (int)count : -1;
}

static bool connection(br_ssl_client_context *client, unsigned short port, bool resume)
{
    static struct answer answer;
    br_sslio_context io;
    br_ssl_session_parameters session;
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
    br_ssl_engine_get_session_parameters(&client->eng, &session);
    print_secret(client->eng.client_random, session.master_secret);
    print_answer(&answer);
    return true;
}

static bool converse(const struct cell *cell, unsigned short port)
{
    static br_ssl_client_context client;
    static br_x509_minimal_context minimal;
    static br_x509_knownkey_context known;
    static unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
    uint16_t suite = (uint16_t)cell->suite;
    br_ssl_client_init_full(&client, &minimal, NULL, 0);
    br_x509_knownkey_init_rsa(&known, &server_key, BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN);
    br_ssl_engine_set_x509(&client.eng, &known.vtable);
    br_ssl_engine_set_versions(&client.eng, cell->version, cell->version);
    br_ssl_engine_set_suites(&client.eng, &suite, 1);
    br_ssl_engine_set_buffer(&client.eng, buffer, sizeof buffer, 1);
    return connection(&client, port, false) && connection(&client, port, true);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        /* The library does not know its version. */
        puts("");
        return 0;
    }
    if (!read_certificate(argv[2]))
        return 1;
    return serve_cells((unsigned short)atoi(argv[1]), converse);
}
