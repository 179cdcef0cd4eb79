"""Three scanners that others use: robot-detect, sslyze and testssl.sh, and their verdicts."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 600.0
"""Seconds that a scanner may take."""


@dataclass
class Scan:
    """One verdict of a scanner."""

    tool: str
    check: str
    verdict: str
    failure: str | None = None


class _NoVerdict(Exception):
    """A scanner is missing, or it does not say what it found."""


def run(address: tuple[str, int]) -> list[Scan]:
    """Runs all three at a time; a scanner that is missing or gives no verdict is a failure."""
    with ThreadPoolExecutor(len(_SCANNERS)) as pool:
        found = pool.map(lambda tool: _scan(tool, address), _SCANNERS)
        return [scan for scans in found for scan in scans]


def _scan(tool: str, address: tuple[str, int]) -> list[Scan]:
    try:
        return list(_SCANNERS[tool](*address))
    except _NoVerdict as reason:
        return [Scan(tool, "run", "none", str(reason))]


def _judged(tool: str, check: str, verdict: str, clean: bool) -> Scan:
    return Scan(tool, check, verdict, None if clean else f"the verdict is `{verdict}`")


def _robot_detect(host: str, port: int) -> Iterator[Scan]:
    program = _beside_python("robot-detect")
    printed = _printed([program, "--port", str(port), host])
    verdict = next((line for line in printed.splitlines() if "VULNERABLE" in line), None)
    if verdict is None:
        raise _NoVerdict(f"it says nothing of a vulnerability: {printed[-500:].strip()}")
    yield _judged("robot-detect", "robot", verdict, verdict.startswith("NOT VULNERABLE"))


_SSLYZE_CHECKS: dict[str, tuple[str, object]] = {
    "robot": ("robot_result", "NOT_VULNERABLE_NO_ORACLE"),
    "heartbleed": ("is_vulnerable_to_heartbleed", False),
    "openssl_ccs_injection": ("is_vulnerable_to_ccs_injection", False),
    "tls_compression": ("supports_compression", False),
    "tls_fallback_scsv": ("supports_fallback_scsv", True),
    "session_renegotiation": ("is_vulnerable_to_client_renegotiation_dos", False),
}
"""What is looked at in the result of each check, and what it says of a clean server."""


def _sslyze(host: str, port: int) -> Iterator[Scan]:
    program = _beside_python("sslyze")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "result.json"
        checks = ["--robot", "--heartbleed", "--openssl_ccs", "--compression"]
        checks += ["--fallback", "--reneg", "--mozilla_config", "disable"]
        printed = _printed([program, *checks, "--json_out", str(path), "--quiet", f"{host}:{port}"])
        if not path.is_file():
            raise _NoVerdict(f"it leaves no result: {printed[-500:].strip()}")
        (scanned,) = json.loads(path.read_text())["server_scan_results"]
    results = scanned["scan_result"]
    if results is None:
        raise _NoVerdict(f"it cannot connect: {scanned['connectivity_error_trace']}")
    for check, (name, clean) in _SSLYZE_CHECKS.items():
        result = results[check]["result"]
        found = result[name] if result else results[check]["error_reason"]
        yield _judged("sslyze", check, str(found), found == clean)


_TESTSSL_CHECKS = {
    "heartbleed": "-H",
    "CCS": "-I",
    "ticketbleed": "-T",
    "ROBOT": "-BB",
    "secure_renego": "-R",
    "secure_client_renego": "-R",
    "CRIME_TLS": "-C",
    "POODLE_SSL": "-O",
    "DROWN": "-D",
}
"""The checks that a server with old versions can pass, and the option that asks for each.

BEAST, Lucky Thirteen, SWEET32 and RC4 are findings about what it offers on purpose.
"""


def _testssl(host: str, port: int) -> Iterator[Scan]:
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None:
        raise _NoVerdict("it is not installed; on Debian: apt-get install testssl.sh")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "result.json"
        options = ["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"]
        options += dict.fromkeys(_TESTSSL_CHECKS.values())
        printed = _printed([program, *options, "--jsonfile", str(path), f"{host}:{port}"])
        if not path.is_file():
            raise _NoVerdict(f"it leaves no result: {printed[-500:].strip()}")
        results = {result["id"]: result for result in json.loads(path.read_text())}
    for check in _TESTSSL_CHECKS:
        result = results.get(check)
        if result is None:
            yield Scan("testssl.sh", check, "none", "it says nothing about that")
        else:
            clean = result["severity"] == "OK"
            yield _judged("testssl.sh", check, f"{result['severity']}: {result['finding']}", clean)


def _beside_python(name: str) -> str:
    program = Path(sys.executable).with_name(name)
    if not program.is_file():
        raise _NoVerdict(f"it is not installed; pip install -r {_REQUIREMENTS}")
    return str(program)


def _printed(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            text=True,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _NoVerdict(f"it does not end within {_PATIENCE:.0f} s") from error
    return done.stdout


_REQUIREMENTS = "tests/attack/scanners.txt"

_SCANNERS: dict[str, Callable[[str, int], Iterator[Scan]]] = {
    "robot-detect": _robot_detect,
    "sslyze": _sslyze,
    "testssl.sh": _testssl,
}
