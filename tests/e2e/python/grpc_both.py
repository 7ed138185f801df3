"""gRPC's own server and client, with messages that are bytes: no generated code is needed.

    python grpc_both.py server PORT
    python grpc_both.py client HOST:PORT CA < KEY

The server answers `/pkg.Greeter/Hello` once and `/pkg.Greeter/Ticks` without end. The client calls the one, then reads the other
until it breaks off, and says how that was.
"""

import sys
import time
from concurrent import futures

import grpc


class Greeter(grpc.GenericRpcHandler):
    def service(self, details):
        print(details.method, flush=True)
        if details.method == "/pkg.Greeter/Hello":
            return grpc.unary_unary_rpc_method_handler(self.hello)
        if details.method == "/pkg.Greeter/Ticks":
            return grpc.unary_stream_rpc_method_handler(self.ticks)
        if details.method == "/pkg.Greeter/Fails":
            return grpc.unary_unary_rpc_method_handler(self.fails)
        return None

    def hello(self, request, context):
        names = sorted(key for key, _ in context.invocation_metadata())
        context.set_trailing_metadata((("greeted", "yes"),))
        return b"hello " + request + b" " + ",".join(names).encode()

    def fails(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like that")

    def ticks(self, request, context):
        context.add_callback(lambda: print("gone", flush=True))
        while context.is_active():
            yield b"tick"
            time.sleep(0.02)


def server(port):
    running = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    running.add_generic_rpc_handlers((Greeter(),))
    running.add_insecure_port(f"127.0.0.1:{port}")
    running.start()
    print("listening", flush=True)
    running.wait_for_termination()


def client(at, trust):
    key = sys.stdin.readline().strip()
    with open(trust, "rb") as file:
        tls = grpc.ssl_channel_credentials(root_certificates=file.read())
    whole = grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(key))
    host, port = at.split(":")
    with grpc.secure_channel(f"ipv4:127.0.0.1:{port}", whole, options=(("grpc.default_authority", at), ("grpc.ssl_target_name_override", host))) as channel:
        greeted, call = channel.unary_unary("/pkg.Greeter/Hello").with_call(b"maya")
        print(greeted.decode(), dict(call.trailing_metadata()).get("greeted"), flush=True)
        try:
            channel.unary_unary("/pkg.Greeter/Fails")(b"")
        except grpc.RpcError as error:
            print(error.code().name, error.details(), flush=True)
        try:
            channel.unary_unary("/pkg.Other/Call")(b"")
        except grpc.RpcError as error:
            print("other:", error.code().name, flush=True)
        try:
            for number, _ in enumerate(channel.unary_stream("/pkg.Greeter/Ticks")(b"")):
                if number == 3:
                    print("ticking", flush=True)
        except grpc.RpcError as error:
            print("broke off:", error.code().name, flush=True)


if sys.argv[1] == "server":
    server(sys.argv[2])
else:
    client(sys.argv[2], sys.argv[3])
