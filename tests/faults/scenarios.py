"""What must hold under faults and load, one function each. A function returns what it counted, for the report."""

import asyncio
import json
import resource
import shutil
import sqlite3
import time

from contract import documented
from load import Connection, Report, closed_loop, open_loop
from proxy import Proxy
from services import Service


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def served(orders, proxy, settings=None, **options):
    """`orders`, whose calls to `inventory` go through a proxy."""
    inventory_token = orders["scratch"] / "inventory.token"
    return Service(
        orders["binaries"], "orders", orders["scratch"],
        {
            "DISCOVERY__ADDRESSES__INVENTORY": f"http://127.0.0.1:{proxy.port}",
            "TOKEN__INVENTORY_FILE": inventory_token,
            "LOG__LEVEL": "warn",
            **(settings or {}),
        },
        **options,
    )


def inventory(place, **options):
    service = Service(place["binaries"], "inventory", place["scratch"], {"LOG__LEVEL": "warn"}, **options)
    (place["scratch"] / "inventory.token").write_text(service.token())
    return service


async def dependency_dead(place):
    """1. inventory is dead: orders answers from copies, the breaker opens, the dead one is left alone, and it closes again."""
    with inventory(place) as callee:
        async with Proxy(callee.port) as proxy:
            with served(place, proxy) as orders:
                caller = Connection(orders.port, orders.bearer)
                expect((await caller.request("/v1/inventory/items")).status == 200, "orders answers while all is well")
                proxy.count()
                # A callee that resets every connection, so that what reaches it can be counted.
                await proxy.become("reset")
                began = time.monotonic()
                report = await open_loop(orders.port, orders.bearer, "/v1/inventory/items", rate=50, seconds=4)
                reached = proxy.count()
                expect(len(report.of(200)) == len(report), f"all are answered: {report}")
                stale = sum("stale_seconds" in outcome.json() for outcome in report)
                expect(stale == len(report), f"{stale} of {len(report)} copies are marked as such")
                expect(orders.metric("outbound_breaker_state", dependency="inventory") == 2, "the breaker is open")
                expect(reached <= 30, f"{reached} attempts reached the dead one before the breaker opened")
                # Open for 5 to 6 s, then one probe each time.
                report = await open_loop(orders.port, orders.bearer, "/v1/inventory/items", rate=50, seconds=7)
                probes = proxy.count()
                expect(len(report.of(200)) == len(report), f"all are answered: {report}")
                expect(1 <= probes <= 3, f"{probes} probes reached the dead one in {time.monotonic() - began:.0f} s")
                await proxy.become("pass")
                back = time.monotonic()
                while "stale_seconds" in (await caller.request("/v1/inventory/items")).json():
                    expect(time.monotonic() - back < 15, "fresh answers come back")
                    await asyncio.sleep(0.05)
                for _ in range(20):
                    await caller.request("/v1/inventory/items")
                expect(orders.metric("outbound_breaker_state", dependency="inventory") == 0, "the breaker is closed")
                return (f"{stale} copies, all marked; {reached} attempts until open, then {probes} probes; "
                        f"fresh again {time.monotonic() - back:.1f} s after recovery")


async def dependency_slow(place):
    """2. inventory is slow: orders stays inside its total timeout, its bulkhead refuses at once, other routes do not notice."""
    with inventory(place) as callee:
        async with Proxy(callee.port) as proxy:
            settings = {"CALLS__INVENTORY__STALE_MS": 0, "CALLS__INVENTORY__BREAKER_MIN_CALLS": 1_000_000,
                        "CALLS__INVENTORY__MAX_IN_FLIGHT": 16}
            with served(place, proxy, settings) as orders:
                alone = await closed_loop(orders.port, orders.bearer, "/v1/items", callers=2, seconds=1, pause=0.005)
                await proxy.become("hole")
                slow, beside = await asyncio.gather(
                    open_loop(orders.port, orders.bearer, "/v1/inventory/items", rate=40, seconds=6),
                    closed_loop(orders.port, orders.bearer, "/v1/items", callers=2, seconds=6, pause=0.005),
                )
                late, refused = slow.of(504), slow.of(503)
                expect(len(late) + len(refused) == len(slow), f"each is answered with 504 or 503: {slow}")
                expect(len(late) > 0 and late.share(0.99) < 4100, f"timeouts end inside 4 s: {slow}")
                expect(len(refused) > 0 and refused.share(0.99) < 50, f"the bulkhead refuses at once: {slow}")
                expect(len(beside.of(200)) == len(beside), f"other routes answer: {beside}")
                expect(beside.share(0.99) < max(25, 5 * alone.share(0.99)), f"other routes keep their pace: {beside}")
                return (f"{len(late)} timed out, p99 {late.share(0.99):.0f} ms; {len(refused)} refused, "
                        f"p99 {refused.share(0.99):.1f} ms; other routes p99 {beside.share(0.99):.1f} ms, "
                        f"alone {alone.share(0.99):.1f} ms")


