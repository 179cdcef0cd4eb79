//! The constants of the interface that this library uses, by the names of the Windows headers.
//! A test compares each with Microsoft's metadata, and the C header with all of the metadata's.

// The names are the documentation: they are those of the Windows headers.
#![allow(missing_docs)]

/// Declares constants, and lists them for the comparison with the header.
macro_rules! constants {
    ($list:ident: $type:ty = $($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: $type = $value;)*

        /// Every constant of this group, with its name.
        pub const $list: &[(&str, $type)] = &[$((stringify!($name), $name),)*];
    };
}

constants! { NUMBERS: u32 =
    // Cipher suites.
    TLS_RSA_WITH_RC4_128_SHA = 0x0005;
    TLS_RSA_WITH_3DES_EDE_CBC_SHA = 0x000A;
    TLS_RSA_WITH_AES_128_CBC_SHA = 0x002F;
    TLS_RSA_WITH_NULL_SHA256 = 0x003B;
    TLS_RSA_WITH_AES_128_GCM_SHA256 = 0x009C;
    TLS_AES_128_GCM_SHA256 = 0x1301;
    // Flags of the functions.
    NCRYPT_SSL_CLIENT_FLAG = 0x0000_0001;
    NCRYPT_SSL_SERVER_FLAG = 0x0000_0002;
    NCRYPT_SSL_SIGN_INCLUDE_HASHOID = 0x0000_0001;
    NCRYPT_SSL_SIGN_USE_PSS_PADDING = 0x0000_0002;
    NCRYPT_SSL_EXTERNAL_PSK_FLAG = 0x0000_0001;
    NCRYPT_SSL_RESUMPTION_PSK_FLAG = 0x0000_0002;
    NCRYPT_SILENT_FLAG = 0x0000_0040;
    // Sizes, versions and key types.
    NCRYPT_SSL_CIPHER_LENGTHS_BLOCK_PADDING = 0x0000_0001;
    NCRYPT_SSL_CIPHER_SUITE_EX_VERSION = 1;
    TLS_ECC_P256_CURVE_KEY_TYPE = 23;
    TLS_ECC_P384_CURVE_KEY_TYPE = 24;
    TLS_ECC_P521_CURVE_KEY_TYPE = 25;
    // Content types of records.
    CT_CHANGE_CIPHER_SPEC = 20;
    CT_APPLICATIONDATA = 23;
    // Types of the buffers in a parameter list.
    NCRYPTBUFFER_SSL_CLIENT_RANDOM = 20;
    NCRYPTBUFFER_SSL_SERVER_RANDOM = 21;
    NCRYPTBUFFER_SSL_HIGHEST_VERSION = 22;
    NCRYPTBUFFER_SSL_SESSION_HASH = 25;
}

constants! { STATUSES: i32 =
    ERROR_SUCCESS = status(0x0000_0000);
    NTE_BAD_KEY = status(0x8009_0003);
    NTE_BAD_FLAGS = status(0x8009_0009);
    NTE_BAD_TYPE = status(0x8009_000A);
    NTE_BAD_KEY_STATE = status(0x8009_000B);
    NTE_NO_KEY = status(0x8009_000D);
    NTE_NO_MEMORY = status(0x8009_000E);
    NTE_PERM = status(0x8009_0010);
    NTE_PROV_DLL_NOT_FOUND = status(0x8009_001E);
    NTE_FAIL = status(0x8009_0020);
    NTE_INVALID_HANDLE = status(0x8009_0026);
    NTE_INVALID_PARAMETER = status(0x8009_0027);
    NTE_BUFFER_TOO_SMALL = status(0x8009_0028);
    NTE_NOT_SUPPORTED = status(0x8009_0029);
    NTE_NO_MORE_ITEMS = status(0x8009_002A);
    NTE_INTERNAL_ERROR = status(0x8009_002D);
    NTE_DEVICE_NOT_READY = status(0x8009_0030);
    STATUS_INVALID_HANDLE = status(0xC000_0008);
    STATUS_INVALID_PARAMETER = status(0xC000_000D);
    STATUS_NOT_FOUND = status(0xC000_0225);
}

