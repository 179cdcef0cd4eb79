//! Which cells are run. The whole product of versions, suites, groups, client certificates, ways of
//! resumption, extensions and backends has some 10,000 cells for a stack; so
//!
//! - every pair of values that can occur together is met: by a cell that works, if there is one
//!   that the stack and the backend support, else by one that must be refused; in TLS 1.3 and in
//!   what was before it each by itself;
//! - in addition, with stacks as clients, every suite with RSA key exchange in every version, with
//!   and without both extensions, on every backend.

use std::array;
use std::collections::{BTreeSet, HashMap};

use crate::interop::cell::{
    Cell, Cipher, ClientCertificate, Exchange, Extra, Group, Mac, Resumption, SUITES, Suite,
    Version,
};
use crate::interop::stacks::{Role, Stack};

/// A value of one dimension of a cell.
type Value = (usize, u64);

/// The number of dimensions.
const DIMENSIONS: usize = 10;

impl Cell {
    /// Returns the values of the cell, one for each dimension.
    pub(crate) fn values(&self) -> [Value; DIMENSIONS] {
        let backend = self.backend.bytes().fold(0, |all, byte| all << 7 | u64::from(byte));
        let values = [
            self.version as u64,
            self.suite.id.into(),
            self.group.map_or(0, |group| group as u64),
            self.client_certificate as u64,
            self.resumption as u64,
            self.extended_master_secret.into(),
            self.encrypt_then_mac.into(),
            backend,
            self.retried.into(),
            self.extra as u64,
        ];
        array::from_fn(|dimension| (dimension, values.get(dimension).copied().unwrap_or_default()))
    }

    /// Returns the pairs of its values, among them each value with itself.
    fn pairs(&self) -> Vec<(Value, Value)> {
        let values = self.values();
        let mut pairs = Vec::with_capacity(DIMENSIONS * (DIMENSIONS + 1) / 2);
        for (index, one) in values.iter().enumerate() {
            pairs.extend(values.iter().skip(index).map(|other| (*one, *other)));
        }
        pairs
    }

    /// Whether the short run has it: one suite in every version, one AEAD suite, and of what the
    /// peer may offer all or nothing.
    fn is_in_smoke(&self) -> bool {
        if self.is_tls13() {
            return self.is_in_tls13_smoke();
        }
        let suite = matches!(
            (self.suite.cipher, self.suite.mac),
            (Cipher::AES_128_CBC, Mac::SHA1) | (Cipher::AES_128_GCM, _)
        );
        suite && (self.extended_master_secret == self.encrypt_then_mac || !self.suite.is_cbc())
    }

    /// The same in TLS 1.3: one cell with a ticket, and one without.
    fn is_in_tls13_smoke(&self) -> bool {
        self.suite.cipher == Cipher::AES_128_GCM
            && self.group == Some(Group::X25519)
            && self.client_certificate == ClientCertificate::None
            && self.resumption != Resumption::ExternalPsk
            && !self.retried
            && self.extra == Extra::Nothing
    }
}

/// Returns the cells of a stack: those that must work first, then those that must be refused,
/// as `is_refused` knows. A short run has those of TLS 1.3 on one backend only.
pub(crate) fn cells_of(
    stack: &Stack,
    backends: &[&'static str],
    smoke: bool,
    is_refused: impl Fn(&Cell) -> bool,
) -> Vec<Cell> {
    let mut domain = domain(stack, backends);
    if smoke {
        let first = backends.first();
        domain.retain(|cell| {
            cell.is_in_smoke() && (!cell.is_tls13() || first == Some(&cell.backend))
        });
    }
    let mut cells = Vec::new();
    let mut refused_cells = Vec::new();
    for is_tls13 in [false, true] {
        let of_age = domain.iter().copied().filter(|cell| cell.is_tls13() == is_tls13);
        let (mut refused, able): (Vec<_>, Vec<_>) = of_age.partition(&is_refused);
        let (chosen, met) = cover(&able);
        if stack.role == Role::Client && !smoke && !is_tls13 {
            let whole = able.iter().filter(|cell| is_in_rsa_table(stack, cell)).copied();
            cells.extend(whole.filter(|cell| !chosen.contains(cell)));
        }
        cells.extend(chosen);
        // Of several that would do, one that the stack refuses, not this backend: it may have no
        // hybrid groups.
        refused.sort_by_key(|cell| is_tls13 && cell.backend == "openssl");
        refused_cells.extend(refusals(&refused, &met));
    }
    cells.extend(refused_cells);
    cells
}

/// Every cell that the protocol has. The plain values come first, since of several cells that would
/// do the first is taken.
pub(crate) fn domain(stack: &Stack, backends: &[&'static str]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &backend in backends {
        for version in stack.versions.iter().rev().copied() {
            for suite in suites_of(version) {
                cells.extend(match version {
                    Version::Tls1_3 => tls13_variants(stack, backend, suite),
                    older => variants(stack, backend, older, suite),
                });
            }
        }
    }
    cells
}

/// Returns the cells of a suite in TLS 1.3. Pre-shared keys stand for certificates; a client that
/// is asked for another public key has lost its early data (RFC 8446 section 4.2.10).
fn tls13_variants(stack: &Stack, backend: &'static str, suite: &'static Suite) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &group in suite.groups() {
        for client_certificate in ClientCertificate::ALL {
            for resumption in [Resumption::Ticket, Resumption::None, Resumption::ExternalPsk] {
                for retried in [false, true] {
                    for extra in Extra::ALL {
                        let has_certificate = client_certificate != ClientCertificate::None;
                        let fits = !(has_certificate && resumption == Resumption::ExternalPsk);
                        let may_be_early = resumption == Resumption::Ticket && !retried;
                        // A client of ours sends one of a finite field and one of a curve.
                        let is_field = group == Some(Group::Ffdhe2048);
                        // JSSE drops the leading zeros of the secret, which TLS 1.3 keeps (RFC 8446
                        // section 7.4.1): one connection in 256 fails.
                        let retries = !is_field || !retried && stack.key != "jsse";
                        if fits && retries && (extra != Extra::EarlyData || may_be_early) {
                            cells.push(Cell {
                                backend,
                                version: Version::Tls1_3,
                                suite,
                                group,
                                client_certificate,
                                resumption,
                                extended_master_secret: true,
                                encrypt_then_mac: false,
                                retried,
                                extra,
                            });
                        }
                    }
                }
            }
        }
    }
    // With what most stacks have first: of several cells that would do the first is taken.
    cells.sort_by_key(|cell| !stack.resumptions.contains(&cell.resumption));
    cells
}

