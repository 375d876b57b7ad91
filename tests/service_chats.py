"""What the tests of the service share: a few short dialogues, and a service without trainers in this process."""

import json
import threading
from contextlib import contextmanager

import uvicorn

CHATS = [
    {
        "messages": [
            {"role": "system", "content": "You help."},
            {"role": "user", "content": f"What is {n} and {n}?"},
            {"role": "assistant", "content": f"It is {2 * n}."},
        ]
    }
    for n in range(1, 13)
]


def jsonl(examples):
    """Return examples as the bytes of a JSONL file."""
    return "".join(json.dumps(example) + "\n" for example in examples).encode()


@contextmanager
def run_app(app, lifespan="off"):
    """Serve an application on a free port of this machine, by default without trainers; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan=lifespan))
    started = threading.Event()
    startup = server.startup

    async def begin(sockets=None):
        await startup(sockets=sockets)
        started.set()

    server.startup = begin
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
