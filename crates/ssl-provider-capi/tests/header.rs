//! The header against everything that it must agree with: the exports, the constants, and the lists
//! `declarations.txt` and `numbers.txt`; these against the sheet of facts that they are from.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ssl_provider_testkit::loud::not_tested;
use ssl_provider_testkit::vectors;
use sslprovider::abi::{NUMBERS, STATUSES, STRINGS};

/// What the header declares beyond the interface, by name.
const KEY_STORAGE_AND_EXTENSIONS: [&str; 6] = [
    "NCryptExportKey",
    "NCryptFreeObject",
    "NCryptImportKey",
    "NCryptOpenStorageProvider",
    "SslProviderCountLive",
    "SslProviderSetTrace",
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
    for file in fs::read_dir(in_crate("src")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            exported.extend(exports(&fs::read_to_string(path).unwrap()));
        }
    }
    assert_eq!(declared, exported);
}

#[test]
fn every_constant_of_the_header_is_a_constant_here_and_the_reverse() {
    let header = header();
    let defined = definitions(&header);
    let number = |name: &str| -> Option<u32> {
        let value = literal(defined.get(name)?.last()?);
        match value.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => value.parse().ok(),
        }
    };
    for (name, value) in NUMBERS {
        assert_eq!(number(name), Some(*value), "{name}");
    }
    for (name, value) in STATUSES {
        assert_eq!(number(name), Some(value.cast_unsigned()), "{name}");
    }
    for (name, text) in STRINGS {
        let characters: Vec<String> = text.chars().map(|each| format!("'{each}'")).collect();
        let notations =
            [format!("u\"{text}\""), format!("((const WCHAR[]){{{}, 0}})", characters.join(", "))];
        assert_eq!(
            defined.get(name).map(Vec::as_slice),
            Some(&notations.each_ref().map(String::as_str)[..]),
            "{name}"
        );
    }
    let known = NUMBERS.len() + STATUSES.len() + STRINGS.len();
    let own = ["SSLPROVIDER_H", "WINAPI", "SSLP_API", "SSLP_STATUS(code)"];
    let foreign: Vec<_> = defined.keys().filter(|name| !own.contains(name)).collect();
    assert_eq!(foreign.len(), known, "a name too many in the header: {foreign:?}");
}

#[test]
fn suites_and_error_codes_of_the_header_have_the_numbers_of_the_list() {
    let (header, listed) = (header(), text("tests/numbers.txt"));
    let defined = definitions(&header);
    for line in listed.lines() {
        let (name, number) = line.split_once(' ').unwrap();
        let ours = defined.get(name).and_then(|values| values.last()).unwrap_or(&"");
        assert_eq!(literal(ours), number, "{name}");
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

/// Every `#define`, with its values in the order of the header. Continued lines are joined.
fn definitions(header: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in header.lines().filter_map(|line| line.strip_prefix("#define ")) {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        found.entry(name).or_default().push(value.trim());
    }
    found
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