async def overload(place):
    """3. five times what it can do: who is let in keeps the pace, the rest are refused in under 10 ms, memory stays flat."""
    with inventory(place) as callee:
        async with Proxy(callee.port) as proxy:
            # Each request takes 100 ms of waiting and 16 may wait: 160 a second, whatever the machine can do.
            await proxy.become("delay", 0.05)
            with served(place, proxy, {"SERVER__MAX_IN_FLIGHT": 16}) as orders:
                full = await closed_loop(orders.port, orders.bearer, "/v1/inventory/items", callers=16, seconds=3)
                expect(len(full.of(200)) == len(full), f"at capacity all are answered: {full}")
                capacity = len(full) / 3
                await open_loop(orders.port, orders.bearer, "/v1/inventory/items", rate=5 * capacity, seconds=1)
                before = orders.memory()
                report = await open_loop(orders.port, orders.bearer, "/v1/inventory/items", rate=5 * capacity, seconds=8)
                grown = orders.memory() - before
                accepted, refused = report.of(200), report.of(503)
                expect(len(accepted) + len(refused) == len(report), f"each is answered: {report}")
                expect(len(accepted) > 0.7 * capacity * 8, f"capacity is used: {report}")
                expect(accepted.share(0.99) < 1.5 * full.share(0.99), f"accepted keep their pace: {report}; at capacity {full}")
                expect(refused.share(0.99) < 10, f"the rest are refused at once: {report}")
                expect(grown < 8, f"memory grew by {grown:.1f} MB")
                return (f"capacity {capacity:.0f}/s; of {len(report)} at five times that {len(accepted)} accepted, p99 "
                        f"{accepted.share(0.99):.0f} ms (at capacity {full.share(0.99):.0f}), {len(refused)} refused, p99 "
                        f"{refused.share(0.99):.1f} ms; memory +{grown:.1f} MB")


async def stopped_under_load(place):
    """4a. SIGTERM under load: not one request that was accepted fails, and the process ends well."""
    with inventory(place) as callee:
        async with Proxy(callee.port) as proxy:
            await proxy.become("delay", 0.05)
            with served(place, proxy) as orders:
                stop = asyncio.Event()
                load = asyncio.create_task(
                    closed_loop(orders.port, orders.bearer, "/v1/inventory/items", callers=32, stop=stop, pause=0.002))
                await asyncio.sleep(1.5)
                orders.signal()
                began = time.monotonic()
                took = await asyncio.to_thread(orders.ended)
                seconds = time.monotonic() - began
                stop.set()
                report = await load
                # Once nobody listens, connections are refused: that is for the balancer, no request was accepted.
                failed = [outcome.error for outcome in report.of(0) if outcome.error != "ConnectionRefusedError"]
                expect(took == 0, f"it ended with {took}")
                expect(not failed, f"{len(failed)} accepted requests failed: {sorted(set(failed))}")
                expect(len(report.of(200)) + len(report.of(0)) == len(report), f"all were answered: {report}")
                return f"{len(report.of(200))} answered, 0 failed; ended {seconds:.1f} s after SIGTERM"


