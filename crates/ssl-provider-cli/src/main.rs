//! The command `sslprov`.

fn main() {}
