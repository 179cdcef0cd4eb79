//! The header against everything that it must agree with: the exports and their documentation, the
//! constants, Microsoft's metadata, and two lists, `declarations.txt` and `numbers.txt`; the lists
//! against the sheet of facts that they are from.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_testkit::vectors;
use sslprovider::abi::{NUMBERS, STATUSES, STRINGS};
use windows_sys::Win32::Foundation as foundation;
use windows_sys::Win32::Security::Cryptography as windows;

/// What the header declares beyond the interface, by name.
const KEY_STORAGE_AND_EXTENSIONS: [&str; 10] = [
    "NCryptExportKey",
    "NCryptFreeObject",
    "NCryptImportKey",
    "NCryptOpenStorageProvider",
    "SslProviderCountLive",
    "SslProviderGetMasterSecret",
    "SslProviderGetTls13Secret",
    "SslProviderOpenWithPolicy",
    "SslProviderSetTrace",
    "SslProviderUpdateTrafficKey",
];

#[test]
fn the_header_declares_the_47_functions_of_the_list_and_the_named_others() {
    let listed = text("tests/declarations.txt");
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed.len(), 47);
    let (mut interface, mut others) = (Vec::new(), Vec::new());
    for declaration in declarations(&header()) {
        if KEY_STORAGE_AND_EXTENSIONS.contains(&declaration.name.as_str()) {
            others.push(declaration.name);
        } else {
            interface.push(declaration.in_notation());
        }
    }
    interface.sort();
    others.sort();
    assert_eq!(interface, listed);
    assert_eq!(others, KEY_STORAGE_AND_EXTENSIONS);
}

#[test]
fn every_declaration_is_an_export_with_as_many_arguments_and_the_reverse() {
    let declared: BTreeMap<String, usize> = declarations(&header())
        .into_iter()
        .map(|declaration| (declaration.name, declaration.parameters.len()))
        .collect();
    let mut exported = BTreeMap::from([("SslProviderSetTrace".to_owned(), 1)]);
    for source in sources() {
        exported.extend(exports(&source));
    }
    assert_eq!(declared, exported);
}