class Balancer:
    """As a Kubernetes Service does it: new connections go to the replicas that it knows, and connections that stand are
    left alone. It learns late that a replica leaves, which is why pods wait in `preStop` before they get SIGTERM; where
    they do not, `server.linger_ms` is that wait."""

    LATE = 0.2

    def __init__(self, replicas, pre_stop):
        self.turn, self.replicas, self.pre_stop = 0, list(replicas), pre_stop

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def replace(self, replica):
        """Ends one replica as the platform does, and starts it anew."""
        forget = asyncio.create_task(self.forget(replica))
        await asyncio.sleep(self.pre_stop)
        replica.signal()
        status = await asyncio.to_thread(replica.ended)
        await forget
        await asyncio.to_thread(replica.start)
        self.replicas.append(replica)
        return status

    async def forget(self, replica):
        await asyncio.sleep(self.LATE)
        self.replicas.remove(replica)

    async def handle(self, reader, writer):
        self.turn += 1
        try:
            replica = self.replicas[self.turn % len(self.replicas)]
            there, back = await asyncio.open_connection("127.0.0.1", replica.port)
            await asyncio.gather(pump(reader, back), pump(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def rolled(place):
    """4b. two replicas behind a balancer, replaced one after the other, with and without a wait before SIGTERM: no request is lost."""
    settings = {"LOG__LEVEL": "warn"}
    with inventory(place) as callee:
        async with Proxy(callee.port) as proxy:
            with served(place, proxy, settings, replica="-a") as one, served(place, proxy, settings, replica="-b") as two:
                counted = []
                for pre_stop in (0.5, 0):
                    async with Balancer([one, two], pre_stop) as balancer:
                        stop = asyncio.Event()
                        # Those that keep their connections, and those that open one for each request.
                        load = [
                            asyncio.create_task(closed_loop(balancer.port, one.bearer, "/v1/items", callers=8, stop=stop,
                                                            pause=0.002, requests=requests))
                            for requests in (None, 1)
                        ]
                        await asyncio.sleep(1)
                        for replica in (one, two):
                            expect(await balancer.replace(replica) == 0, "a replica ends well")
                            await asyncio.sleep(1)
                        stop.set()
                        report = Report(sum(await asyncio.gather(*load), []))
                        expect(len(report.of(200)) == len(report), f"every request is answered, with {pre_stop} s: {report}")
                        counted.append(f"{len(report)} requests, p99 {report.share(0.99):.1f} ms")
                return f"all answered over two replacements: {counted[0]}; without a wait before SIGTERM: {counted[1]}"


async def database_locked(place):
    """5. the database is locked or gone: readiness says so, liveness does not, it recovers without a restart."""
    with inventory(place) as service:
        caller = Connection(service.port, service.bearer)
        item = b'{"name": "tea%d", "quantity": 1}'
        expect((await caller.request("/v1/items", "POST", item % 0)).status == 201, "items can be made")
        other = sqlite3.connect(service.database, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        write = await caller.request("/v1/items", "POST", item % 1)
        expect(write.status == 503, f"a write is refused with {write.status}")
        expect(write.seconds < 4, f"after {write.seconds:.1f} s")
        unready = await asyncio.to_thread(service.until, "/readyz", 503)
        expect(service.admin_get("/livez")[0] == 200, "liveness touches nothing")
        other.execute("ROLLBACK")
        back = await asyncio.to_thread(service.until, "/readyz", 200)
        expect((await caller.request("/v1/items", "POST", item % 2)).status == 201, "it recovers by itself")
        # Gone: another file lies in its place, one that is no database; its directory is away; an empty one lies there.
        data = service.database.parent
        away = data.with_name(data.name + "-away")

        def another_file():
            for file in data.iterdir():
                file.write_bytes(b"no database " * 1000)

        ways = (("another file", another_file), ("no directory", lambda: None), ("an empty directory", data.mkdir))
        for number, (what, spoil) in enumerate(ways, 4):
            if what == "another file":
                shutil.copytree(data, away)
            else:
                data.rename(away)
            spoil()
            await asyncio.to_thread(service.until, "/readyz", 503)
            expect(service.admin_get("/livez")[0] == 200, "liveness touches nothing")
            for method, path, body in (("POST", "/v1/items", item % 3), ("GET", "/v1/items", b"")):
                refused = await caller.request(path, method, body)
                expect(refused.status == 503, f"{what}: {method} is refused with {refused.status}")
            if data.exists():
                shutil.rmtree(data)
            away.rename(data)
            await asyncio.to_thread(service.until, "/readyz", 200)
            again = await caller.request("/v1/items", "POST", item % number)
            expect(again.status == 201, f"{what}: it recovers by itself: {again.status}")
        late = await database_late(service)
        return (f"locked: 503 after {write.seconds:.1f} s, not ready after {unready:.1f} s, ready {back:.1f} s after the "
                f"lock was gone; gone in three ways: 503, and back without a restart; {late}; {await disk_full(service)}")


async def database_late(service):
    """Its volume is not there when the service starts: it waits, says so, and starts when it comes."""
    service.signal()
    await asyncio.to_thread(service.ended)
    data = service.database.parent
    away = data.rename(data.with_name(data.name + "-late"))
    data.touch()
    service.launch()
    await asyncio.to_thread(service.until, "/startupz", 503)
    await asyncio.sleep(3)
    expect(service.admin_get("/startupz")[0] == 503, "it has not started")
    expect(service.admin_get("/livez")[0] == 200, "liveness touches nothing")
    early = await Connection(service.port, service.bearer).request("/v1/items")
    expect(early.error == "ConnectionRefusedError", f"nobody is let in yet: {early.status} {early.error}")
    data.unlink()
    away.rename(data)
    back = await asyncio.to_thread(service.until, "/readyz", 200)
    expect(service.admin_get("/startupz")[0] == 200, "it has started")
    return f"late at the start: waited for, ready {back:.1f} s after it came"


async def disk_full(service):
    """What was acknowledged is there, whatever the disk takes."""
    caller, acknowledged, refused = Connection(service.port, service.bearer), [], 0
    size = service.database.stat().st_size
    # No file of the process may grow beyond this; a write past it fails as on a full disk.
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size + 200_000, resource.RLIM_INFINITY))
    for number in range(20_000):
        name = f"full-{number}-{'x' * 80}"
        answer = await caller.request("/v1/items", "POST", json.dumps({"name": name, "quantity": 1}).encode())
        if answer.status == 201:
            acknowledged.append(name)
        else:
            expect(answer.status == 503, f"a write that the disk refuses is answered with {answer.status} {answer.error}")
            refused += 1
            if refused == 200:
                break
    expect(refused == 200, "the disk is full at last")
    expect((await caller.request("/v1/items")).status == 200, "reads go on")
    expect(service.admin_get("/livez")[0] == 200, "liveness touches nothing")
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answer = await caller.request("/v1/items", "POST", b'{"name": "after", "quantity": 1}')
    expect(answer.status == 201, f"with room again it writes: {answer.status}")
    with sqlite3.connect(service.database) as other:
        stored = {name for (name,) in other.execute("SELECT name FROM items")}
    lost = [name for name in acknowledged if name not in stored]
    expect(not lost, f"{len(lost)} of {len(acknowledged)} acknowledged writes are lost")
    return f"disk full: {len(acknowledged)} acknowledged and all there, {refused} refused with 503"


async def hostile_clients(place):
    """6. slow headers, slow bodies, 10,000 idle connections, a body of 1 GB, malformed HTTP: bounded, refused, no crash."""
    settings = {"SERVER__HEADER_READ_TIMEOUT_MS": 2000, "SERVER__BODY_TIMEOUT_MS": 3000, "LOG__LEVEL": "warn"}
    with inventory(place) as service:
        service.__exit__()
        service.environment |= {f"INVENTORY__{key}": str(value) for key, value in settings.items()}
        service.start()
        counted = [
            await slow_header(service), await slow_body(service), await idle_connections(service),
            await large_body(service), await malformed(service),
        ]
        caller = Connection(service.port, service.bearer)
        expect((await caller.request("/v1/items")).status == 200, "it still answers")
        expect(not [line for line in service.log_lines() if "panic" in str(line)], "nothing panicked")
        return "; ".join(counted)


async def slow_header(service):
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    began = time.monotonic()
    try:
        for byte in b"GET /v1/items HTTP/1.1\r\nx: " + b"y" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            if await ended(reader, 0.1):
                break
    except OSError:
        pass
    seconds = time.monotonic() - began
    expect(seconds < 3.5, f"a slow head was borne for {seconds:.1f} s")
    return f"slow head cut off after {seconds:.1f} s"


async def ended(reader, wait):
    """Whether a connection says or does something, which is to end: by the book or by a reset."""
    try:
        await asyncio.wait_for(reader.read(65536), wait)
        return True
    except asyncio.TimeoutError:
        return False
    except ConnectionError:
        return True


async def slow_body(service):
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    head = f"POST /v1/items HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {service.bearer}\r\n"
    writer.write((head + "content-type: application/json\r\ncontent-length: 1000\r\n\r\n").encode())
    began = time.monotonic()
    answer = b""
    try:
        while time.monotonic() - began < 20 and not answer:
            writer.write(b" ")
            await writer.drain()
            try:
                answer = await asyncio.wait_for(reader.read(65536), 0.2)
                break
            except asyncio.TimeoutError:
                continue
    except OSError:
        pass
    seconds = time.monotonic() - began
    expect(seconds < 6, f"a slow body was borne for {seconds:.1f} s")
    expect(answer.split(b" ")[1:2] in ([b"408"], [b"504"], [b"400"]), f"it is refused: {answer[:40]}")
    writer.close()
    return f"slow body refused with {answer.split(b' ')[1].decode()} after {seconds:.1f} s"


async def idle_connections(service, count=10_000):
    before = service.memory()
    known, slowest, answered = Connection(service.port, service.bearer), 0.0, 0
    idle = []
    for start in range(0, count, 500):
        opened = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", service.port) for _ in range(500)), return_exceptions=True)
        idle += [pair for pair in opened if not isinstance(pair, Exception)]
        # Neither who is connected already notices, nor who comes now.
        for caller in (known, *(Connection(service.port, service.bearer) for _ in range(5))):
            answer = await caller.request("/v1/items")
            expect(answer.status == 200, f"beside {len(idle)} idle connections: {answer.status} {answer.error}")
            slowest, answered = max(slowest, answer.seconds), answered + 1
            if caller is not known:
                caller.close()
    grown = service.memory() - before
    expect(grown < 40, f"{len(idle)} idle connections cost {grown:.0f} MB")
    expect(slowest < 1, f"beside them an answer takes {slowest:.1f} s")
    began = time.monotonic()
    # Nobody may hold a connection without a word for longer than the head may take.
    closed = await asyncio.gather(*(ended(reader, 5) for reader, _ in idle))
    seconds = time.monotonic() - began
    # A full accept queue leaves a few open at this end alone; the first word tells.
    for (reader, writer), is_closed in zip(idle, closed):
        if not is_closed:
            writer.write(b"G")
            expect(await ended(reader, 5), "an idle connection is still open")
    for _, writer in idle:
        writer.close()
    return (f"{len(idle)} idle connections: +{grown:.0f} MB, {answered} requests beside them answered, the slowest in "
            f"{slowest * 1000:.0f} ms, all closed after {seconds:.1f} s")


async def large_body(service):
    before, sent = service.memory(), []
    for framing in ("content-length: 1073741824", "transfer-encoding: chunked"):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        head = f"POST /v1/items HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {service.bearer}\r\n"
        writer.write((head + f"content-type: application/json\r\n{framing}\r\n\r\n").encode())
        block = b" " * 65536
        piece = b"10000\r\n" + block + b"\r\n" if "chunked" in framing else block
        answer = asyncio.create_task(reader.read(65536))
        passed = 0
        try:
            while passed < 1 << 30 and not answer.done():
                writer.write(piece)
                await writer.drain()
                passed += len(block)
                # Or the answer would not be looked for.
                await asyncio.sleep(0)
        except OSError:
            pass
        try:
            status = (await answer).split(b" ")[1:2]
        except OSError:
            raise AssertionError(f"the refusal is lost, {framing}") from None
        expect(status == [b"413"], f"a body of 1 GB is refused with {status}, {framing}")
        expect(passed < 64 << 20, f"{passed >> 20} MB were taken, {framing}")
        sent.append(passed / (1 << 20))
        writer.close()
    grown = service.memory() - before
    expect(grown < 20, f"memory grew by {grown:.0f} MB")
    return f"1 GB refused with 413 after {sent[0]:.1f} MB (told before) and {sent[1]:.1f} MB (not told)"


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "NUL bytes": b"GET /\0 HTTP/1.1\r\nhost: t\r\n\r\n",
    "a method with a space": b"G ET / HTTP/1.1\r\nhost: t\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/3.0": b"GET / HTTP/3.0\r\nhost: t\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100ca010000c60303") + b"\x01" * 180,
    "a head of 1 MB": b"GET / HTTP/1.1\r\nhost: t\r\nx: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "1,000 headers": b"GET / HTTP/1.1\r\nhost: t\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
    "a chunk size that overflows": b"POST /v1/items HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
    "a chunk size that is none": b"POST /v1/items HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx",
    "two lengths": b"POST /v1/items HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
    "a negative length": b"POST /v1/items HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nhost: t\r\nx: y\r\n z\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nhost : t\r\n\r\n",
    "length and chunks at once": b"POST /v1/items HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/x",
}


