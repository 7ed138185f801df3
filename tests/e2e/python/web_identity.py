"""AWS's own SDK for Python with a token in a file, beside moto, which is a simulator of AWS.

    python web_identity.py TOKEN-FILE

Says who AWS would take whoever has the token for, and what came to its door.
"""

import json
import os
import sys

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()

os.environ.update(
    AWS_WEB_IDENTITY_TOKEN_FILE=sys.argv[1],
    AWS_ROLE_ARN="arn:aws:iam::123456789012:role/deploy",
    AWS_ROLE_SESSION_NAME="wane",
    AWS_ENDPOINT_URL_STS=f"http://{host}:{port}",
    AWS_DEFAULT_REGION="us-east-1",
)

import boto3  # noqa: E402  (reads the environment)

asked = []
session = boto3.Session()
session.events.register("provide-client-params.sts.AssumeRoleWithWebIdentity", lambda params, **_: asked.append(params))
credentials = session.get_credentials()
identity = session.client("sts").get_caller_identity()
token = next((one["WebIdentityToken"] for one in asked), None)
print(json.dumps({"arn": identity["Arn"], "method": credentials.method, "token": token}))
server.stop()