#[test]
fn every_constant_here_is_in_the_header_and_the_header_has_none_unknown() {
    let header = header();
    let defined = definitions(&header);
    let statuses = STATUSES.iter().chain(STATUSES_OF_THE_HEADER);
    let statuses = statuses.map(|(name, value)| (*name, value.cast_unsigned()));
    let numbers = NUMBERS.iter().chain(NUMBERS_OF_THE_HEADER).chain(NEWER_NUMBERS);
    let numbers = numbers.copied().chain(statuses);
    let texts = STRINGS.iter().map(|(name, text)| (*name, (*text).to_owned()));
    let texts: Vec<(&str, String)> = texts.chain(texts_of_the_header()).collect();
    let mut known = vec!["SSLPROVIDER_H", "WINAPI", "SSLP_API", "SSLP_STATUS(code)"];
    for (name, value) in numbers {
        assert_eq!(number(&defined, name), Some(value), "{name}");
        known.push(name);
    }
    for (name, text) in &texts {
        let characters: Vec<String> = text.chars().map(|each| format!("'{each}'")).collect();
        let notations =
            [format!("u\"{text}\""), format!("((const WCHAR[]){{{}, 0}})", characters.join(", "))];
        assert_eq!(values(&defined, name), notations, "{name}");
        known.push(name);
    }
    for (name, value) in INTERFACE_VERSIONS {
        assert_eq!(values(&defined, name), [*value], "{name}");
        known.push(name);
    }
    let unknown: Vec<_> = defined.keys().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_function_has_the_same_contract_in_the_header_and_in_the_rust_documentation() {
    let header = text("include/sslprovider.h");
    let mut compared = 0;
    for source in sources() {
        for (name, of_rust) in contracts(&source) {
            let (before, _) = header.split_once(&format!(" WINAPI {name}(")).unwrap();
            let (_, comment) = before.rsplit_once("/*").unwrap();
            let (comment, between) = comment.split_once("*/").unwrap();
            assert!(between.starts_with("\nSSLP_API "), "{name} has a comment of its own");
            let of_header: Vec<&str> =
                comment.split_whitespace().filter(|word| *word != "*").collect();
            assert_eq!(of_header.join(" "), of_rust, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 47 + KEY_STORAGE_AND_EXTENSIONS.len() - 1, "all but SslProviderSetTrace");
}

/// The program in C that proves that no export is a stub calls each of them with arguments for
/// which it succeeds; `cargo xtask capi` runs it.
#[test]
fn the_program_that_calls_every_export_has_the_47_of_the_list() {
    let program = text("tests/c/every_export.c");
    let (_, listed) = program.split_once("functions[] = {\n").unwrap();
    let (listed, _) = listed.split_once("};").unwrap();
    let listed: Vec<&str> = listed.lines().map(|line| line.trim_matches([' ', '"', ','])).collect();
    let declared = text("tests/declarations.txt");
    let declared: Vec<&str> = declared
        .lines()
        .map(|line| line.split_once('(').unwrap().0.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(listed, declared);
    for name in listed {
        let is_called = program.contains(&format!("CALL({name}, ("));
        assert!(is_called || name == "SslChangeNotify", "{name}");
    }
    for source in sources() {
        assert!(!source.to_lowercase().contains("not supported yet"), "a stub");
    }
}

/// Constants that only the header has, from Microsoft's metadata.
macro_rules! of_metadata {
    ($list:ident: $type:ty = $module:ident: $($name:ident)*) => {
        const $list: &[(&str, $type)] = &[$((stringify!($name), $module::$name),)*];
    };
}

of_metadata! { NUMBERS_OF_THE_HEADER: u32 = windows:
    SSL2_PROTOCOL_VERSION SSL3_PROTOCOL_VERSION TLS1_PROTOCOL_VERSION TLS1_0_PROTOCOL_VERSION
    TLS1_1_PROTOCOL_VERSION TLS1_2_PROTOCOL_VERSION TLS1_3_PROTOCOL_VERSION
    DTLS1_0_PROTOCOL_VERSION DTLS1_2_PROTOCOL_VERSION TLS_RSA_WITH_NULL_MD5
    TLS_RSA_WITH_NULL_SHA TLS_RSA_EXPORT_WITH_RC4_40_MD5 TLS_RSA_WITH_RC4_128_MD5
    TLS_RSA_WITH_DES_CBC_SHA TLS_DHE_DSS_WITH_DES_CBC_SHA TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA
    TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA TLS_DHE_DSS_WITH_AES_128_CBC_SHA
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA TLS_RSA_WITH_AES_256_CBC_SHA
    TLS_DHE_DSS_WITH_AES_256_CBC_SHA TLS_DHE_RSA_WITH_AES_256_CBC_SHA
    TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA
    TLS_RSA_EXPORT1024_WITH_RC4_56_SHA TLS_RSA_WITH_AES_128_CBC_SHA256
    TLS_RSA_WITH_AES_256_CBC_SHA256 TLS_DHE_DSS_WITH_AES_128_CBC_SHA256
    TLS_DHE_DSS_WITH_AES_256_CBC_SHA256 TLS_RSA_WITH_AES_256_GCM_SHA384
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 TLS_DHE_RSA_WITH_AES_256_GCM_SHA384
    TLS_PSK_WITH_AES_128_GCM_SHA256 TLS_PSK_WITH_AES_256_GCM_SHA384
    TLS_PSK_WITH_AES_128_CBC_SHA256 TLS_PSK_WITH_AES_256_CBC_SHA384 TLS_PSK_WITH_NULL_SHA256
    TLS_PSK_WITH_NULL_SHA384 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 TLS_AES_256_GCM_SHA384 SSL_CK_RC4_128_WITH_MD5
    SSL_CK_RC4_128_EXPORT40_WITH_MD5 SSL_CK_RC2_128_CBC_WITH_MD5
    SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5 SSL_CK_IDEA_128_CBC_WITH_MD5 SSL_CK_DES_64_CBC_WITH_MD5
    SSL_CK_DES_192_EDE3_CBC_WITH_MD5
    NCRYPT_SSL_EAP_PRF_FIELD
    NCRYPT_SSL_EAP_ID NCRYPT_SSL_EAP_TTLSV0_ID NCRYPT_SSL_EAP_TTLSV0_CHLNG_ID
    NCRYPT_SSL_EAP_FAST_ID NCRYPT_SSL_MAX_NAME_SIZE MSCRYPT_ECC_MAX_CURVE_NAME_LENGTH
    MSCRYPT_ECC_MAX_OID_LENGTH NCRYPTBUFFER_VERSION NCRYPTBUFFER_EMPTY NCRYPTBUFFER_DATA
    NCRYPTBUFFER_PROTECTION_DESCRIPTOR_STRING NCRYPTBUFFER_PROTECTION_FLAGS
    NCRYPTBUFFER_SSL_CLEAR_KEY NCRYPTBUFFER_SSL_KEY_ARG_DATA NCRYPTBUFFER_PKCS_OID
    NCRYPTBUFFER_PKCS_ALG_OID NCRYPTBUFFER_PKCS_ALG_PARAM NCRYPTBUFFER_PKCS_ALG_ID
    NCRYPTBUFFER_PKCS_ATTRS NCRYPTBUFFER_PKCS_KEY_NAME NCRYPTBUFFER_PKCS_SECRET
    NCRYPTBUFFER_CERT_BLOB NCRYPTBUFFER_CLAIM_IDBINDING_NONCE
    NCRYPTBUFFER_CLAIM_KEYATTESTATION_NONCE NCRYPTBUFFER_KEY_PROPERTY_FLAGS
    NCRYPTBUFFER_ATTESTATIONSTATEMENT_BLOB NCRYPTBUFFER_ATTESTATION_CLAIM_TYPE
    NCRYPTBUFFER_ATTESTATION_CLAIM_CHALLENGE_REQUIRED NCRYPTBUFFER_ECC_CURVE_NAME
    NCRYPTBUFFER_ECC_PARAMETERS NCRYPTBUFFER_TPM_SEAL_PASSWORD NCRYPTBUFFER_TPM_SEAL_POLICYINFO
    NCRYPTBUFFER_TPM_SEAL_TICKET NCRYPTBUFFER_TPM_SEAL_NO_DA_PROTECTION
    NCRYPTBUFFER_TPM_PLATFORM_CLAIM_PCR_MASK NCRYPTBUFFER_TPM_PLATFORM_CLAIM_NONCE
    NCRYPTBUFFER_TPM_PLATFORM_CLAIM_STATIC_CREATE BCRYPT_RSAPUBLIC_MAGIC BCRYPT_RSAPRIVATE_MAGIC
    BCRYPT_RSAFULLPRIVATE_MAGIC BCRYPT_ECDH_PUBLIC_P256_MAGIC BCRYPT_ECDH_PUBLIC_P384_MAGIC
    BCRYPT_ECDH_PUBLIC_P521_MAGIC BCRYPT_ECDH_PUBLIC_GENERIC_MAGIC
    BCRYPT_ECDH_PRIVATE_P256_MAGIC BCRYPT_ECDH_PRIVATE_P384_MAGIC BCRYPT_ECDH_PRIVATE_P521_MAGIC
    BCRYPT_ECDSA_PUBLIC_P256_MAGIC BCRYPT_ECDSA_PUBLIC_P384_MAGIC BCRYPT_ECDSA_PUBLIC_P521_MAGIC
    BCRYPT_ECDSA_PRIVATE_P256_MAGIC BCRYPT_ECDSA_PRIVATE_P384_MAGIC
    BCRYPT_ECDSA_PRIVATE_P521_MAGIC BCRYPT_ECDSA_PUBLIC_GENERIC_MAGIC BCRYPT_DH_PUBLIC_MAGIC
    BCRYPT_DH_PARAMETERS_MAGIC BCRYPT_KEY_DATA_BLOB_MAGIC NCRYPT_NO_PADDING_FLAG
    NCRYPT_PAD_PKCS1_FLAG NCRYPT_PAD_OAEP_FLAG NCRYPT_PAD_PSS_FLAG NCRYPT_KEY_STORAGE_INTERFACE
    NCRYPT_SCHANNEL_INTERFACE NCRYPT_SCHANNEL_SIGNATURE_INTERFACE
    NCRYPT_KEY_PROTECTION_INTERFACE CRYPT_LOCAL CRYPT_DOMAIN CRYPT_PRIORITY_TOP
    CRYPT_PRIORITY_BOTTOM CRYPT_UM CRYPT_KM CRYPT_MM CRYPT_ANY X509_ASN_ENCODING
    BCRYPT_ECDH_PRIVATE_GENERIC_MAGIC BCRYPT_ECDSA_PRIVATE_GENERIC_MAGIC BCRYPT_DH_PRIVATE_MAGIC
    BCRYPT_KEY_DATA_BLOB_VERSION1
}

of_metadata! { STATUSES_OF_THE_HEADER: i32 = foundation:
    NTE_BAD_UID NTE_BAD_HASH NTE_BAD_LEN NTE_BAD_DATA NTE_BAD_SIGNATURE NTE_BAD_VER
    NTE_BAD_ALGID NTE_BAD_HASH_STATE NTE_EXISTS NTE_NOT_FOUND
    NTE_DOUBLE_ENCRYPT NTE_BAD_PROVIDER NTE_BAD_PROV_TYPE NTE_BAD_PUBLIC_KEY NTE_BAD_KEYSET
    NTE_PROV_TYPE_NOT_DEF NTE_PROV_TYPE_ENTRY_BAD NTE_KEYSET_NOT_DEF NTE_KEYSET_ENTRY_BAD
    NTE_PROV_TYPE_NO_MATCH NTE_SIGNATURE_FILE_BAD NTE_PROVIDER_DLL_FAIL NTE_BAD_KEYSET_PARAM
    NTE_SYS_ERR NTE_SILENT_CONTEXT NTE_TOKEN_KEYSET_STORAGE_FULL NTE_TEMPORARY_PROFILE
    NTE_FIXEDPARAMETER NTE_BUFFERS_OVERLAP NTE_DECRYPTION_FAILURE NTE_UI_REQUIRED
    NTE_HMAC_NOT_SUPPORTED NTE_AUTHENTICATION_IGNORED NTE_VALIDATION_FAILED
    NTE_INCORRECT_PASSWORD NTE_ENCRYPTION_FAILURE NTE_DEVICE_NOT_FOUND NTE_USER_CANCELLED
    NTE_PASSWORD_CHANGE_REQUIRED NTE_NOT_ACTIVE_CONSOLE STATUS_UNSUCCESSFUL
    STATUS_NOT_IMPLEMENTED STATUS_NO_MEMORY STATUS_BUFFER_TOO_SMALL STATUS_DATA_ERROR
    STATUS_NOT_SUPPORTED STATUS_INTERNAL_ERROR STATUS_INVALID_BUFFER_SIZE
    STATUS_DECRYPTION_FAILED STATUS_INVALID_SIGNATURE STATUS_HMAC_NOT_SUPPORTED
    STATUS_AUTH_TAG_MISMATCH
}

of_metadata! { TEXTS_OF_THE_HEADER: *const u16 = windows:
    TLS_RSA_PSK_EXCHANGE BCRYPT_DH_PARAMETERS
    BCRYPT_3DES_112_ALGORITHM BCRYPT_DESX_ALGORITHM BCRYPT_MD2_ALGORITHM
    BCRYPT_MD4_ALGORITHM BCRYPT_CHAIN_MODE_ECB BCRYPT_CHAIN_MODE_CFB NCRYPT_UNIQUE_NAME_PROPERTY
    NCRYPT_LENGTHS_PROPERTY NCRYPT_KEY_TYPE_PROPERTY NCRYPT_PROVIDER_HANDLE_PROPERTY
    BCRYPT_SIGNATURE_LENGTH BCRYPT_PRIVATE_KEY_BLOB
    BCRYPT_DH_PRIVATE_BLOB BCRYPT_ECC_CURVE_25519 BCRYPT_ECC_CURVE_NISTP192
    BCRYPT_ECC_CURVE_NISTP224 BCRYPT_ECC_CURVE_NISTP256 BCRYPT_ECC_CURVE_NISTP384
    BCRYPT_ECC_CURVE_NISTP521 BCRYPT_ECC_CURVE_BRAINPOOLP256R1 BCRYPT_ECC_CURVE_BRAINPOOLP384R1
    BCRYPT_ECC_CURVE_BRAINPOOLP512R1 BCRYPT_ECC_CURVE_SECP160K1 BCRYPT_ECC_CURVE_SECP160R1
    BCRYPT_ECC_CURVE_SECP160R2 BCRYPT_ECC_CURVE_SECP192K1 BCRYPT_ECC_CURVE_SECP192R1
    BCRYPT_ECC_CURVE_SECP224K1 BCRYPT_ECC_CURVE_SECP224R1 BCRYPT_ECC_CURVE_SECP256K1
    BCRYPT_ECC_CURVE_SECP256R1 BCRYPT_ECC_CURVE_SECP384R1 BCRYPT_ECC_CURVE_SECP521R1
    NCRYPT_RSA_ALGORITHM NCRYPT_RSA_SIGN_ALGORITHM NCRYPT_DH_ALGORITHM NCRYPT_DSA_ALGORITHM
    NCRYPT_ECDH_ALGORITHM NCRYPT_ECDH_P256_ALGORITHM NCRYPT_ECDH_P384_ALGORITHM
    NCRYPT_ECDH_P521_ALGORITHM NCRYPT_ECDSA_ALGORITHM NCRYPT_ECDSA_P256_ALGORITHM
    NCRYPT_ECDSA_P384_ALGORITHM NCRYPT_ECDSA_P521_ALGORITHM NCRYPT_AES_ALGORITHM
    NCRYPT_3DES_ALGORITHM NCRYPT_3DES_112_ALGORITHM NCRYPT_DES_ALGORITHM NCRYPT_DESX_ALGORITHM
    NCRYPT_RC2_ALGORITHM NCRYPT_MD2_ALGORITHM NCRYPT_MD4_ALGORITHM NCRYPT_MD5_ALGORITHM
    NCRYPT_SHA1_ALGORITHM NCRYPT_SHA256_ALGORITHM NCRYPT_SHA384_ALGORITHM
    NCRYPT_SHA512_ALGORITHM NCRYPT_RSA_ALGORITHM_GROUP NCRYPT_DH_ALGORITHM_GROUP
    NCRYPT_DSA_ALGORITHM_GROUP NCRYPT_ECDH_ALGORITHM_GROUP NCRYPT_ECDSA_ALGORITHM_GROUP
    NCRYPT_AES_ALGORITHM_GROUP NCRYPT_DES_ALGORITHM_GROUP NCRYPT_RC2_ALGORITHM_GROUP
}

/// Numbers that the metadata does not have.
const NEWER_NUMBERS: &[(&str, u32)] = &[
    ("CT_ALERT", 21),
    ("CT_HANDSHAKE", 22),
    ("TLS_HYBRID_KEYEXCHANGE_MAGIC", u32::from_le_bytes(*b"TLSH")),
    ("TLS_KEM_CIPHERTEXT_MAGIC", u32::from_le_bytes(*b"MLKC")),
    ("BCRYPT_MLKEM_PUBLIC_MAGIC", u32::from_le_bytes(*b"MLKP")),
    ("BCRYPT_MLKEM_PRIVATE_MAGIC", u32::from_le_bytes(*b"MLKR")),
    ("BCRYPT_MLKEM_PRIVATE_SEED_MAGIC", u32::from_le_bytes(*b"MLKS")),
    ("NTE_VBS_UNAVAILABLE", 0x8009_0039),
    ("NTE_VBS_CANNOT_DECRYPT_KEY", 0x8009_003A),
];

/// Texts that the metadata does not have.
const NEWER_TEXTS: [(&str, &str); 8] = [
    ("TLS_KEM_CIPHERTEXT", "TLS_KEM_CIPHER_TEXT"),
    ("BCRYPT_MLKEM_PUBLIC_BLOB", "MLKEMPUBLICBLOB"),
    ("BCRYPT_MLKEM_ALGORITHM", "ML-KEM"),
    ("BCRYPT_MLKEM_PARAMETER_SET_512", "512"),
    ("BCRYPT_MLKEM_PARAMETER_SET_768", "768"),
    ("BCRYPT_MLKEM_PARAMETER_SET_1024", "1024"),
    ("BCRYPT_MLKEM_PRIVATE_BLOB", "MLKEMPRIVATEBLOB"),
    ("BCRYPT_MLKEM_PRIVATE_SEED_BLOB", "MLKEMPRIVATESEEDBLOB"),
];

fn texts_of_the_header() -> impl Iterator<Item = (&'static str, String)> {
    let of_metadata = TEXTS_OF_THE_HEADER.iter().map(|(name, text)| {
        let units: Vec<u16> = (0..)
            // SAFETY: windows-sys has terminated texts, and `take_while` stops at the terminator.
            .map(|index| unsafe { *text.wrapping_add(index) })
            .take_while(|unit| *unit != 0)
            .collect();
        (*name, String::from_utf16(&units).unwrap())
    });
    of_metadata.chain(NEWER_TEXTS.map(|(name, text)| (name, text.to_owned())))
}

/// Initialisers, which a test of the layout uses in C.
const INTERFACE_VERSIONS: &[(&str, &str)] = &[
    ("BCRYPT_MAKE_INTERFACE_VERSION(major,minor)", "{(USHORT)(major), (USHORT)(minor)}"),
    ("NCRYPT_SSL_INTERFACE_VERSION", "BCRYPT_MAKE_INTERFACE_VERSION(1, 0)"),
    ("NCRYPT_SSL_INTERFACE_VERSION_1", "BCRYPT_MAKE_INTERFACE_VERSION(1, 0)"),
    ("NCRYPT_SSL_INTERFACE_VERSION_2", "BCRYPT_MAKE_INTERFACE_VERSION(2, 0)"),
    ("NCRYPT_SSL_INTERFACE_VERSION_3", "BCRYPT_MAKE_INTERFACE_VERSION(3, 0)"),
    ("NCRYPT_SSL_INTERFACE_VERSION_4", "BCRYPT_MAKE_INTERFACE_VERSION(4, 0)"),
    ("NCRYPT_SSL_INTERFACE_VERSION_5", "BCRYPT_MAKE_INTERFACE_VERSION(5, 0)"),
];

#[test]
fn every_type_of_a_table_or_an_entry_point_has_the_parameters_of_its_function() {
    let header = header();
    let parameters = |text: &str| -> String {
        let (inside, _) = text.split_once(");").unwrap();
        inside.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let types: Vec<(&str, String)> = header
        .split(" (WINAPI *")
        .skip(1)
        .map(|text| {
            let (name, rest) = text.split_once("Fn)(").unwrap();
            (name, parameters(rest))
        })
        .collect();
    for (name, of_type) in &types {
        let (_, rest) = header.split_once(&format!(" WINAPI {name}(")).unwrap();
        assert_eq!(*of_type, parameters(rest), "{name}");
    }
    assert_eq!(types.len(), 41 + 2, "slots of the table, and entry points");
}

#[test]
fn suites_and_error_codes_of_the_header_have_the_numbers_of_the_list() {
    let (header, listed) = (header(), text("tests/numbers.txt"));
    let defined = definitions(&header);
    for line in listed.lines() {
        let (name, number) = line.split_once(' ').unwrap();
        let ours = values(&defined, name);
        assert_eq!(ours.last().map(|value| literal(value)), Some(number), "{name}");
    }
    assert_eq!(listed.lines().count(), 55 + 58, "suites and NTE codes");
}

/// The lists were written from this sheet, which is not part of the project.
#[test]
fn the_lists_agree_with_the_sheet_of_facts_beside_the_vectors() {
    let Some(vectors) = vectors::folder() else { return };
    let path = vectors.join("../reference/cng-ssl-provider.md");
    let Ok(sheet) = fs::read_to_string(&path) else {
        not_tested("the lists", format_args!("there is no sheet of facts at {}", path.display()));
        return;
    };
    let mut prototypes = sheet_prototypes(&sheet);
    prototypes.sort();
    assert_eq!(prototypes, text("tests/declarations.txt").lines().collect::<Vec<_>>());
    let numbers: Vec<String> = sheet.lines().filter_map(sheet_number).collect();
    assert_eq!(numbers, text("tests/numbers.txt").lines().collect::<Vec<_>>());
}

/// A function of the header.
struct Declaration {
    result: String,
    name: String,
    /// Type and name of each parameter.
    parameters: Vec<(String, String)>,
}

impl Declaration {
    /// In the notation of the list: `i32 SslFreeObject(OBJ hObject, u32 dwFlags)`.
    fn in_notation(&self) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|(kind, name)| format!("{} {name}", notation(kind)))
            .collect();
        let result = if self.result == "SECURITY_STATUS" { "i32" } else { &self.result };
        format!("{result} {}({})", self.name, parameters.join(", "))
            .replace("[NCRYPT_SSL_MAX_NAME_SIZE]", "[64]")
    }
}

fn notation(c_type: &str) -> String {
    let (base, stars) = c_type
        .split_once('*')
        .map_or((c_type, 0), |(base, rest)| (base, 1 + rest.matches('*').count()));
    let (base, more) = match base.trim() {
        "NCRYPT_PROV_HANDLE" => ("PROV", 0),
        "NCRYPT_KEY_HANDLE" => ("KEY", 0),
        "NCRYPT_HASH_HANDLE" => ("HASH", 0),
        "NCRYPT_HANDLE" => ("OBJ", 0),
        "LPCWSTR" => ("WSTR", 0),
        "DWORD" => ("u32", 0),
        "WORD" => ("u16", 0),
        "WCHAR" => ("u16", 0),
        "ULONGLONG" => ("u64", 0),
        "PVOID" => ("void", 1),
        "PBYTE" => ("u8", 1),
        "PCHAR" => ("char", 1),
        "PNCryptBufferDesc" => ("BUFDESC", 1),
        "PCCERT_CONTEXT" => ("CERT_CONTEXT", 1),
        other => (other, 0),
    };
    format!("{base}{}", "*".repeat(stars + more))
}

fn declarations(header: &str) -> Vec<Declaration> {
    header
        .split("\nSSLP_API ")
        .skip(1)
        .map(|text| {
            let (head, rest) = text.split_once('(').unwrap();
            let (result, name) = head.split_once(" WINAPI ").unwrap();
            let (parameters, _) = rest.split_once(");").unwrap();
            let parameters = parameters.split(',').map(|parameter| {
                let parameter = parameter.trim();
                let name = parameter.rfind([' ', '*']).unwrap() + 1;
                (parameter[..name].trim().to_owned(), parameter[name..].to_owned())
            });
            Declaration {
                result: result.to_owned(),
                name: name.to_owned(),
                parameters: parameters.collect(),
            }
        })
        .collect()
}

/// The number in the value of a `#define`, as it is written.
fn literal(value: &str) -> &str {
    let value = value.strip_prefix("SSLP_STATUS(").map_or(value, |v| v.trim_end_matches(')'));
    value.trim_end_matches('u')
}

fn number(defined: &BTreeMap<&str, Vec<&str>>, name: &str) -> Option<u32> {
    let value = literal(values(defined, name).last()?);
    match value.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => value.parse().ok(),
    }
}

/// The values of a name, or of the name that it stands for.
fn values<'a>(defined: &BTreeMap<&str, Vec<&'a str>>, name: &str) -> Vec<&'a str> {
    match defined.get(name).map(Vec::as_slice) {
        Some([other]) if defined.contains_key(other) => values(defined, other),
        Some(values) => values.to_vec(),
        None => Vec::new(),
    }
}

