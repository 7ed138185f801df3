"""A client of ACME that signs whatever it is told to, as JSON lines on standard input: one order, one answer.

`{"key": NAME, "alg": ALG}` makes a key. `{"csr": {"key": NAME, "dns": [], "ip": [], "cn": TEXT}}` answers with a signing
request. `{"call": {...}}` calls, and `{"sign": {...}}` answers with the body of a
call; what is not said is as an honest client has it:

  path      where to
  by        the key that signs
  kid       the account's address; without it the key itself goes along
  payload   what is said: an object, or null to ask only; {"inner": {...}} is a signature of its own (a change of keys)
  bind      {"kid", "secret", "key", "url"}: an external account binding, put into the payload
  header    what the protected header says instead; null takes a member away
  nonce     a nonce instead of a fresh one
  raw       the whole body, whatever it is
  type      the content type

The answer has `status`, `headers` in lower case, `body` (JSON or text) and `nonce`, the one that was sent.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import sys
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

SERVER = sys.argv[1]
KEYS = {}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, alg):
        self.alg = alg
        if alg == "RS256":
            self.private = rsa.generate_private_key(65537, 2048)
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = ec.generate_private_key(ec.SECP384R1() if alg == "ES384" else ec.SECP256R1())

    def jwk(self):
        public = self.private.public_key()
        if self.alg == "RS256":
            numbers = public.public_numbers()
            return {"e": number(numbers.e), "kty": "RSA", "n": number(numbers.n)}
        if self.alg == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"crv": "Ed25519", "kty": "OKP", "x": b64(raw)}
        length = 48 if self.alg == "ES384" else 32
        numbers = public.public_numbers()
        curve = "P-384" if self.alg == "ES384" else "P-256"
        return {"crv": curve, "kty": "EC", "x": number(numbers.x, length), "y": number(numbers.y, length)}

    def sign(self, message):
        if self.alg == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "EdDSA":
            return self.private.sign(message)
        length = 48 if self.alg == "ES384" else 32
        digest = hashes.SHA384() if self.alg == "ES384" else hashes.SHA256()
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def flattened(header, payload, sign):
    protected = b64(json.dumps(header).encode())
    payload = b64(json.dumps(payload).encode()) if payload is not None else ""
    return {"protected": protected, "payload": payload, "signature": b64(sign(f"{protected}.{payload}".encode()))}


def changed(header, change):
    for name, value in change.items():
        if value is None:
            header.pop(name, None)
        else:
            header[name] = value
    return header


def sent(method, url, data=None, kind=None):
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        response = error
    except (OSError, urllib.error.URLError) as error:
        return {"status": 0, "headers": {}, "body": str(error)}
    try:
        text = response.read().decode()
    except OSError as error:
        return {"status": 0, "headers": {}, "body": str(error)}
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    return {"status": response.status, "headers": {k.lower(): v for k, v in response.headers.items()}, "body": body}


def bound(bind, url):
    jwk = KEYS[bind["key"]].jwk()
    secret = base64.urlsafe_b64decode(bind["secret"] + "==")
    header = {"alg": "HS256", "kid": bind["kid"], "url": bind.get("url", url)}
    return flattened(header, jwk, lambda message: hmac.new(secret, message, hashlib.sha256).digest())


def signed(order, url, nonce):
    key = KEYS[order["by"]]
    who = {"kid": order["kid"]} if order.get("kid") else {"jwk": key.jwk()}
    header = changed({"alg": key.alg, "nonce": nonce, "url": url, **who}, order.get("header", {}))
    payload = order.get("payload")
    if payload and "inner" in payload:
        inner = payload["inner"]
        by = KEYS[inner["by"]]
        head = changed({"alg": by.alg, "jwk": by.jwk(), "url": url}, inner.get("header", {}))
        says = {"account": inner["account"], "oldKey": KEYS[inner["old"]].jwk()}
        payload = flattened(head, says, by.sign)
    if "bind" in order:
        payload = {**(payload or {}), "externalAccountBinding": bound(order["bind"], url)}
    return flattened(header, payload, key.sign)


def call(order):
    url = SERVER + order["path"]
    nonce = order.get("nonce") or sent("HEAD", SERVER + "/acme/new-nonce")["headers"].get("replay-nonce", "")
    data = order["raw"].encode() if "raw" in order else json.dumps(signed(order, url, nonce)).encode()
    answer = sent("POST", url, data, order.get("type", "application/jose+json"))
    return {**answer, "nonce": nonce}


def csr(order):
    key = KEYS[order["key"]].private
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, order["cn"])] if order.get("cn") else []
    names = [x509.DNSName(name) for name in order.get("dns", [])]
    names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in order.get("ip", [])]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return b64(builder.sign(key, digest).public_bytes(serialization.Encoding.DER))


def first(pem):
    return b64(x509.load_pem_x509_certificates(pem.encode())[0].public_bytes(serialization.Encoding.DER))


def known_by(pem):
    cert = x509.load_pem_x509_certificates(pem.encode())[0]
    authority = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = cert.serial_number
    return f"{b64(authority)}.{b64(serial.to_bytes((serial.bit_length() + 8) // 8, 'big'))}"


for line in sys.stdin:
    order = json.loads(line)
    if "key" in order:
        KEYS[order["key"]] = Key(order["alg"])
        said = {"jwk": KEYS[order["key"]].jwk()}
    elif "csr" in order:
        said = {"csr": csr(order["csr"])}
    elif "certificate" in order:
        said = {"der": first(order["certificate"]), "id": known_by(order["certificate"])}
    elif "sign" in order:
        order = order["sign"]
        said = {"signed": signed(order, SERVER + order["path"], order["nonce"])}
    elif "get" in order:
        said = sent("GET", SERVER + order["get"])
    else:
        said = call(order["call"])
    print(json.dumps(said), flush=True)
