"""A mail server for tests: takes mail over SMTP and prints each as a line of JSON.

Its mood is read from a file before each answer: `well`, `busy` (4xx for everybody), `refuse` (5xx for the recipient),
`silent` (accepts and never answers).
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def mood(path):
    with open(path) as file:
        return file.read().strip()


class Handler:
    def __init__(self, mood_path):
        self.mood_path = mood_path

    async def handle_MAIL(self, server, session, envelope, address, options):
        if mood(self.mood_path) == "busy":
            return "421 4.3.2 not now"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mood(self.mood_path) == "refuse":
            return "550 5.1.1 no such mailbox"
        if mood(self.mood_path) == "greylist":
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        raw = envelope.content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        plain = message.get_body(("plain",)).get_content()
        html = message.get_body(("html",)).get_content()
        heads = [[name, str(value)] for name, value in message.items()]
        tls = session.ssl is not None
        user = session.auth_data.decode() if isinstance(session.auth_data, bytes) else None
        print(json.dumps({"to": envelope.rcpt_tos, "from": envelope.mail_from, "heads": heads, "plain": plain,
                          "html": html, "tls": tls, "user": user}), flush=True)
        return "250 taken"


class Server(SMTP):
    pass


async def main():
    port, mood_path, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    context = None
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])

    def login(server, session, envelope, mechanism, data):
        good = data.login == b"wane" and data.password == b"open sesame"
        return AuthResult(success=good, auth_data=data.login)

    def make():
        kept = {"enable_SMTPUTF8": True, "hostname": "mail.test"}
        if mode == "starttls":
            kept.update(tls_context=context, require_starttls=True, authenticator=login, auth_required=True)
        return Server(Handler(mood_path), **kept)

    class Door(asyncio.Protocol):
        """Silent where the mood is so; else the server's own."""

    loop = asyncio.get_running_loop()

    def factory():
        return Door() if mood(mood_path) == "silent" else make()

    await loop.create_server(factory, "127.0.0.1", port, ssl=context if mode == "tls" else None)
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
