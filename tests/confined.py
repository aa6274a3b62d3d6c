"""Runs a program as systemd would from its unit, where systemd does not run: user, folders, system calls, memory.

`python -m tests.confined` is the last step before the program: it gives up system calls and executable memory.
"""

import ctypes
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.peers import require

USER = "sedas-node"
_HIDDEN = ("/root", "/opt")  # from the user of the service, who must still reach the interpreter and the code
_PR_SET_MDWE, _REFUSE_EXEC_GAIN = 65, 1  # linux/prctl.h, from kernel 6.3
_ERRNO_EPERM = 0x00050000 | 1  # SCMP_ACT_ERRNO(EPERM) of seccomp.h
_ALLOW = 0x7FFF0000  # SCMP_ACT_ALLOW


@dataclass(frozen=True)
class Unit:
    """One of our units, and the folders that stand for /etc/sedas-node and /var/lib/sedas-node."""

    name: str
    etc: Path
    state: Path

    def setting(self, key: str) -> list[str]:
        lines = (ROOT / "systemd" / self.name).read_text().splitlines()
        return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]

    def start(self, log: Path, notify_socket: str) -> subprocess.Popen[bytes]:
        """Its ExecStart, word for word, as its user, in a mount namespace that is gone with the process."""
        (command,) = self.setting("ExecStart")
        confine = [sys.executable, "-m", "tests.confined", *self._calls(), "--", *command.split()]
        if self.setting("MemoryDenyWriteExecute") == ["yes"]:
            confine.insert(3, "--deny-write-execute")
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/var/lib/sedas-node",
            "NOTIFY_SOCKET": notify_socket,
            "WATCHDOG_USEC": "10000000",
        }
        privileges = (
            f"exec setpriv --reuid={USER} --regid={USER} --init-groups --no-new-privs --bounding-set=-all "
            "--inh-caps=-all"
        )
        script = "\n".join(["set -e", *self._mounts(), "umask 0077", "cd /", f'{privileges} -- "$@"'])
        with log.open("ab") as output:
            return subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script, "sh", *confine],
                stdout=output,
                stderr=output,
                env=environment,
            )

    def _mounts(self) -> list[str]:
        """The read-only system with the folders of the unit, its user, and a /tmp of its own."""
        needed = [Path(sys.base_prefix), Path(sys.prefix), ROOT]
        kept = [str(path) for path in needed if str(path).startswith(tuple(f"{h}/" for h in _HIDDEN))]
        return [
            f"mount -t overlay overlay -o lowerdir={self.etc}:/etc /etc",
            "mount -t tmpfs tmpfs /mnt",
            "mkdir /mnt/state /mnt/venv",
            f"mount --bind {self.state} /mnt/state",
            f"mount --bind {sys.prefix} /mnt/venv",
            *(f"mkdir /mnt/{n}; mount --bind {path} /mnt/{n}" for n, path in enumerate(kept)),
            "mount -o remount,bind,ro /",
            *(f"mount -t tmpfs -o mode=755 tmpfs {hidden}" for hidden in _HIDDEN),
            *(f"mkdir -p {path}; mount --bind /mnt/{n} {path}" for n, path in enumerate(kept)),
            "mkdir -p /opt/sedas-node/.venv; mount --bind /mnt/venv /opt/sedas-node/.venv",
            "mount -t tmpfs -o mode=755 tmpfs /var/lib",
            "mkdir /var/lib/sedas-node; mount --bind /mnt/state /var/lib/sedas-node",
            "mount -t tmpfs -o mode=1777 tmpfs /tmp",
            "umount -l /mnt",
        ]

    def _calls(self) -> list[str]:
        """The system calls that it may use."""
        allowed: set[str] = set()
        for words in self.setting("SystemCallFilter"):
            named = {call for word in words.removeprefix("~").split() for call in _members(word)}
            allowed = allowed - named if words.startswith("~") else allowed | named
        return sorted(allowed)


def _members(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run(
        [require("systemd-analyze"), "syscall-filter", word], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    names = [line.strip() for line in listed if line.strip() and not line.strip().startswith("#")]
    return {call for name in names for call in _members(name)}


def make_user(etc: Path) -> tuple[int, int]:
    """Our user, as systemd/sysusers.conf makes it, in that folder's passwd and group; its numbers."""
    for name in ("passwd", "group"):
        (etc / name).write_text(Path("/etc", name).read_text())
    subprocess.run(
        [require("systemd-sysusers"), f"--root={etc.parent}", str(ROOT / "systemd" / "sysusers.conf")],
        check=True,
    )
    (entry,) = (line for line in (etc / "passwd").read_text().splitlines() if line.startswith(f"{USER}:"))
    return int(entry.split(":")[2]), int(entry.split(":")[3])


def _confine(calls: list[str], *, deny_write_execute: bool) -> None:
    if deny_write_execute and ctypes.CDLL(None).prctl(_PR_SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        sys.exit("the kernel cannot deny memory that is writable and executable")
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_ERRNO_EPERM)))
    for call in calls:
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # others are of another architecture, or younger than the library
            seccomp.seccomp_rule_add(rules, ctypes.c_uint32(_ALLOW), number, 0)
    if seccomp.seccomp_load(rules) != 0:
        sys.exit("the system-call filter cannot be loaded")


if __name__ == "__main__":
    border = sys.argv.index("--")
    words, command = sys.argv[1:border], sys.argv[border + 1 :]
    _confine([w for w in words if not w.startswith("-")], deny_write_execute="--deny-write-execute" in words)
    os.execv(command[0], command)  # noqa: S606 - what the unit says
