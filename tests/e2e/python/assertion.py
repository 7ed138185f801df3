"""What an application that is written in Python does with Wane's word on who asks: PyJWT, and the key set of its own origin.

Reads `{"token", "keys", "issuer", "audience"}` on standard input; says the claims, or why not.
"""

import json
import sys

import jwt

question = json.load(sys.stdin)
keys = jwt.PyJWKSet.from_dict(json.loads(question["keys"]))
try:
    kid = jwt.get_unverified_header(question["token"])["kid"]
    claims = jwt.decode(
        question["token"],
        keys[kid].key,
        algorithms=["EdDSA"],
        issuer=question["issuer"],
        audience=question["audience"],
        options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub"]},
    )
    print(json.dumps({"good": True, **claims}))
except jwt.PyJWTError as error:
    print(json.dumps({"good": False, "why": type(error).__name__}))
