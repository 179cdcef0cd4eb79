//! Backend of ssl-provider on AWS-LC.