/// Every `#define`, with its values in the order of the header. Continued lines are joined.
fn definitions(header: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in header.lines().filter_map(|line| line.strip_prefix("#define ")) {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        found.entry(name).or_default().push(value.trim());
    }
    found
}

/// The source files beside the root of the crate.
fn sources() -> impl Iterator<Item = String> {
    let paths = fs::read_dir(in_crate("src")).unwrap().map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
}

/// Names and documentation of the exports in a source file, as plain text.
fn contracts(source: &str) -> Vec<(String, String)> {
    source
        .split("\nexport! {\n")
        .skip(1)
        .map(|text| {
            let (documentation, rest) = text.split_once("\n    fn ").unwrap();
            let words = documentation.split_whitespace().filter(|word| *word != "///");
            let plain = words.collect::<Vec<_>>().join(" ").replace(['`', '[', ']'], "");
            (rest.split([' ', '(']).next().unwrap().to_owned(), plain)
        })
        .collect()
}

/// Names and numbers of arguments of the exports in a source file.
fn exports(source: &str) -> Vec<(String, usize)> {
    source
        .split("\nexport! {\n")
        .skip(1)
        .map(|text| {
            let (_, text) = text.split_once("\n    fn ").unwrap();
            let (head, rest) = text.split_once('(').unwrap();
            let (arguments, _) = rest.split_once(')').unwrap();
            let name = head.split(' ').next().unwrap();
            (name.to_owned(), arguments.matches(": ").count())
        })
        .collect()
}

