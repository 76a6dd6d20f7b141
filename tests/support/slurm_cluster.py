"""A SLURM cluster of one node on this machine: Debian's packages, as root, without systemd.

`python tests/support/slurm_cluster.py` starts one and leaves it running until it is interrupted.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

FOLDER = Path("/etc/slurm")  # the only place that job steps look in
MARK = "# of the tests of layer-robustness\n"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
HOST = socket.gethostname().partition(".")[0]
KILL_WAIT = 10  # seconds between SIGTERM and SIGKILL
# The daemons lie where not every PATH leads.
ENVIRONMENT = os.environ | {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}

# The node pretends to have the cores and the memory that a cluster's have. Jobs of the partition
# `urgent` push those of `main` off it.
CONFIGURATION = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={base}/munge/socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd.log
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PropagateResourceLimits=NONE
ReturnToService=2
MailProg=/bin/true
MinJobAge=3000
KillWait={kill_wait}
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes={host} Default=YES DefMemPerCPU=500
PartitionName=urgent Nodes={host} PriorityTier=2
"""


class Unavailable(Exception):
    """Why no cluster can be started here."""


@contextlib.contextmanager
def running() -> Iterator[Path]:
    """Start a cluster and stop it at the end; gives the folder of its logs.

    Raises
    ------
    Unavailable
        If SLURM is not installed or does not start, as in some containers, this is not root, or
        there is a cluster already.
    """
    refuse()
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        base = Path(folder)
        try:
            try:
                start(base)
            except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
                raise Unavailable(f"its daemons do not start here: {error}") from error
            yield base
        finally:
            stop(base)


def refuse() -> None:
    """Raise where a cluster cannot be started, or would be in the way of another one."""
    path = ENVIRONMENT["PATH"]
    if missing := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        raise Unavailable(f"{missing[0]} is not installed (apt-get install slurm-wlm munge)")
    if os.geteuid() != 0:
        raise Unavailable("only root can start a cluster")
    configuration = FOLDER / "slurm.conf"
    if configuration.exists() and not configuration.read_text().startswith(MARK):
        raise Unavailable(f"{configuration} is that of another cluster")
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in ("slurmctld", "slurmd"):
            raise Unavailable(f"a cluster is running already (process {process.pid})")
    try:
        address = socket.gethostbyname(HOST)
    except OSError:
        address = "nothing"
    if address != "127.0.0.1":
        raise Unavailable(f"{HOST} is {address} and not 127.0.0.1 in /etc/hosts")


def start(base: Path) -> None:
    """Start the three daemons and wait for the node."""
    munge = base / "munge"
    base.chmod(0o755)  # munge wants its socket to be reached, and its key not
    for folder in (munge, base / "state", base / "spool"):
        folder.mkdir(mode=0o755)
    key = munge / "key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    FOLDER.mkdir(exist_ok=True)
    fields = {"host": HOST, "base": base, "kill_wait": KILL_WAIT}
    (FOLDER / "slurm.conf").write_text(MARK + CONFIGURATION.format(**fields))
    # A count without a file drains the node.
    (FOLDER / "gres.conf").write_text(f"{MARK}Name=gpu File=/dev/null\n")
    files = {"key-file": key, "socket": munge / "socket", "pid-file": base / "munged.pid"}
    files |= {"seed-file": munge / "seed", "log-file": munge / "log"}
    call("munged", *(f"--{option}={path}" for option, path in files.items()))
    call("slurmctld")
    call("slurmd")
    until(is_idle, 60, "the node does not come up")


def is_idle() -> bool:
    """Whether the controller answers and the node waits for work."""
    with contextlib.suppress(RuntimeError):
        return call("sinfo", "-h", "-o", "%T").strip() == "idle"
    return False


def stop(base: Path) -> None:
    """Stop everything that was started, and leave no configuration behind."""
    with contextlib.suppress(RuntimeError, TimeoutError, subprocess.TimeoutExpired):
        call("scancel", "--user=root")
        until(lambda: not call("squeue", "-h"), 2 * KILL_WAIT, "jobs do not end")
    for name in ("slurmd", "slurmctld", "munged"):
        end(base / f"{name}.pid")
    for name in ("slurm.conf", "gres.conf"):
        (FOLDER / name).unlink(missing_ok=True)


def end(pid_file: Path) -> None:
    """Ask a daemon to leave; kill it where it does not."""
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(pid_file.read_text()))
        process.terminate()
        with contextlib.suppress(TimeoutError):
            # In a container it may stay as a zombie, whom nobody waits for.
            until(lambda: process.status() == psutil.STATUS_ZOMBIE, 10, "still there")
            return
        process.kill()


def call(*command: str) -> str:
    """Run one of SLURM's programs; what it printed."""
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ended.stderr}")
    return ended.stdout


def until(holds, seconds: float, complaint: str) -> None:
    """Wait for something to hold."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(complaint)
        time.sleep(0.2)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with running() as logs:
        print(f"a cluster is running, with logs in {logs}; Ctrl-C stops it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
