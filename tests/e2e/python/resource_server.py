"""A resource server in Python: reads what it is to check as JSON on standard input, and says whether the library named in
its argument takes the token. `pyjwt` and `authlib` check signature and claims (RFC 9068), `introspect` asks by Authlib
(RFC 7662).
"""

import base64
import json
import sys
import urllib.parse
import urllib.request

library = sys.argv[1]
asked = json.load(sys.stdin)
token, issuer, audience = asked["token"], asked["issuer"], asked["audience"]


def fetched(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def by_pyjwt():
    import jwt

    key = jwt.PyJWKClient(asked["keys"]).get_signing_key_from_jwt(token)
    read = jwt.decode_complete(token, key, algorithms=["ES256", "EdDSA"], issuer=issuer, audience=audience,
                               options={"require": ["exp", "iat", "nbf", "sub", "jti", "aud", "iss"]})
    if read["header"].get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    return read["payload"]


def by_authlib():
    from authlib.oauth2.rfc9068 import JWTBearerTokenValidator

    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            return fetched(asked["keys"])

    validator = Validator(issuer=issuer, resource_server=audience)
    read = validator.authenticate_token(token)
    validator.validate_token(read, asked.get("scopes", []), None)
    return dict(read)


def by_introspection():
    from authlib.oauth2.rfc7662 import IntrospectTokenValidator

    class Validator(IntrospectTokenValidator):
        def introspect_token(self, text):
            name, password = asked["credential"].split(":")
            basic = base64.b64encode(f"{name}:{password}".encode()).decode()
            form = urllib.parse.urlencode({"token": text, "token_type_hint": "access_token"}).encode()
            call = urllib.request.Request(asked["introspect"], form, {"Authorization": f"Basic {basic}"})
            with urllib.request.urlopen(call, timeout=30) as answer:
                return json.load(answer)

    validator = Validator()
    read = validator.authenticate_token(token)
    validator.validate_token(read, asked.get("scopes", []), None)
    return read


try:
    claims = {"pyjwt": by_pyjwt, "authlib": by_authlib, "introspect": by_introspection}[library]()
    print(json.dumps({"good": True, "claims": claims}))
except Exception as error:
    print(json.dumps({"good": False, "why": f"{type(error).__name__}: {error}"}))
