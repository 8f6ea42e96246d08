"""A TCP proxy between two services, which misbehaves as it is told, and counts what passes."""

import asyncio
import socket
import struct


class Proxy:
    """Modes: `pass`; `delay` by so many seconds each way; `hole` accepts and never answers; `reset` cuts each connection
    with a RST; `cut` passes so many bytes of the answer and then cuts; `refuse` does not listen."""

    def __init__(self, upstream, port=0):
        self.upstream, self.port = upstream, port
        self.mode, self.amount = "pass", 0
        self.connections = 0
        self.requests = 0
        self.server = None
        self.writers = set()

    async def __aenter__(self):
        await self.listen()
        return self

    async def __aexit__(self, *_):
        await self.refuse()

    async def listen(self):
        self.server = await asyncio.start_server(self.handle, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def refuse(self):
        if self.server:
            self.server.close()
            self.server = None
        self.reset_all()

    async def become(self, mode, amount=0):
        """Changes the mode; connections that stand are cut, so that it holds for all."""
        if mode == "refuse":
            await self.refuse()
        elif self.server is None:
            await self.listen()
        self.mode, self.amount = mode, amount
        if mode != "delay":
            self.reset_all()

    def count(self):
        """Requests since the last time."""
        requests, self.requests = self.requests, 0
        return requests

    def reset_all(self):
        for writer in list(self.writers):
            reset(writer)

    async def handle(self, reader, writer):
        self.connections += 1
        self.writers.add(writer)
        try:
            if self.mode == "reset":
                await reader.read(1)
                self.requests += 1
                reset(writer)
            elif self.mode == "hole":
                while data := await reader.read(65536):
                    self.requests += data.count(b" HTTP/1.1\r\n")
            else:
                there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
                self.writers.add(back)
                await asyncio.gather(self.pump(reader, back, True), self.pump(there, writer, False))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def pump(self, reader, writer, is_request):
        passed = 0
        try:
            while data := await reader.read(65536):
                if is_request:
                    self.requests += data.count(b" HTTP/1.1\r\n")
                if self.mode == "delay":
                    await asyncio.sleep(self.amount)
                if self.mode == "cut" and not is_request:
                    data = data[: max(0, self.amount - passed)]
                    writer.write(data)
                    await writer.drain()
                    passed += len(data)
                    if passed >= self.amount:
                        reset(writer)
                        return
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            self.writers.discard(writer)
            writer.close()


def reset(writer):
    """Ends a connection with a RST."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()
