"""An arm64 root filesystem of Debian on an x86 machine, and how to run programs in it. Needs root.

Every program runs in mount and process namespaces of its own: what it mounts or leaves running ends with it.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from perception.errors import InputError

RELEASE = "bookworm"
# Where programs are, inside.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_QEMU = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
# How this machine reaches others, and where that lies inside; what it does not have is not needed. Debian's package
# of certificates would write over its own file, and forget those of a company's network.
_CERTIFICATES = "/etc/ssl/outside.crt"
_NETWORK = {
    "/etc/resolv.conf": "/etc/resolv.conf",
    "/etc/hosts": "/etc/hosts",
    "/etc/pip.conf": "/etc/pip.conf",
    "/etc/apt/apt.conf.d": "/etc/apt/apt.conf.d",
    "/etc/ssl/certs/ca-certificates.crt": _CERTIFICATES,
}
_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL")


def check_means() -> None:
    """Raise :class:`InputError` with one line where this machine or user cannot do it."""
    if os.geteuid():
        raise InputError("needs root, for debootstrap and chroot: sudo make docker-check")
    if not shutil.which("debootstrap") or not _QEMU.is_file():
        raise InputError("needs debootstrap and qemu: sudo apt install debootstrap qemu-user-static")


@contextmanager
def emulation() -> Iterator[None]:
    """Let this machine run arm64 programs while the block lasts."""
    script = Path(__file__).with_name("emulate.sh")
    command = ["unshare", "--mount", "--propagation", "private", "sh", str(script), str(_QEMU)]
    # Its standard input ends when this process does, however that comes.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout and keeper.stdin
        try:
            if not keeper.stdout.readline():
                raise InputError("this machine's kernel cannot be told to run arm64 programs by qemu (binfmt_misc)")
            yield
        finally:
            keeper.stdin.close()


class Root:
    """The root filesystem.

    Attributes:
        path: of it, seen from outside.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def make(cls, path: Path) -> "Root":
        """Install Debian's base into the empty folder ``path``; raises CalledProcessError where that fails."""
        first = ["debootstrap", "--arch=arm64", "--foreign", "--variant=minbase", RELEASE, str(path)]
        subprocess.run(first, capture_output=True, text=True, check=True)
        root = cls(path)
        root.run(["/debootstrap/debootstrap", "--second-stage"]).check_returncode()
        for outside, inside in ((Path(name), path / place.lstrip("/")) for name, place in _NETWORK.items()):
            inside.parent.mkdir(parents=True, exist_ok=True)
            if outside.is_dir():
                shutil.copytree(outside, inside, dirs_exist_ok=True)
            elif outside.is_file():
                shutil.copyfile(outside, inside)
        return root

    def run(
        self, command: Sequence[str], variables: Mapping[str, str] | None = None, user: str = "root", folder: str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` inside.

        Args:
            command: program and arguments.
            variables: the environment, beside what the network needs.
            user: who runs it.
            folder: where.
        """
        separate = ["unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={self.path}/proc"]
        enter = ["chroot", f"--userspec={user}", str(self.path), "sh", "-c", 'cd "$0" && exec "$@"', folder]
        environment = {"PATH": PATH, "LC_ALL": "C.UTF-8"}
        environment |= {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        if (self.path / _CERTIFICATES.lstrip("/")).is_file():
            environment["PIP_CERT"] = _CERTIFICATES
        environment |= variables or {}
        return subprocess.run(
            [*separate, *enter, *command], env=environment, capture_output=True, text=True, check=False
        )