async def malformed(service):
    answers = {}
    for what, request in MALFORMED.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        answer = b""
        try:
            writer.write(request)
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(65536), 5)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what}: neither an answer nor an end in 5 s") from None
        except OSError:
            pass
        writer.close()
        status = int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.") else 0
        answers[what] = status
        # Without a token a request that can be understood is a 401 or 404; it must never be carried out, nor fail inside.
        expect(status in (0, 400, 401, 404, 413, 431, 505), f"{what} is answered with {status}")
        expect(answer.count(b"HTTP/1.1") <= 1, f"{what} is two requests: {answer}")
    refused = sum(status != 0 for status in answers.values())
    return f"{len(answers)} malformed requests: {refused} refused, {len(answers) - refused} cut off"


async def retry_storm(place):
    """7. gateway calls orders calls inventory, which fails: the budgets of both keep the storm small."""
    settings = {"CALLS__INVENTORY__BREAKER_MIN_CALLS": 1_000_000, "CALLS__INVENTORY__STALE_MS": 0}
    seconds, rate = 10, 60
    with inventory(place) as callee:
        async with Proxy(callee.port) as proxy:
            await proxy.become("reset")
            with served(place, proxy, settings) as orders:
                (place["scratch"] / "orders.token").write_text(orders.bearer)
                top = Service(place["binaries"], "gateway", place["scratch"], {
                    "DISCOVERY__ADDRESSES__ORDERS": f"http://127.0.0.1:{orders.port}",
                    "TOKEN__ORDERS_FILE": place["scratch"] / "orders.token",
                    "CALLS__ORDERS__BREAKER_MIN_CALLS": 1_000_000, "CALLS__ORDERS__STALE_MS": 0, "LOG__LEVEL": "warn",
                }, stateless=True)
                with top as gateway:
                    report = await open_loop(gateway.port, gateway.bearer, "/v1/orders/items", rate=rate, seconds=seconds)
                    asked, reached = len(report), proxy.count()
                    between = orders.metric("http_requests_total", route="/v1/inventory/items")
                    expect(not report.of(0, 200, 500), f"each fails as it should: {report}")
                    # Of each layer's requests a fifth more, one a second, and those of ten seconds saved up.
                    def most(requests):
                        return requests * 1.2 + seconds + 10
                    expect(between <= most(asked), f"{between:.0f} requests reached orders, for {asked}")
                    expect(reached <= most(most(asked)), f"{reached} attempts reached inventory, for {asked}")
                    expect(between > asked and reached > between, "both layers do retry")
                    return (f"{asked} requests became {between:.0f} to orders and {reached} to inventory, "
                            f"{reached / asked:.2f} times; without budgets 9 times")


SCENARIOS = [
    dependency_dead, dependency_slow, overload, stopped_under_load, rolled, database_locked, hostile_clients, retry_storm,
    documented,
]