constants! { STRINGS: &str =
    // Provider names and values in records.
    MS_SCHANNEL_PROVIDER = "Microsoft SSL Protocol Provider";
    MS_KEY_STORAGE_PROVIDER = "Microsoft Software Key Storage Provider";
    SSL_KEY_TYPE_PROPERTY = "KEYTYPE";
    SSL_ECDSA_ALGORITHM = "ECDSA";
    TLS_PSK_EXCHANGE = "PSK";
    // Blob types.
    BCRYPT_OPAQUE_KEY_BLOB = "OpaqueKeyBlob";
    BCRYPT_RSAPUBLIC_BLOB = "RSAPUBLICBLOB";
    BCRYPT_RSAPRIVATE_BLOB = "RSAPRIVATEBLOB";
    BCRYPT_RSAFULLPRIVATE_BLOB = "RSAFULLPRIVATEBLOB";
    LEGACY_RSAPUBLIC_BLOB = "CAPIPUBLICBLOB";
    BCRYPT_PUBLIC_KEY_BLOB = "PUBLICBLOB";
    BCRYPT_ECCPUBLIC_BLOB = "ECCPUBLICBLOB";
    SSL_ECCPUBLIC_BLOB = "SSLECCPUBLICBLOB";
    BCRYPT_DH_PUBLIC_BLOB = "DHPUBLICBLOB";
    BCRYPT_KEY_DATA_BLOB = "KeyDataBlob";
    TLS_13_PRE_SHARED_KEY = "TLS13PRESHAREDKEY";
    TLS_HYBRID_KEYEXCHANGE = "TLS_HYBRID_KEYEXCHANGE";
    BCRYPT_ECCPRIVATE_BLOB = "ECCPRIVATEBLOB";
    NCRYPT_PKCS8_PRIVATE_KEY_BLOB = "PKCS8_PRIVATEKEY";
    // Algorithms.
    BCRYPT_RSA_ALGORITHM = "RSA";
    BCRYPT_RSA_SIGN_ALGORITHM = "RSA_SIGN";
    BCRYPT_DH_ALGORITHM = "DH";
    BCRYPT_DSA_ALGORITHM = "DSA";
    BCRYPT_ECDH_ALGORITHM = "ECDH";
    BCRYPT_ECDSA_ALGORITHM = "ECDSA";
    BCRYPT_ECDH_P256_ALGORITHM = "ECDH_P256";
    BCRYPT_ECDH_P384_ALGORITHM = "ECDH_P384";
    BCRYPT_ECDH_P521_ALGORITHM = "ECDH_P521";
    BCRYPT_ECDSA_P256_ALGORITHM = "ECDSA_P256";
    BCRYPT_ECDSA_P384_ALGORITHM = "ECDSA_P384";
    BCRYPT_ECDSA_P521_ALGORITHM = "ECDSA_P521";
    BCRYPT_AES_ALGORITHM = "AES";
    BCRYPT_3DES_ALGORITHM = "3DES";
    BCRYPT_DES_ALGORITHM = "DES";
    BCRYPT_RC2_ALGORITHM = "RC2";
    BCRYPT_RC4_ALGORITHM = "RC4";
    BCRYPT_CHACHA20_POLY1305_ALGORITHM = "CHACHA20_POLY1305";
    BCRYPT_MD5_ALGORITHM = "MD5";
    BCRYPT_SHA1_ALGORITHM = "SHA1";
    BCRYPT_SHA256_ALGORITHM = "SHA256";
    BCRYPT_SHA384_ALGORITHM = "SHA384";
    BCRYPT_SHA512_ALGORITHM = "SHA512";
    // Chaining modes.
    BCRYPT_CHAIN_MODE_NA = "ChainingModeN/A";
    BCRYPT_CHAIN_MODE_CBC = "ChainingModeCBC";
    BCRYPT_CHAIN_MODE_CCM = "ChainingModeCCM";
    BCRYPT_CHAIN_MODE_GCM = "ChainingModeGCM";
    // Properties.
    NCRYPT_NAME_PROPERTY = "Name";
    NCRYPT_ALGORITHM_PROPERTY = "Algorithm Name";
    NCRYPT_ALGORITHM_GROUP_PROPERTY = "Algorithm Group";
    NCRYPT_LENGTH_PROPERTY = "Length";
    NCRYPT_BLOCK_LENGTH_PROPERTY = "Block Length";
    NCRYPT_KEY_USAGE_PROPERTY = "Key Usage";
    NCRYPT_EXPORT_POLICY_PROPERTY = "Export Policy";
    NCRYPT_IMPL_TYPE_PROPERTY = "Impl Type";
    BCRYPT_PUBLIC_KEY_LENGTH = "PublicKeyLength";
    BCRYPT_ECC_CURVE_NAME = "ECCCurveName";
}

/// A status as the headers print it, unsigned, as the number that functions return.
const fn status(code: u32) -> i32 {
    code.cast_signed()
}
