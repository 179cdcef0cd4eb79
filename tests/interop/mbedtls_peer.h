/* What the mbedTLS client and the mbedTLS server share: settings of a cell, and secrets. */

#ifndef MBEDTLS_PEER_H
#define MBEDTLS_PEER_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "peer.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context generator;

/* Everything that a configuration refers to. */
struct settings {
    mbedtls_ssl_config config;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    mbedtls_ecp_group_id curves[MAX_GROUPS + 1];
    int suites[2];
};

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

/* mbedTLS has no numbers for finite fields. */
static inline mbedtls_ecp_group_id curve_of(unsigned group)
{
    const mbedtls_ecp_curve_info *curve = mbedtls_ecp_curve_info_from_tls_id((uint16_t)group);
    return curve == NULL ? MBEDTLS_ECP_DP_NONE : curve->grp_id;
}

static inline int use_identity(struct settings *settings, const char *name)
{
    int code = mbedtls_x509_crt_parse_file(&settings->certificate, path_of(name, "cert"));
    if (code == 0)
        code = mbedtls_pk_parse_keyfile(&settings->key, path_of(name, "key"), NULL);
    if (code == 0)
        code = mbedtls_ssl_conf_own_cert(&settings->config, &settings->certificate,
                                         &settings->key);
    return code;
}

/* `release` has to be called, also after an error. */
static inline int configure(struct settings *settings, const struct cell *cell, int endpoint)
{
    mbedtls_ssl_config *config = &settings->config;
    int minor = (int)(cell->version & 0xFF);
    size_t count = 0;
    mbedtls_ssl_config_init(config);
    mbedtls_x509_crt_init(&settings->certificate);
    mbedtls_pk_init(&settings->key);
    int code = mbedtls_ssl_config_defaults(config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                           MBEDTLS_SSL_PRESET_DEFAULT);
    settings->suites[0] = (int)cell->suite;
    settings->suites[1] = 0;
    for (size_t index = 0; index < cell->group_count; index++) {
        mbedtls_ecp_group_id curve = curve_of(cell->groups[index]);
        if (curve != MBEDTLS_ECP_DP_NONE)
            settings->curves[count++] = curve;
    }
    settings->curves[count] = MBEDTLS_ECP_DP_NONE;
    if (count > 0)
        mbedtls_ssl_conf_curves(config, settings->curves);
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &generator);
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
    mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
    mbedtls_ssl_conf_ciphersuites(config, settings->suites);
    mbedtls_ssl_conf_extended_master_secret(config, (char)cell->extended_master_secret);
    mbedtls_ssl_conf_encrypt_then_mac(config, (char)cell->encrypt_then_mac);
    mbedtls_ssl_conf_export_keys_ext_cb(config, on_keys, NULL);
    return code;
}

static inline void release(struct settings *settings)
{
    mbedtls_pk_free(&settings->key);
    mbedtls_x509_crt_free(&settings->certificate);
    mbedtls_ssl_config_free(&settings->config);
}

/* The whole of `main`. */
static inline int start(int argc, char **argv, converse_fn *converse)
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
    return run_cells(argv[1], converse);
}

#endif
