//! Backend of ssl-provider on ring, composed with RustCrypto for RSA and MD5.
