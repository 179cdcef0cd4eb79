//! How a connection of the proxy ended, for its log and its metrics.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use ssl_provider::{CipherSuiteInfo, ProtocolVersion};

/// Why a connection ended. Each has one name in JSON and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The client closed its side first.
    ClosedByClient,
    /// The device sent `close_notify`.
    ClosedByDevice,
    /// The device closed the socket without `close_notify`.
    CutOffByDevice,
    /// Nothing moved for too long.
    Idle,
    /// The proxy was stopped, and the time to end was over.
    Stopped,
    /// The handshake with the client failed.
    ClientTls,
    /// The client's handshake took too long.
    ClientTimedOut,
    /// The client's socket failed.
    ClientLost,
    /// The device cannot be connected to.
    DeviceUnreachable,
    /// The device was refused, such as for its certificate.
    DeviceRefused,
    /// The device sent a fatal alert.
    DeviceAlert,
    /// The device's handshake took too long.
    DeviceTimedOut,
    /// The device's socket failed or was closed during the handshake.
    DeviceLost,
    /// The proxy panicked while it served the connection, and goes on with the others.
    Panicked,
}

impl Reason {
    pub(super) const ALL: [Self; 14] = [
        Self::ClosedByClient,
        Self::ClosedByDevice,
        Self::CutOffByDevice,
        Self::Idle,
        Self::Stopped,
        Self::ClientTls,
        Self::ClientTimedOut,
        Self::ClientLost,
        Self::DeviceUnreachable,
        Self::DeviceRefused,
        Self::DeviceAlert,
        Self::DeviceTimedOut,
        Self::DeviceLost,
        Self::Panicked,
    ];

    /// The name in JSON and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClosedByClient => "closed_by_client",
            Self::ClosedByDevice => "closed_by_device",
            Self::CutOffByDevice => "cut_off_by_device",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
            Self::ClientTls => "client_tls",
            Self::ClientTimedOut => "client_timed_out",
            Self::ClientLost => "client_lost",
            Self::DeviceUnreachable => "device_unreachable",
            Self::DeviceRefused => "device_refused",
            Self::DeviceAlert => "device_alert",
            Self::DeviceTimedOut => "device_timed_out",
            Self::DeviceLost => "device_lost",
            Self::Panicked => "panicked",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::ClosedByClient => "closed by the client",
            Self::ClosedByDevice => "closed by the device",
            Self::CutOffByDevice => "closed by the device, without close_notify",
            Self::Idle => "idle for too long",
            Self::Stopped => "the proxy was stopped",
            Self::ClientTls => "TLS with the client failed",
            Self::ClientTimedOut => "the client timed out",
            Self::ClientLost => "the client is gone",
            Self::DeviceUnreachable => "the device cannot be reached",
            Self::DeviceRefused => "the device was refused",
            Self::DeviceAlert => "the device refused the connection",
            Self::DeviceTimedOut => "the device timed out",
            Self::DeviceLost => "the device is gone",
            Self::Panicked => "the proxy panicked, which is a bug, and goes on",
        }
    }

    /// Returns whether the client is to see a failure: a fatal alert, or without TLS a reset. The
    /// others end with the close of the socket, which a client with TLS can tell from
    /// `close_notify`.
    pub(super) fn is_failure(self) -> bool {
        match self {
            Self::ClosedByClient
            | Self::ClosedByDevice
            | Self::CutOffByDevice
            | Self::Idle
            | Self::Stopped => false,
            Self::ClientTls
            | Self::ClientTimedOut
            | Self::ClientLost
            | Self::DeviceUnreachable
            | Self::DeviceRefused
            | Self::DeviceAlert
            | Self::DeviceTimedOut
            | Self::DeviceLost
            | Self::Panicked => true,
        }
    }
}

/// What was negotiated with the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    pub(super) version: ProtocolVersion,
    pub(super) suite: &'static CipherSuiteInfo,
    pub(super) is_resumed: bool,
}

/// A connection that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) peer: SocketAddr,
    /// The version of TLS with the client, if it speaks any.
    pub(super) client_version: Option<&'static str>,
    /// What was spoken with the device, if it came so far.
    pub(super) spoken: Option<Spoken>,
    /// Bytes of data.
    pub(super) to_device: u64,
    pub(super) to_client: u64,
    pub(super) duration: Duration,
    pub(super) reason: Reason,
    /// More about the reason.
    pub(super) detail: Option<String>,
    /// The option that may help.
    pub(super) advice: Option<String>,
}

impl Ended {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "event": "ended",
            "peer": self.peer.to_string(),
            "client_version": self.client_version,
            "version": self.spoken.map(|it| it.version.to_string()),
            "suite": self.spoken.map(|it| it.suite.name),
            "resumed": self.spoken.map(|it| it.is_resumed),
            "bytes_to_device": self.to_device,
            "bytes_to_client": self.to_client,
            "milliseconds": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            "reason": self.reason.name(),
            "failed": self.reason.is_failure(),
            "detail": self.detail,
            "advice": self.advice,
        })
    }

    pub(super) fn to_text(&self) -> String {
        let spoken = match self.spoken {
            Some(Spoken { version, suite, is_resumed }) => {
                let resumed = if is_resumed { ", resumed" } else { "" };
                format!("{version}, {}{resumed}; ", suite.name)
            }
            None => String::new(),
        };
        let detail = self.detail.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let advice = self.advice.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
        format!(
            "{}: {spoken}{} bytes to the device, {} to the client, {:.3} s; {}{detail}{advice}",
            self.peer,
            self.to_device,
            self.to_client,
            self.duration.as_secs_f64(),
            self.reason.text(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own_and_stands_in_the_order_of_its_number() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let same = Reason::ALL.iter().filter(|other| other.name() == reason.name());
            assert_eq!(same.count(), 1, "{}", reason.name());
        }
    }
}
