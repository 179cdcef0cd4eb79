"""The records of TLS 1.3, read strictly: what the planted server and client have in common."""

from attack.planted.strict import Fatal, Gone, check
from attack.protection import CannotOpen
from attack.tls13.peer import Peer
from attack.wire import HEADER, MAX_FRAGMENT, Alert, ContentType, HandshakeType

_LONGEST = 1 << 16
"""Bytes of a message, at most."""
_MOST_SKIPPED = 1 << 19
"""Bytes of early data that are passed over, at most."""


class Strict(Peer):
    """A side that refuses what it must refuse. Faults stand in for its methods."""

    state = ""
    """The message that is due, or `open`."""
    skips = False
    """Whether records that do not open are early data that is refused."""
    skipped = 0

    # Records.

    def _read_record(self, until: float) -> bool:
        self._check_header()
        return super()._read_record(until)

    def _receive(self, until: float) -> bool:
        received = super()._receive(until)
        self._check_header()
        return received

    def _check_header(self) -> None:
        """The header says how long a record is; the rest need not come."""
        if len(self._received) >= HEADER:
            protected = bool(self.reads) and self._received[0] == ContentType.APPLICATION_DATA
            most = MAX_FRAGMENT + (256 if protected or self.skips else 0)
            length = int.from_bytes(self._received[3:5], "big")
            check(length <= self.longest_record(most), Alert.RECORD_OVERFLOW)

    def longest_record(self, most: int) -> int:
        return most

    def _take(self, content_type: int, version: int, fragment: bytes) -> None:
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            self.take_change_cipher_spec(fragment)
            return
        if self.reads:
            check(content_type == ContentType.APPLICATION_DATA, Alert.UNEXPECTED_MESSAGE)
            header = bytes([content_type]) + version.to_bytes(2, "big")
            try:
                inner = self._open(header + len(fragment).to_bytes(2, "big"), fragment)
            except CannotOpen as reason:
                self.skip(fragment, Alert.BAD_RECORD_MAC, reason)
                return
            self.opened()
            self.check_length(inner)
            content_type, fragment = self.unpadded(inner)
        elif content_type == ContentType.APPLICATION_DATA:
            self.skip(fragment, Alert.UNEXPECTED_MESSAGE, None)
            return
        self.take_content(content_type, fragment)

    def skip(self, fragment: bytes, alert: int, reason: Exception | None) -> None:
        """Passes over early data (section 4.2.10)."""
        self.skipped += len(fragment)
        if not self.skips or self.skipped > _MOST_SKIPPED:
            raise Fatal(alert) from reason

    def opened(self) -> None:
        self.skips = False

    def check_length(self, inner: bytes) -> None:
        check(len(inner) <= MAX_FRAGMENT + 1, Alert.RECORD_OVERFLOW)

    def unpadded(self, inner: bytes) -> tuple[int, bytes]:
        """The type and the content."""
        content = inner.rstrip(b"\0")
        check(bool(content), Alert.UNEXPECTED_MESSAGE)
        return content[-1], content[:-1]

    def take_change_cipher_spec(self, fragment: bytes) -> None:
        """Drops it, where it may come (section 5)."""
        self.check_change_content(fragment)
        self.check_change_place()
        check(not self._messages, Alert.UNEXPECTED_MESSAGE)

    def check_change_content(self, fragment: bytes) -> None:
        check(fragment == b"\1", Alert.UNEXPECTED_MESSAGE)

    def check_change_place(self) -> None:
        check(self.state not in ("open", "first hello"), Alert.UNEXPECTED_MESSAGE)

    def take_content(self, content_type: int, content: bytes) -> None:
        if content_type == ContentType.HANDSHAKE:
            self.check_not_empty(content)
            self.take_messages(content)
            return
        check(not self._messages, Alert.UNEXPECTED_MESSAGE)
        if content_type == ContentType.ALERT:
            self.check_not_empty(content)
            check(len(content) == 2, Alert.DECODE_ERROR)
            self.take_alert(content)
        elif content_type == ContentType.APPLICATION_DATA and self.may_have_data():
            self.took_data(content)
        else:
            self.unexpected()

    def check_not_empty(self, content: bytes) -> None:
        check(bool(content), Alert.UNEXPECTED_MESSAGE)

    def take_alert(self, content: bytes) -> None:
        """Every alert ends the connection (section 6)."""
        self.alerts = content
        raise Gone

    def may_have_data(self) -> bool:
        return self.state == "open"

    def unexpected(self) -> None:
        raise Fatal(Alert.UNEXPECTED_MESSAGE)

    # Messages.

    def take_messages(self, content: bytes) -> None:
        self._messages += content
        while len(self._messages) >= 4:
            length = int.from_bytes(self._messages[1:4], "big")
            check(length < _LONGEST, Alert.DECODE_ERROR)
            if len(self._messages) < 4 + length:
                break
            encoded, self._messages = self._messages[: 4 + length], self._messages[4 + length :]
            self._raw = encoded
            self.take_message(encoded[0], encoded[4:])

    def take_message(self, kind: int, body: bytes) -> str:
        """One after another; what is not due is unexpected."""
        if kind == HandshakeType.KEY_UPDATE and self.may_update():
            self.take_key_update(body)
        elif kind in self.due():
            self.due()[kind](body)
        else:
            self.unexpected()
        return ""

    def due(self) -> dict:
        """The messages that may come, and what takes them."""
        raise NotImplementedError

    def noted_message(self) -> None:
        """Adds the last message to the transcript."""
        self.transcript += self._raw

    def may_update(self) -> bool:
        return self.state == "open"

    def take_key_update(self, body: bytes) -> None:
        check(len(body) == 1, Alert.DECODE_ERROR)
        self.check_update(body[0])
        self.check_boundary()
        self.reads = [self.reads[0].updated()]
        if body[0] == 1:
            self.key_update()

    def check_update(self, value: int) -> None:
        check(value < 2, Alert.ILLEGAL_PARAMETER)

    def check_boundary(self) -> None:
        """No message spans a change of keys (section 5.1)."""
        check(not self._messages, Alert.UNEXPECTED_MESSAGE)

    def change_reads(self, *secrets: bytes) -> None:
        self.check_boundary()
        self.reads = [self.protection(secret) for secret in secrets]

    def check_finished(self, right: bytes, body: bytes) -> None:
        check(len(right) == len(body), Alert.DECODE_ERROR)
        check(self.are_equal(right, body), Alert.DECRYPT_ERROR)

    def are_equal(self, right: bytes, body: bytes) -> bool:
        return right == body
