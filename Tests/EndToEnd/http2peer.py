"""A client of HTTP/2 that a test drives frame by frame: python-h2 over a socket."""

import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.interim = []
        self.fields = {}
        self.body = b""
        self.trailers = {}
        self.ended = False
        self.reset = None

    @property
    def status(self):
        return int(self.fields.get(":status", 0))


class Client:
    """One connection; `strict=False` sends what no client should."""

    def __init__(self, sock, strict=True, window=None):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=strict,
            normalize_outbound_headers=strict))
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.answers = {}
        self.goaway = None
        self.ended = False
        self.credit = True
        self.flush()

    def flush(self, piece=None):
        data = self.h2.data_to_send()
        for at in range(0, len(data), piece or max(len(data), 1)):
            self.sock.sendall(data[at:at + piece] if piece else data)

    def request(self, path="/", method="GET", host="origin.example", fields=(), body=None, end=True, scheme="https", piece=None):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", scheme), (":authority", host), (":path", path), *fields]
        self.h2.send_headers(stream, head, end_stream=end and not body)
        self.answers[stream] = Answer()
        self.flush(piece)
        if body:
            self.send(stream, body, end, piece)
        return stream

    def send(self, stream, body, end=True, piece=None):
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room <= 0:
                if not self.read():
                    return
                continue
            self.h2.send_data(stream, body[:room], end_stream=end and room == len(body))
            body = body[room:]
            self.flush(piece)

    def read(self):
        """Takes what comes once; False at the end."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            self.ended = True
            return False
        for event in self.h2.receive_data(data):
            self.take(event)
        try:
            self.flush()
        except OSError:
            pass
        return True

    def take(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            answer.fields = dict(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.credit:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code

    def answer(self, stream):
        """Reads until the stream has ended, one way or the other."""
        answer = self.answers[stream]
        while not answer.ended and answer.reset is None:
            if not self.read():
                break
        return answer

    def close(self):
        self.sock.close()
