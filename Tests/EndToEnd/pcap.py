"""`python3 pcap.py FILE INTERFACE`: what tcpdump -w does, for user namespaces, in which tcpdump cannot drop its rights."""

import signal
import socket
import struct
import sys
import time


def main(path, interface):
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    if interface != "any":
        tap.bind((interface, 0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    with open(path, "wb", buffering=0) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        print("listening on", interface, file=sys.stderr, flush=True)
        while True:
            frame = tap.recv(262144)
            now = time.time()
            file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)


if __name__ == "__main__":
    main(*sys.argv[1:])
