"""Docker's own client of credential helpers, for `docker-credential-wane` on the PATH.

    python docker_store.py SERVER…

Says what it was given for each server, as JSON, or `none`.
"""

import json
import sys

from docker.credentials import Store
from docker.credentials.errors import CredentialsNotFound

store = Store("wane")
store.store(sys.argv[1], "somebody", "something")
for server in sys.argv[1:]:
    try:
        print(json.dumps(store.get(server)))
    except CredentialsNotFound:
        print("none")
store.erase(sys.argv[1])
print(json.dumps(store.list()))