/// The suites of a version, those that every stack has first.
fn suites_of(version: Version) -> impl Iterator<Item = &'static Suite> {
    let is_plain = |suite: &&Suite| suite.cipher == Cipher::AES_128_CBC && suite.mac == Mac::SHA1;
    let plain = SUITES.iter().filter(is_plain);
    let other = SUITES.iter().filter(move |suite| !is_plain(suite));
    plain.chain(other).filter(move |suite| suite.exists_in(version))
}

/// Returns the cells of a suite in a version. SSL 3.0 has no extensions, and so no tickets and no
/// groups; `sslprov serve` takes no client certificate in it.
fn variants(
    stack: &Stack,
    backend: &'static str,
    version: Version,
    suite: &'static Suite,
) -> Vec<Cell> {
    let is_ssl3 = version == Version::Ssl3;
    let of_client = stack.role == Role::Client;
    let groups = match suite.groups() {
        groups if is_ssl3 && of_client => &groups[..1],
        groups => groups,
    };
    let certificates = match is_ssl3 && of_client {
        true => &ClientCertificate::ALL[..1],
        false => &ClientCertificate::ALL[..],
    };
    let flags = |values: &'static [bool]| if is_ssl3 { &[false] } else { values };
    let extended_master_secrets = flags(stack.extended_master_secret.values());
    // Offered even where it has no effect, to check that the other side declines it.
    let encrypt_then_macs = match flags(stack.encrypt_then_mac.values()) {
        values if suite.is_cbc() => values,
        values => &values[..1],
    };
    let mut cells = Vec::new();
    for &group in groups {
        for &client_certificate in certificates {
            for resumption in resumptions(stack, version) {
                for &extended_master_secret in extended_master_secrets {
                    for &encrypt_then_mac in encrypt_then_macs {
                        cells.push(Cell {
                            backend,
                            version,
                            suite,
                            group,
                            client_certificate,
                            resumption,
                            extended_master_secret,
                            encrypt_then_mac,
                            retried: false,
                            extra: Extra::Nothing,
                        });
                    }
                }
            }
        }
    }
    cells
}

/// The ways of resumption, those of the stack first. With our own client, whose second connection
/// is the one that carries data, also a single connection.
fn resumptions(stack: &Stack, version: Version) -> Vec<Resumption> {
    let single = stack.role == Role::Server || stack.resumptions.is_empty();
    let all = [Resumption::Id, Resumption::Ticket].into_iter();
    let mut all: Vec<_> = all.chain(single.then_some(Resumption::None)).collect();
    all.sort_by_key(|it| !stack.resumptions.contains(it) && *it != Resumption::None);
    all.retain(|it| version != Version::Ssl3 || *it != Resumption::Ticket);
    all
}

/// Whether the table of the suites with RSA key exchange has the cell.
fn is_in_rsa_table(stack: &Stack, cell: &Cell) -> bool {
    cell.suite.exchange == Exchange::Rsa
        && cell.client_certificate == ClientCertificate::None
        && resumptions(stack, cell.version).first() == Some(&cell.resumption)
}

