//! Backend of ssl-provider on OpenSSL.