/// The prototypes of the sheet, in the notation of the list.
fn sheet_prototypes(sheet: &str) -> Vec<String> {
    sheet
        .split("```text\n")
        .skip(1)
        .filter_map(|block| block.split_once("\n)\n```"))
        .map(|(prototype, _)| {
            let (head, parameters) = prototype.split_once("(\n").unwrap();
            let parameters: Vec<String> = parameters.lines().map(sheet_parameter).collect();
            format!("{head}({})", parameters.join(", "))
        })
        .collect()
}

/// A suite or an error code of a table of the sheet: its name, and its number.
fn sheet_number(line: &str) -> Option<String> {
    let mut columns = line.strip_prefix("| ")?.split(" | ");
    let (number, _, name) = (columns.next()?, columns.next()?, columns.next()?);
    let is_ours = ["TLS_", "SSL_CK_", "NTE_"].iter().any(|prefix| name.starts_with(prefix));
    (number.starts_with("0x") && is_ours).then(|| format!("{name} {number}"))
}

/// `   3. out{*pcbOutput}   u8** ppbOutput` without its number and direction.
fn sheet_parameter(line: &str) -> String {
    let (_, rest) = line.split_once(". ").unwrap();
    let rest = match (rest.find('{'), rest.find('}')) {
        (Some(open), Some(close)) if !rest[..open].contains(' ') => &rest[close + 1..],
        _ => rest.split_once(' ').unwrap().1,
    };
    rest.trim().replace("u16 const* (WSTR)", "WSTR").replace("CERT_CONTEXT const*", "CERT_CONTEXT*")
}

/// The header, each definition in one line.
fn header() -> String {
    let header = text("include/sslprovider.h");
    let mut joined = String::with_capacity(header.len());
    let mut continues = false;
    for line in header.lines() {
        let line = if continues { line.trim_start() } else { line };
        let continued = line.strip_suffix('\\');
        joined.push_str(continued.map_or(line, str::trim_end));
        joined.push(if continued.is_some() { ' ' } else { '\n' });
        continues = continued.is_some();
    }
    joined
}

fn text(path: &str) -> String {
    fs::read_to_string(in_crate(path)).unwrap()
}

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