/// Chooses cells so that every pair of values among `cells` is met, and returns also the pairs.
/// Greedy: a cell that meets many new pairs is taken before one that meets few.
fn cover(cells: &[Cell]) -> (Vec<Cell>, BTreeSet<(Value, Value)>) {
    let mut numbers = HashMap::new();
    let mut number = |pair| {
        let next = numbers.len();
        *numbers.entry(pair).or_insert(next)
    };
    let pairs: Vec<Vec<usize>> =
        cells.iter().map(|cell| cell.pairs().into_iter().map(&mut number).collect()).collect();
    let mut is_met = vec![false; numbers.len()];
    // How many new pairs each cell had when they were last counted; it never has more.
    let mut most: Vec<usize> = pairs.iter().map(Vec::len).collect();
    let mut chosen = Vec::new();
    for enough in (1..=DIMENSIONS * (DIMENSIONS + 1) / 2).rev() {
        for ((cell, pairs), most) in cells.iter().zip(&pairs).zip(&mut most) {
            if *most < enough {
                continue;
            }
            *most = pairs.iter().filter(|pair| is_met.get(**pair) == Some(&false)).count();
            if *most >= enough {
                for pair in pairs {
                    if let Some(is_met) = is_met.get_mut(*pair) {
                        *is_met = true;
                    }
                }
                chosen.push(*cell);
            }
        }
    }
    (chosen, numbers.into_keys().collect())
}

/// Chooses cells that must be refused: one for each value that no working cell has, and for each
/// pair of values of which only the combination does not work. Suites are tried in every version.
fn refusals(refused: &[Cell], met: &BTreeSet<(Value, Value)>) -> Vec<Cell> {
    let works_alone = |value: Value| met.contains(&(value, value));
    let mut tried = BTreeSet::new();
    let mut chosen = Vec::new();
    for cell in refused {
        let is_new = |pair: &(Value, Value)| {
            let (one, other) = *pair;
            let is_suite_in_version = (one.0, other.0) == (0, 1);
            let is_smallest = one == other || works_alone(one) && works_alone(other);
            !met.contains(pair) && !tried.contains(pair) && (is_smallest || is_suite_in_version)
        };
        let new: Vec<_> = cell.pairs().into_iter().filter(is_new).collect();
        if !new.is_empty() {
            tried.extend(new);
            chosen.push(*cell);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::interop::stacks::{CLIENTS, SERVERS};

    /// More only take longer.
    const TWO: [&str; 2] = ["openssl", "ring"];

    fn able(stack: &Stack) -> impl Fn(&Cell) -> bool {
        |cell| stack.refusal(cell).is_none()
    }

    #[test]
    fn every_pair_of_values_is_met_by_a_cell_that_works_if_one_does() {
        for stack in CLIENTS.iter().chain(&SERVERS) {
            let able = able(stack);
            let chosen = cells_of(stack, &TWO, false, |cell| !able(cell));
            let met: BTreeSet<_> =
                chosen.iter().filter(|cell| able(cell)).flat_map(Cell::pairs).collect();
            let possible = domain(stack, &TWO);
            let possible: HashSet<_> =
                possible.iter().filter(|cell| able(cell)).flat_map(Cell::pairs).collect();
            for pair in possible {
                assert!(met.contains(&pair), "{}: {pair:?}", stack.name);
            }
            assert!(chosen.len() < 1000, "{}: {}", stack.name, chosen.len());
        }
    }

    #[test]
    fn what_a_stack_lacks_is_tried_in_every_version() {
        for stack in CLIENTS.iter().chain(&SERVERS) {
            let able = able(stack);
            let chosen = cells_of(stack, &TWO, false, |cell| !able(cell));
            for &version in stack.versions {
                for suite in suites_of(version) {
                    let is_here = |cell: &&Cell| cell.version == version && cell.suite == suite;
                    assert!(chosen.iter().any(|cell| is_here(&cell)), "{} {suite:?}", stack.name);
                }
            }
            let possible = domain(stack, &TWO);
            for group in Group::ALL {
                if !possible.iter().any(|cell| cell.group == Some(group)) {
                    continue;
                }
                let found = chosen.iter().any(|cell| cell.group == Some(group));
                assert!(found, "{}: {group:?}", stack.name);
            }
        }
    }

    #[test]
    fn a_smoke_run_is_short_and_has_every_version_and_key_exchange() {
        for stack in CLIENTS.iter().chain(&SERVERS) {
            let able = able(stack);
            let chosen = cells_of(stack, &["ring"], true, |cell| !able(cell));
            for &version in stack.versions {
                assert!(chosen.iter().any(|cell| cell.version == version), "{}", stack.name);
            }
            if stack.versions == [Version::Tls1_3] {
                continue;
            }
            let exchanges =
                [Exchange::Rsa, Exchange::EcdheRsa, Exchange::EcdheEcdsa, Exchange::DheRsa];
            for exchange in exchanges {
                assert!(chosen.iter().any(|cell| cell.suite.exchange == exchange));
            }
            assert!(chosen.len() < 50, "{}: {}", stack.name, chosen.len());
        }
    }
}
