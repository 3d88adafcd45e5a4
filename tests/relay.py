#!/usr/bin/env python3
"""A switch that loses, delays and cuts: Ethernet frames between interfaces, in user space.

Kernels without sch_netem cannot spoil a link; this can, wherever a process may open packet sockets. Every argument is
an interface, or `interface=clean` for one whose frames are never spoilt. Commands come on standard input, a line each:

    spoil LOSS_PERCENT DELAY_MS    from now on, for frames between interfaces that are not clean
    cut NAME / heal NAME           frames from and to this interface vanish, or pass again
    count                          answers `passed lost cut` so far

Needs CAP_NET_RAW in the network namespace it runs in.
"""

import ctypes
import fcntl
import heapq
import random
import selectors
import socket
import struct
import sys
import time

ETH_P_ALL = 3
OUTGOING = 4  # sll_pkttype of a frame the kernel itself sends: not ours to forward again
FRAME_BYTES_MAX = 65536
SIOCETHTOOL = 0x8946
# Receive and segmentation offloads off (rx, tx, sg, tso, gso, gro): what a relay reads must be what a wire carries.
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)


def plain(name):
    """Switches an interface's offloads off, as far as it has them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", name.encode(), ctypes.addressof(value)) + b"\0" * 16
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError:
                pass


class Relay:
    def __init__(self, arguments):
        self.clean, self.cut, self.ports, self.places = set(), set(), {}, {}
        self.loss, self.delay, self.waiting, self.number = 0.0, 0.0, [], 0
        self.passed = self.lost = self.dropped = 0
        self.selector = selectors.DefaultSelector()
        for argument in arguments:
            name, _, kind = argument.partition("=")
            if kind == "clean":
                self.clean.add(name)
            plain(name)
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            port.bind((name, ETH_P_ALL))
            port.setblocking(False)
            self.ports[name] = port
            self.selector.register(port, selectors.EVENT_READ, name)
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)

    def run(self):
        print("ready", flush=True)
        while True:
            pause = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else None
            for key, _ in self.selector.select(pause):
                if key.data is None:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.obey(line.split())
                else:
                    self.read(key.data)
            self.deliver()

    def obey(self, words):
        if words[0] == "spoil":
            self.loss, self.delay = float(words[1]) / 100, float(words[2]) / 1000
        elif words[0] == "cut":
            self.cut.add(words[1])
        elif words[0] == "heal":
            self.cut.discard(words[1])
        print(self.passed, self.lost, self.dropped, flush=True)

    def read(self, name):
        while True:
            try:
                frame, address = self.ports[name].recvfrom(FRAME_BYTES_MAX)
            except OSError:
                return
            if address[2] == OUTGOING or len(frame) < 14:
                continue
            self.places[frame[6:12]] = name
            to = self.places.get(frame[0:6])
            for other in self.ports if to is None or frame[0] & 1 else (to,):
                if other != name:
                    self.forward(name, other, frame)

    def forward(self, source, to, frame):
        if source in self.cut or to in self.cut:
            self.dropped += 1
            return
        due = time.monotonic()
        if source not in self.clean and to not in self.clean:
            if random.random() < self.loss:
                self.lost += 1
                return
            due += self.delay
        self.number += 1
        heapq.heappush(self.waiting, (due, self.number, to, frame))

    def deliver(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(self.waiting)
            try:
                self.ports[to].send(frame)
                self.passed += 1
            except OSError:
                self.dropped += 1


if sys.argv[1] == "--plain":
    for interface in sys.argv[2:]:
        plain(interface)
else:
    Relay(sys.argv[1:]).run()
