import Bytes
import HTTP
import Loop
import OS
import Upstream

/// Accepts the connections of the admin API, on TCP to read and on a local socket to control as well.
final class AdminListener: Handler {
    private unowned let gateway: Gateway
    private let socket: Socket
    private let mayControl: Bool
    private var open = 0

    /// Enough for probes and people.
    private static let connectionsMax = 64

    init(_ socket: consuming Socket, _ gateway: Gateway, mayControl: Bool) throws(Errno) {
        self.gateway = gateway
        self.mayControl = mayControl
        let number = socket.number
        self.socket = socket
        super.init()
        try gateway.control.add(self, descriptor: number)
    }

    /// After EMFILE: the edge that told of the connection is not told again.
    private static let backOff = Milliseconds(100)

    override func ready(_ events: Readiness) { accept() }
    override func expired() { accept() }

    private func accept() {
        do throws(Errno) { try acceptAll() } catch {
            gateway.control.setDeadline(self, gateway.control.now + AdminListener.backOff)
        }
    }

    private func acceptAll() throws(Errno) {
        while let accepted = try socket.accept() {
            guard open < AdminListener.connectionsMax else { continue }
            let number = accepted.socket.number
            let connection = AdminConnection(accepted.socket, gateway, mayControl: mayControl) { [unowned self] in
                open -= 1
            }
            guard (try? gateway.control.add(connection, descriptor: number)) != nil else { continue }
            open += 1
            connection.begin()
        }
    }
}

/// One request to the admin API, and its answer.
final class AdminConnection: Handler {
    private unowned let gateway: Gateway
    private var transport: Transport
    private let mayControl: Bool
    private let closed: () -> Void
    private var input = Buffer()
    private var head = RequestHead()
    private enum State { case reading, serving, answering }
    private var state = State.reading

    private static let deadline = Milliseconds.seconds(10)

    init(_ socket: consuming Socket, _ gateway: Gateway, mayControl: Bool, closed: @escaping () -> Void) {
        transport = Transport(socket, connected: true)
        self.gateway = gateway
        self.mayControl = mayControl
        self.closed = closed
    }

    func begin() {
        gateway.control.setDeadline(self, gateway.control.now + AdminConnection.deadline)
        read()
    }

    override func ready(_ events: Readiness) {
        transport.note(events)
        switch state {
        case .reading: read()
        case .serving: break
        case .answering: finish()
        }
    }

    override func expired() { close() }

    private func read() {
        do throws(Errno) {
            while transport.readable, state == .reading {
                let room = input.writable(4096)
                switch try transport.read(into: room) {
                case .moved(let count):
                    input.wrote(count)
                    parse()
                case .wouldBlock: return
                case .ended: return close()
                }
            }
        } catch {
            close()
        }
    }

    private func parse() {
        switch head.parse(input.readable, limits: Limits()) {
        case .needMore: break
        case .reject(let rejection): answer(rejection.status, "text/plain", "\(rejection.message)\n")
        case .head:
            state = .serving
            let bytes = input.readable
            let path = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[head.path]), as: UTF8.self)
            let method = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[head.methodRange]), as: UTF8.self)
            gateway.serve(method, path, mayControl: mayControl, to: self)
        }
    }

    /// Sends the answer; the connection ends with it.
    func answer(_ status: Int, _ type: StaticString, _ body: String) {
        state = .answering
        guard token != .none else { return }
        var out = Buffer(capacity: 512)
        out.append("HTTP/1.1 ")
        out.append(decimal: UInt64(status))
        out.append(status < 400 ? " OK" : " Error")
        out.append("\r\nContent-Type: ")
        out.append(type)
        out.append("\r\nContent-Length: ")
        out.append(decimal: UInt64(body.utf8.count))
        out.append("\r\nConnection: close\r\n\r\n")
        if head.method != .head { out.append(text: body) }
        do throws(Errno) {
            try transport.write(out.readable)
            finish()
        } catch {
            close()
        }
    }

    private func finish() {
        do throws(Errno) {
            if try transport.flush() {
                transport.shutdownWriting()
                close()
            }
        } catch {
            close()
        }
    }

    private func close() {
        guard token != .none else { return }
        gateway.control.remove(self)
        closed()
    }
}
