"""`python -m serving` as a process: start, answers, exit codes, signals."""

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from support import ROOT

from serving.__main__ import main

pytestmark = pytest.mark.process

SECONDS = 60  # a bound against hanging, not a measurement
GOOD = json.dumps({"observation": [0.1, -0.2, 0.3, 0.4]}).encode()


class Server(NamedTuple):
    """A running `python -m serving` and the line that it printed."""

    process: subprocess.Popen[str]
    line: str

    @property
    def url(self) -> str:
        return self.line.split(" on ")[1].split(",")[0]


Start = Callable[..., Server]


@contextlib.contextmanager
def starting() -> Iterator[Start]:
    """Yields what starts servers, which end with the block at the latest."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str | Path) -> Server:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "serving", *map(str, arguments)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate, timeout=SECONDS)
            stack.callback(process.kill)
            assert process.stdout is not None
            return Server(process, process.stdout.readline().strip())

        yield start


@pytest.fixture
def start() -> Iterator[Start]:
    with starting() as start:
        yield start


@pytest.fixture(scope="module")
def server(export_named: Callable[[str], Path]) -> Iterator[Server]:
    """Serves every bad request from one process, and holds that they leave no words on stderr."""
    with starting() as start:
        server = start(export_named("cartpole"), "--port", 0)
        yield server
        server.process.terminate()
        assert finish(server) == (0, "")


@pytest.fixture
def refused_line(
    export_named: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Runs main, which must end with exit code 1 before it serves; returns its one line."""

    def refused_line(*arguments: object) -> str:
        monkeypatch.setattr("serving.server.run", lambda *_: pytest.fail("it serves"))
        assert main([str(export_named("cartpole")), *map(str, arguments)]) == 1
        out, err = capsys.readouterr()
        (line,) = err.splitlines()
        assert out == ""
        return line

    return refused_line


def connect(server):
    return http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=SECONDS)


def ask(connection, method, path, body=None, **keywords):
    connection.request(method, path, body, **keywords)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def finish(server):
    """Exit code and standard error."""
    _, errors = server.process.communicate(timeout=SECONDS)
    return server.process.returncode, errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_server_answers_until_a_signal_ends_it(start, export_named, number, code):
    server = start(export_named("cartpole"), "--port", 0)
    with contextlib.closing(connect(server)) as connection:
        assert ask(connection, "GET", "/v2/health/ready") == (200, {"live": True, "ready": True})
        status, answer = ask(connection, "POST", "/act", GOOD)
        assert (status, answer["model_name"]) == (200, "cartpole")
        server.process.send_signal(number)  # with a connection open
        assert finish(server) == (code, "")


def test_a_server_in_the_background_of_a_shell_ends_at_sigint_too(start, export_named):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what a process inherits there
    try:
        server = start(export_named("cartpole"), "--port", 0)
    finally:
        signal.signal(signal.SIGINT, before)
    with contextlib.closing(connect(server)) as connection:
        assert ask(connection, "GET", "/v2/health/ready")[0] == 200
    server.process.send_signal(signal.SIGINT)
    assert finish(server) == (130, "")


def test_bad_requests_over_a_socket_leave_it_serving(server):
    with contextlib.closing(connect(server)) as connection:
        for body, expected in (
            (b"{", 400),
            (b"\xff", 400),
            (b" " * 10**6, 413),
            (b"[" * 10**5, 400),
        ):
            status, answer = ask(connection, "POST", "/act", body)
            assert (status, list(answer)) == (expected, ["error"])
            assert ask(connection, "POST", "/act", GOOD)[0] == 200
        chunks = iter([b" " * 2**16] * 64)
        status, answer = ask(
            connection,
            "POST",
            "/act",
            chunks,
            encode_chunked=True,
            headers={"Transfer-Encoding": "chunked"},
        )
        assert (status, list(answer)) == (413, ["error"])
        assert ask(connection, "POST", "/act", GOOD)[0] == 200


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"FOO /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /act HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /act HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_400(server, nonsense):
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    with socket.create_connection(address, timeout=SECONDS) as client:
        client.sendall(nonsense)
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 4")
    assert list(json.loads(body)) == ["error"]
    with contextlib.closing(connect(server)) as connection:
        assert ask(connection, "POST", "/act", GOOD)[0] == 200


def test_a_client_that_stops_in_the_middle_of_a_body_does_no_harm(server):
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    with socket.create_connection(address, timeout=SECONDS) as client:
        client.sendall(b"POST /act HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    with contextlib.closing(connect(server)) as connection:
        assert ask(connection, "POST", "/act", GOOD)[0] == 200


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_printed_command_works(server):
    command = server.line.split(", try: ")[1]
    answer = subprocess.run(
        command, shell=True, capture_output=True, check=True, timeout=SECONDS
    ).stdout
    assert json.loads(answer)["model_name"] == "cartpole"


def test_a_unix_socket_is_private_and_removed_at_the_end(
    start, refused_line, export_named, tmp_path
):
    path = tmp_path / "s"
    server = start(export_named("cartpole"), "--uds", path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.endswith(b'{"live":true}')
    refused_line("--uds", path)
    server.process.terminate()
    assert finish(server) == (0, "")
    assert not path.exists()


def test_a_socket_left_behind_is_replaced_and_a_file_is_not(
    start, refused_line, export_named, tmp_path
):
    stale, file = tmp_path / "stale", tmp_path / "file"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    assert start(export_named("cartpole"), "--uds", stale).line.startswith("serving cartpole on ")
    file.write_text("mine")
    refused_line("--uds", file)
    assert file.read_text() == "mine"


def test_a_port_in_use_is_exit_code_1(refused_line):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused_line("--port", port)


def test_a_model_that_cannot_be_served_is_exit_code_3(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-m", "serving", tmp_path / "nowhere"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (finished.returncode, finished.stdout) == (3, "")
    (line,) = finished.stderr.splitlines()
    assert "nowhere: not found" in line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "b"],
        ["a", "--port", "http"],
        ["a", "--port", "65536"],
        ["a", "--port", "-1"],
        ["a", "--port"],
        ["a", "--host", ""],
        ["a", "--name", ""],
        ["a", "--por", "80"],
        ["a", "--workers", "4"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_help_loads_neither_onnxruntime_nor_uvicorn():
    script = (
        "import sys\n"
        "from serving.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'numpy', 'onnxruntime', 'uvicorn', 'starlette'}, loaded\n"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "export folder" in run.stdout


SERVE_ONE_REQUEST = """
import io, os, signal, sys, threading
from serving.__main__ import main
from serving.client import PolicyClient

class Terminal(io.StringIO):
    is_announced = threading.Event()

    def flush(self):
        self.is_announced.set()

def ask():
    terminal.is_announced.wait()
    client = PolicyClient(terminal.getvalue().split(" on ")[1].split(",")[0])
    client.act([0, 0, 0, 0])
    client.close()
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(*sorted(loaded), file=sys.__stdout__, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

terminal = sys.stdout = Terminal()
threading.Thread(target=ask, daemon=True).start()
main([sys.argv[1], "--port", "0"])
"""


def test_a_server_that_has_answered_has_not_loaded_tensorflow(export_named):
    run = subprocess.run(
        [sys.executable, "-c", SERVE_ONE_REQUEST, str(export_named("cartpole"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (run.returncode, run.stderr) == (0, "")
    loaded = set(run.stdout.split())
    assert {"serving", "onnxruntime", "uvicorn"} <= loaded
    assert not loaded & {"tensorflow", "keras", "a2c_tf", "export", "onnx", "gymnasium"}
