/* Calls in an exit handler that was there before the library was used, as a static object of C++
 * has one: no provider may have been taken down before it. */

#include "test.h"

#define PROVIDERS 8

static struct session {
    NCRYPT_PROV_HANDLE provider;
    NCRYPT_KEY_HANDLE key, master, read, write;
    NCRYPT_HASH_HANDLE hash;
} sessions[PROVIDERS];
static DWORD count;

static NCryptBuffer buffers[2];
static NCryptBufferDesc randoms;

static void open_session(struct session *session, LPCWSTR name)
{
    const struct exchange *exchange = &exchanges[0];
    OK(SslOpenProvider(&session->provider, name, 0));
    session->key = open_key(session->provider);
    session->master = import_master_key(session->provider, session->key, exchange);
    session->hash =
        hash_of_transcript(session->provider, exchange->protocol, exchange->suite);
    OK(SslGenerateSessionKeys(session->provider, session->master, &session->read, &session->write,
                              &randoms, 0));
}

static void use_and_free(struct session *session)
{
    unsigned char text[100] = {0}, record[400], finished[12];
    DWORD len = 0;
    OK(SslEncryptPacket(session->provider, session->write, text, sizeof(text), record,
                        sizeof(record), &len, 0, 23, 0));
    OK(SslComputeFinishedHash(session->provider, session->master, session->hash, finished, 12,
                              NCRYPT_SSL_CLIENT_FLAG));
    CHECK(memcmp(finished, exchanges[0].client_finished, 12) == 0);
    OK(SslFreeObject(session->read, 0));
    OK(SslFreeObject(session->write, 0));
    OK(SslFreeObject(session->hash, 0));
    OK(SslFreeObject(session->master, 0));
    OK(SslFreeObject(import_master_key(session->provider, session->key, &exchanges[0]), 0));
    OK(SslFreeObject(session->key, 0));
    OK(SslFreeObject(session->provider, 0));
}

static void at_exit(void)
{
    DWORD each;
    CHECK(count > 0);
    for (each = 0; each < count; each++) {
        use_and_free(&sessions[each]);
    }
    CHECK(nothing_is_left() == 0);
}

int main(void)
{
    NCryptProviderName *names = NULL;
    DWORD each, found = 0;
    CHECK(atexit(at_exit) == 0);
    set_randoms(buffers);
    randoms = list_of(buffers, 2);
    OK(SslEnumProtocolProviders(&found, &names, 0));
    CHECK(found <= PROVIDERS);
    for (each = 0; each < found; each++) {
        open_session(&sessions[each], names[each].pszName);
    }
    OK(SslFreeBuffer(names));
    count = found;
    return 0;
}
