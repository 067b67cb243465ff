"""JSON-RPC with nothing but sockets: a client and a server, line by line at a unix socket, and over HTTP."""

import http.server
import json
import socket
import sys
import urllib.request


def answer(message, heard):
    """What a service answers to one message; None: nothing."""
    if isinstance(message, list):
        answers = [each for each in (answer(member, heard) for member in message) if each]
        return answers or None
    method, params, number = message["method"], message.get("params", []), message.get("id")
    reply = {"jsonrpc": "2.0", "id": number}
    if method == "add":
        reply["result"] = params[0] + params[1]
    elif method == "total":
        reply["result"] = params["a"] + params["b"]
    elif method == "echo":
        reply["result"] = params[0]
    elif method == "tell":
        heard.append(params[0])
        reply["result"] = None
    elif method == "heard":
        reply["result"] = heard
    elif method == "fail":
        reply["error"] = {"code": 42, "message": "Out of cheese", "data": [1]}
    else:
        reply["error"] = {"code": -32601, "message": "Method not found"}
    return reply if "id" in message else None


def serve_unix(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        connection, _ = listener.accept()
        heard = []
        with connection, connection.makefile("rw", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                reply = answer(json.loads(line), heard)
                if reply:
                    lines.write(json.dumps(reply) + "\n")
                    lines.flush()


def serve_http():
    heard = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = answer(json.loads(body), heard)
            if reply is None:
                self.send_response(204)
                self.end_headers()
                return
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


REQUESTS = [
    {"jsonrpc": "2.0", "id": 1, "method": "add", "params": [1, 2]},
    {"jsonrpc": "2.0", "id": "zwei", "method": "total", "params": {"a": 3, "b": 4}},
    {"jsonrpc": "2.0", "id": 3, "method": "count", "params": [3]},
    {"jsonrpc": "2.0", "id": 4, "method": "fail"},
    {"jsonrpc": "2.0", "id": None, "method": "missing"},
    {"jsonrpc": "2.0", "method": "tell", "params": ["Grüße"]},
    [
        {"jsonrpc": "2.0", "id": 5, "method": "add", "params": [1, 1]},
        {"jsonrpc": "2.0", "method": "tell", "params": ["batch"]},
        1,
    ],
    {"jsonrpc": "2.0", "id": 6, "method": "heard"},
]


def call_unix(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        with connection.makefile("rw", encoding="utf-8", newline="\n") as lines:
            for request in REQUESTS:
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                if isinstance(request, list) or "id" in request:
                    yield json.loads(lines.readline())


def call_http(url):
    for request in REQUESTS:
        headers = {"Content-Type": "application/json"}
        posted = urllib.request.Request(url, json.dumps(request).encode(), headers)
        with urllib.request.urlopen(posted) as response:
            if response.status != 204:
                yield json.load(response)


if __name__ == "__main__":
    role, where = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    if role == "serve-unix":
        serve_unix(where)
    elif role == "serve-http":
        serve_http()
    else:
        print(json.dumps(list(call_unix(where) if role == "call-unix" else call_http(where))))
