//! The status codes that the interface returns, in both number spaces that its pages use.
//! The mapping from our errors is in [`crate::error`], in one place.

use std::fmt;

/// A `SECURITY_STATUS`: zero for success, negative for failure.
///
/// It holds NTE and NTSTATUS values, known and unknown, because the documented interface returns
/// from both spaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct SecurityStatus(pub i32);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl SecurityStatus {
            $($(#[$doc])* pub const $name: Self = Self(u32::cast_signed($code));)*

            /// Every status that has a name here, with that name.
            pub const NAMED: &[(Self, &str)] = &[$((Self::$name, stringify!($name)),)*];
        }
    };
}

statuses! {
    /// Success.
    ERROR_SUCCESS = 0x0000_0000;
    /// The key is not valid.
    NTE_BAD_KEY = 0x8009_0003;
    /// A length is not valid.
    NTE_BAD_LEN = 0x8009_0004;
    /// The data is not valid.
    NTE_BAD_DATA = 0x8009_0005;
    /// The signature is not valid.
    NTE_BAD_SIGNATURE = 0x8009_0006;
    /// The flags are not valid.
    NTE_BAD_FLAGS = 0x8009_0009;
    /// The type is not valid.
    NTE_BAD_TYPE = 0x8009_000A;
    /// Memory ran out.
    NTE_NO_MEMORY = 0x8009_000E;
    /// The caller may not do this.
    NTE_PERM = 0x8009_0010;
    /// The object was not found.
    NTE_NOT_FOUND = 0x8009_0011;
    /// The provider library was not found.
    NTE_PROV_DLL_NOT_FOUND = 0x8009_001E;
    /// An internal failure.
    NTE_FAIL = 0x8009_0020;
    /// The handle is not valid.
    NTE_INVALID_HANDLE = 0x8009_0026;
    /// A parameter is not valid.
    NTE_INVALID_PARAMETER = 0x8009_0027;
    /// The buffer is too small for the output.
    NTE_BUFFER_TOO_SMALL = 0x8009_0028;
    /// The operation is not supported.
    NTE_NOT_SUPPORTED = 0x8009_0029;
    /// The enumeration is at its end.
    NTE_NO_MORE_ITEMS = 0x8009_002A;
    /// Input and output overlap in a way that is not allowed.
    NTE_BUFFERS_OVERLAP = 0x8009_002B;
    /// A record could not be decrypted.
    NTE_DECRYPTION_FAILURE = 0x8009_002C;
    /// An internal error of the provider.
    NTE_INTERNAL_ERROR = 0x8009_002D;
    /// The device is not ready.
    NTE_DEVICE_NOT_READY = 0x8009_0030;
    /// The NTSTATUS for a handle that is not valid.
    STATUS_INVALID_HANDLE = 0xC000_0008;
    /// The NTSTATUS for memory that ran out.
    STATUS_NO_MEMORY = 0xC000_0017;
}

impl SecurityStatus {
    /// Whether the call succeeded.
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// The status as the unsigned number that the headers print.
    pub const fn code(self) -> u32 {
        self.0.cast_unsigned()
    }

    /// The name in the headers, where this crate knows it.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(status, _)| *status == self).map(|(_, name)| *name)
    }
}

impl fmt::Display for SecurityStatus {
    /// Writes the number as eight hex digits: `0x80090026`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.code())
    }
}

impl fmt::Debug for SecurityStatus {
    /// Writes name and number: `NTE_INVALID_HANDLE (0x80090026)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({self})"),
            None => write!(f, "unknown status ({self})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_negative_and_success_is_zero() {
        for (status, name) in SecurityStatus::NAMED {
            assert_eq!(status.is_success(), *name == "ERROR_SUCCESS", "{name}");
        }
        assert_eq!(SecurityStatus::NTE_INVALID_HANDLE.0, -2_146_893_786);
    }

    #[test]
    fn unknown_values_are_kept_and_shown() {
        let status = SecurityStatus(0xC000_A002_u32.cast_signed());
        assert_eq!(format!("{status:?} {status}"), "unknown status (0xc000a002) 0xc000a002");
        assert_eq!(format!("{:?}", SecurityStatus::NTE_BAD_FLAGS), "NTE_BAD_FLAGS (0x80090009)");
    }
}
