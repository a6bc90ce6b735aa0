"""PolicyClient over a socket."""

import http.server
import socket
import threading

import numpy as np
import pytest

from serving.client import PolicyClient, PolicyServerError


@pytest.fixture
def url(listen, served_named):
    return listen(served_named("minatar").policy).split(" on ")[1].split(",")[0]


def test_actions_for_one_observation_and_for_a_batch(url, minatar):
    client = PolicyClient(url)
    batch = np.random.default_rng(0).random((5, 3, 3, 2)) < 0.5
    actions = client.act(batch)
    assert actions.shape == (5,) and actions.dtype == np.int64
    np.testing.assert_array_equal(actions, minatar.run({"observation": batch})["action"])
    action = client.act(batch[0])
    assert isinstance(action, np.int64) and action == actions[0]
    sampled = [client.act(batch, deterministic=False, seed=np.int64(3)) for _ in range(2)]
    np.testing.assert_array_equal(*sampled)
    client.close()
    assert client.act(batch[0]) == action
    client.close()


def test_the_servers_text_is_the_error(url):
    client = PolicyClient(url + "/")
    with pytest.raises(PolicyServerError, match=r"received shape \[1, 3, 3\]") as raised:
        client.act(np.zeros((1, 3, 3), bool))
    assert raised.value.status == 400
    with pytest.raises(PolicyServerError, match="got `float`"):
        client.act(np.zeros((3, 3, 2)))
    with pytest.raises(PolicyServerError, match="received -1"):
        client.act(np.zeros((3, 3, 2), bool), seed=-1)
    assert client.act(np.zeros((3, 3, 2), bool)) == 0
    client.close()


def test_a_wrong_path_is_an_error(url):
    client = PolicyClient(f"{url}/base")
    with pytest.raises(PolicyServerError, match="POST /base/act: no such path") as raised:
        client.act(np.zeros((3, 3, 2), bool))
    assert raised.value.status == 404
    client.close()


def test_no_server_is_an_error_that_names_the_url():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = PolicyClient(f"http://127.0.0.1:{port}")
    with pytest.raises(PolicyServerError, match=f"no answer from .*:{port}") as raised:
        client.act([0])
    assert raised.value.status is None


def test_a_server_that_never_answers_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = PolicyClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
        with pytest.raises(PolicyServerError, match="timed out"):
            client.act([0])


@pytest.fixture
def answer_with():
    """Starts a server that closes each connection after its answer without saying so."""
    servers = []

    def start_server(status, content):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = True

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        servers.append((server, thread))
        thread.start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start_server
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(answer_with):
    client = PolicyClient(answer_with(200, b'{"action": 1}'))
    assert [client.act([0]) for _ in range(3)] == [1, 1, 1]
    client.close()


def test_an_answer_that_is_not_json_is_shown(answer_with):
    client = PolicyClient(answer_with(502, b"proxy"))
    with pytest.raises(PolicyServerError, match="proxy") as raised:
        client.act([0])
    assert raised.value.status == 502
    client.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", ""])
def test_urls_that_are_none(url):
    with pytest.raises(ValueError, match="expected one like http"):
        PolicyClient(url)
