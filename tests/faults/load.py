"""Load over HTTP/1.1 connections that are kept alive, and what became of each request."""

import asyncio
import json
import time


class Outcome:
    """How one request ended: its status, or 0 and why there is none."""

    def __init__(self, status, seconds, body=b"", error=""):
        self.status, self.seconds, self.body, self.error = status, seconds, body, error

    def json(self):
        return json.loads(self.body)


class Report(list):
    """Outcomes, in the order in which they ended."""

    def of(self, *statuses):
        return Report(outcome for outcome in self if outcome.status in statuses)

    def share(self, part):
        """The latency in milliseconds that this share of the requests stay below."""
        seconds = sorted(outcome.seconds for outcome in self)
        return seconds[min(len(seconds) - 1, int(part * len(seconds)))] * 1000 if seconds else 0.0

    def __str__(self):
        statuses = sorted({outcome.status for outcome in self})
        parts = []
        for status in statuses:
            some = self.of(status)
            what = status or "failed: " + ", ".join(sorted({outcome.error for outcome in some}))
            parts.append(f"{len(some)} x {what} (p50 {some.share(0.5):.1f} ms, p99 {some.share(0.99):.1f} ms)")
        return "; ".join(parts) or "nothing"


class Connection:
    """A caller as a well-behaved client library is one: it reuses its connection, does what `connection: close` says, and
    sends a request once more when a connection that it had kept turns out to be closed before any answer."""

    def __init__(self, port, bearer, tls=None):
        self.port, self.bearer = port, bearer
        self.tls = {"ssl": tls, "server_hostname": "localhost"} if tls else {}
        self.reader = self.writer = None

    async def request(self, path, method="GET", body=b"", headers=()):
        began = time.monotonic()
        try:
            reused = self.writer is not None
            try:
                status, answer = await self.exchange(path, method, body, headers)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
                if not reused or method != "GET":
                    raise
                status, answer = await self.exchange(path, method, body, headers)
            return Outcome(status, time.monotonic() - began, answer)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            return Outcome(0, time.monotonic() - began, error=type(error).__name__)

    async def exchange(self, path, method, body, headers):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, **self.tls)
        lines = [f"{method} {path} HTTP/1.1", "host: test", f"authorization: Bearer {self.bearer}", *headers]
        if body or method != "GET":
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        fields = dict(field.lower().split(": ", 1) for field in fields if ": " in field)
        answer = await self.reader.readexactly(int(fields.get("content-length", 0)))
        if fields.get("connection") == "close":
            self.close()
        return int(first.split()[1]), answer

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def closed_loop(port, bearer, path, callers, seconds=None, stop=None, pause=0.0, tls=None, requests=None):
    """So many callers, each of which sends its next request when the last one has ended, on a new connection after so many
    requests."""
    report, until = Report(), time.monotonic() + (seconds or 3600)

    async def call():
        connection, sent = Connection(port, bearer, tls), 0
        while time.monotonic() < until and not (stop and stop.is_set()):
            report.append(await connection.request(path))
            sent += 1
            if requests and sent % requests == 0:
                connection.close()
            if pause:
                await asyncio.sleep(pause)
        connection.close()

    await asyncio.gather(*(call() for _ in range(callers)))
    return report


async def open_loop(port, bearer, path, rate, seconds):
    """So many requests a second, whether or not the earlier ones have ended."""
    report, idle, running = Report(), [], set()

    async def call():
        connection = idle.pop() if idle else Connection(port, bearer)
        report.append(await connection.request(path))
        idle.append(connection)

    began = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        task = asyncio.create_task(call())
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()
    return report
