"""A server of HTTP/2 that a test drives: python-h2 behind the sockets of an `Origin`."""

import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings


class Request:
    """One stream, as far as it has come."""

    def __init__(self, connection, stream, fields):
        self.connection = connection
        self.stream = stream
        self.fields = {}
        for name, value in fields:
            self.fields.setdefault(name, value)
        self.body = b""
        self.trailers = {}
        self.ended = False
        self.reset = None

    @property
    def path(self):
        return self.fields[":path"]

    def respond(self, body=b"ok\n", status=200, fields=(), end=True):
        head = [(":status", str(status)), *fields]
        self.connection.h2.send_headers(self.stream, head, end_stream=end and not body)
        if body:
            self.connection.send(self.stream, body, end)

    def finish(self, trailers=None):
        if trailers:
            self.connection.h2.send_headers(self.stream, trailers, end_stream=True)
        else:
            self.connection.h2.end_stream(self.stream)


class Connection:
    """One connection of the server. `on_request` is called when a request has ended, `on_head` and `on_data` before."""

    def __init__(self, conversation, server):
        self.conversation = conversation
        self.server = server
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.requests = {}
        self.queued = {}
        self.goaway = None

    def run(self):
        settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100, **self.server.settings}
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.h2.initiate_connection()
        self.flush()
        while data := self.conversation.read():
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                self.server.errors.append(error)
                self.flush()
                return
            for event in events:
                self.take(event)
            self.flush()

    def take(self, event):
        request = self.requests.get(getattr(event, "stream_id", None))
        server = self.server
        if isinstance(event, h2.events.RequestReceived):
            request = self.requests[event.stream_id] = Request(self, event.stream_id, event.headers)
            server.requests.append(request)
            server.on_head(request)
        elif isinstance(event, h2.events.DataReceived):
            request.body += event.data
            if server.credit:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            server.on_data(request, event.data)
        elif isinstance(event, h2.events.TrailersReceived):
            request.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            request.ended = True
            server.on_request(request)
        elif isinstance(event, h2.events.StreamReset):
            request.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for stream in list(self.queued):
                self.pump(stream)

    def send(self, stream, body, end=True):
        queue = self.queued.setdefault(stream, [b"", False])
        queue[0] += body
        queue[1] = end
        self.pump(stream)

    def pump(self, stream):
        body, end = self.queued[stream]
        try:
            while body:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
                if room <= 0:
                    break
                self.h2.send_data(stream, body[:room], end_stream=end and room == len(body))
                body = body[room:]
        except h2.exceptions.StreamClosedError:
            body = b""
        if body:
            self.queued[stream] = [body, end]
        else:
            del self.queued[stream]

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.conversation.send(data)


class Server:
    """The handler of an `Origin`. `answers` takes a request that has ended."""

    def __init__(self, answers=Request.respond, settings=None, head=None, data=None):
        self.on_request = answers
        self.on_head = head or (lambda request: None)
        self.on_data = data or (lambda request, piece: None)
        self.settings = settings or {}
        self.credit = True
        self.requests = []
        self.connections = []
        self.errors = []
        self.lock = threading.Lock()

    def __call__(self, conversation):
        connection = Connection(conversation, self)
        with self.lock:
            self.connections.append(connection)
        connection.run()
