//! Records: each is read with fresh keys, and written again where that gives the same bytes.

use ssl_provider::{CipherMode, Error, Provider, RecordKey, RecordOptions, WriteKeys};
use ssl_provider_testkit::corpus::{Class, RecordGroup, RecordTest, Verdict};

use super::{Answer, Fault, Verify, same, same_as, suite, version};

impl Verify for RecordGroup {
    fn verify(&self, provider: &Provider) -> Vec<Answer> {
        self.tests.iter().map(|test| record(provider, self, test)).collect()
    }
}

fn key(provider: &Provider, group: &RecordGroup) -> Result<RecordKey, Error> {
    let connection =
        provider.security_parameters(version(group.version), suite(group.suite_number))?;
    let options = RecordOptions { encrypt_then_mac: group.encrypt_then_mac };
    let keys = WriteKeys {
        mac_key: &group.mac_key,
        write_key: &group.write_key,
        write_iv: &group.write_iv,
    };
    RecordKey::new(&connection, options, keys)
}

fn record(provider: &Provider, group: &RecordGroup, test: &RecordTest) -> Answer {
    let mut reader = key(provider, group)?;
    let number = test.sequence_number.0;
    let before = u64::try_from(test.preceding.len()).unwrap_or(u64::MAX);
    let first = number
        .checked_sub(before)
        .ok_or_else(|| Fault::Wrong("more preceding records than numbers".to_owned()))?;
    for (number, record) in (first..).zip(&test.preceding) {
        open(&mut reader, number, record)?;
    }
    match (test.result, open(&mut reader, number, &test.record)) {
        (Verdict::Valid, opened) => {
            same_as("plaintext", test.plaintext.as_ref(), &opened?)?;
            write_again(provider, group, test)
        }
        (Verdict::Invalid, Err(error)) => {
            let expected = match test.class {
                Some(Class::RecordOverflow) => Error::RecordOverflow,
                _ => Error::BadRecord,
            };
            if error == expected {
                return Ok(());
            }
            Err(Fault::Wrong(format!("expected the error `{expected}`, got `{error}`")))
        }
        (Verdict::Invalid, Ok(_)) => Err(Fault::Wrong("the record was accepted".to_owned())),
    }
}

fn open(key: &mut RecordKey, number: u64, record: &[u8]) -> Result<Vec<u8>, Error> {
    let mut payload = vec![0; key.max_payload_len(record.len())];
    let len = key.decrypt_packet(number, record, &mut payload)?;
    payload.truncate(len);
    Ok(payload)
}

/// Writes the record of an ordinary test: the same bytes, unless it carries a random IV.
fn write_again(provider: &Provider, group: &RecordGroup, test: &RecordTest) -> Answer {
    let cipher = suite(group.suite_number).info().map(|info| info.cipher);
    let is_random = cipher.is_none_or(|cipher| cipher.mode == CipherMode::Cbc)
        && version(group.version).has_explicit_iv();
    let is_ordinary = test.flags.iter().any(|flag| flag == "Normal");
    let Some(plaintext) = test.plaintext.as_ref().filter(|_| is_ordinary && !is_random) else {
        return Ok(());
    };
    let mut writer = key(provider, group)?;
    let mut record = vec![0; writer.record_len(plaintext.len())?];
    let number = test.sequence_number.0;
    writer.encrypt_packet(number, test.content_type, plaintext, &mut record)?;
    same("record", &test.record, &record)
}
