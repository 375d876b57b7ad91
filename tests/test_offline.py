"""Tests reach this machine and no other: not from pytest, a child process or a Jupyter kernel."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ELSEWHERE = "192.0.2.1"  # reserved for documentation: never a real machine
CONNECT = f"import socket; socket.create_connection(({ELSEWHERE!r}, 9), timeout=2)"


@pytest.mark.reaches_out
@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.create_connection((ELSEWHERE, 9), timeout=2),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect_ex((ELSEWHERE, 9)),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", (ELSEWHERE, 9)),
        lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(("2001:db8::1", 9)),
        lambda: socket.getaddrinfo("model-hub.invalid", 443),
        lambda: socket.gethostbyname("model-hub.invalid"),
    ],
    ids=["connection", "connect_ex", "datagram", "IPv6", "look-up", "old look-up"],
)
def test_pytest_process_cannot_reach_out(attempt):
    with pytest.raises(ConnectionError, match=r"may only reach this.*(192\.0\.2\.1|2001:db8::1|model-hub\.invalid)"):
        attempt()


@pytest.mark.reaches_out
def test_child_process_cannot_reach_out():
    child = subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True, timeout=60)
    assert child.returncode != 0
    assert "tests may only reach this machine" in child.stderr and ELSEWHERE in child.stderr


@pytest.mark.long
@pytest.mark.reaches_out
def test_jupyter_kernel_cannot_reach_out():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        reply = client.execute_interactive(CONNECT, timeout=60, output_hook=lambda message: None)["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["status"] == "error"
    assert "tests may only reach this machine" in reply["evalue"] and ELSEWHERE in reply["evalue"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_this_machine_is_reachable(host):
    with socket.create_server((host, 0)) as server:
        answer = threading.Thread(target=lambda: server.accept()[0].sendall(b"here"))
        answer.start()
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.recv(4) == b"here"
        answer.join(timeout=5)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_unix_sockets_work(tmp_path):
    path = os.path.relpath(tmp_path / "socket")  # the absolute path may be too long for a Unix socket
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        assert client.getpeername() == path


@pytest.mark.long
def test_swallowed_attempt_fails_the_test(tmp_path):
    """A library that hides the error behind a broad ``except`` is found out all the same."""
    body = f"    try:\n        {CONNECT}\n    except Exception:\n        pass\n"
    tests = f"import pytest\ndef test_unseen():\n{body}@pytest.mark.reaches_out\ndef test_meant():\n{body}"
    (tmp_path / "test_swallow.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "test_swallow.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "2 passed, 1 error" in run.stdout, run.stdout + run.stderr
    assert "ERROR at teardown of test_unseen" in run.stdout
    assert "The test tried to reach another machine:\ntests may only reach this machine" in run.stdout
