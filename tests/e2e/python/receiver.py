"""A receiver of webhooks for tests: checks signatures by the standard library alone, and prints each call as a line of
JSON. Its mood is read from a file before each answer: a status, `slow` (takes bytes and answers one at a time, for ever),
or `301 URL`.
"""

import base64
import hashlib
import hmac
import http.server
import json
import sys
import time

port, mood_path, secrets = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
# Real receivers take five minutes; the clock of a server under test is moved by more.
TOLERANCE = 60 * 60


def verify(headers, body):
    """As the specification of Standard Webhooks says, without any of our own code."""
    said_id, said_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if abs(time.time() - int(said_at)) > TOLERANCE:
        return []
    signed = said_id.encode() + b"." + said_at.encode() + b"." + body
    good = []
    for number, secret in enumerate(secrets):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for one in headers.get("webhook-signature", "").split():
            version, _, text = one.partition(",")
            if version == "v1" and hmac.compare_digest(text, want):
                good.append(number)
    return good


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        print(json.dumps({"path": self.path, "method": "GET"}), flush=True)
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        with open(mood_path) as file:
            mood = file.read().split()
        call = {"path": self.path, "method": "POST", "id": self.headers.get("webhook-id"),
                "good": verify(self.headers, body), "body": json.loads(body), "mood": mood}
        print(json.dumps(call), flush=True)
        if mood[0] == "slow":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            try:
                while True:
                    self.wfile.write(b".")
                    self.wfile.flush()
                    time.sleep(0.2)
            except OSError:
                return
        self.send_response(int(mood[0]))
        if len(mood) > 1 and mood[0].startswith("3"):
            self.send_header("location", mood[1])
        elif len(mood) > 1:
            self.send_header("retry-after", mood[1])
        self.send_header("content-length", "0")
        self.end_headers()


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(json.dumps({"ready": True}), flush=True)
server.serve_forever()
