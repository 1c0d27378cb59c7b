"""Asks the stack's own web server whether the whole is ready."""

import asyncio
import json


async def ask(port: int, *, since: float, patience: float) -> list[str]:
    """What `/readyz` says is missing, counting processes started since an instant; empty: nothing. Never raises."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /readyz?since=%.6f HTTP/1.0\r\nHost: localhost\r\n\r\n" % since)
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        if head.split(b" ")[1:2] == [b"200"]:
            return []
        missing = json.loads(body)["missing"]
    except (OSError, TimeoutError):
        return ["web: no answer"]
    except (ValueError, LookupError, TypeError):
        return ["web: an answer that is not /readyz's"]
    return [str(item) for item in missing]


async def wait(port: int, *, since: float, deadline: float) -> list[str]:
    """Ask until nothing is missing, `deadline` seconds at most; what is missing then."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while missing := await ask(port, since=since, patience=max(end - loop.time(), 1.0)):
        if loop.time() >= end:
            return missing
        await asyncio.sleep(0.1)
    return []
