import Bytes
import DLP
import HTTP
import OS
import Policy
import Upstream

/// Bytes of a tunnel: moved inside the kernel, or read by packet sensors on the way.
extension Session {
    func decideTunnel(_ exchange: Exchange) {
        guard let tunnel else { return }
        if exchange.application == .tls {
            noteHello(exchange)
            if intercepts(exchange) { return intercept(exchange) }
        }
        tunnel.isRead = exchange.reads.contains(.packet)
        if !tunnel.awaitsServer { noteUnread(exchange) }
        if tunnel.awaitsServer {
            // What the server will say is not known yet: go on if any rule could still allow it.
            let policy = exchange.snapshot.policy
            let open =
                exchange.dial.map {
                    policy.couldAllow(
                        service: identity.service, name: exchange.name, address: $0.address, port: $0.port)
                } ?? false
            guard open || exchange.action != .deny else {
                if !waitForName(exchange) { refuseTunnel(exchange) }
                return
            }
        } else if exchange.action == .deny {
            return refuseTunnel(exchange)
        }
        dial(exchange)
    }

    /// A client that connects early may still name something that a rule allows: it is given the time that a head has.
    private func waitForName(_ exchange: Exchange) -> Bool {
        let policy = exchange.snapshot.policy
        let rules = policy.rules(of: identity.service) + policy.learned.rules(of: exchange.service.name)
        let isNamed = rules.contains { rule in
            rule.action == .allow && policy.speaksOfNames(rule)
                && (rule.ports.isEmpty || rule.ports.contains { $0.contains(exchange.port) })
        }
        guard isNamed, exchange.threats.isEmpty, !awaitsName else { return false }
        awaitsName = true
        tunnel = nil
        worker.recycle(exchange)
        self.exchange = nil
        phase = .detect
        return true
    }

    /// Sensors that want a body, a url or a header see nothing of a tunnel; that is said, never passed over.
    func noteUnread(_ exchange: Exchange) {
        // Behind a 101 come frames, masked and perhaps compressed.
        let isHidden = exchange.application.hidesItsContent || exchange.head.upgrade != nil
        let isRead = exchange.reads.contains(.packet) && !isHidden
        guard !isRead, !exchange.reads.subtracting(.name).isEmpty else { return }
        exchange.uninspectable = .tunnel
        exchange.noteInspection()
    }

    func startTunnel(_ exchange: Exchange) {
        guard let tunnel else { return }
        phaseDeadline = .never
        if tunnel.isRead {
            if let agreed = tunnel.webSocket {
                exchange.openWebSocket(agreed)
            } else {
                exchange.inspection.open(.request, as: .packet, codings: [])
                exchange.inspection.open(.response, as: .packet, codings: [])
            }
            // The offsets of a body that came before an upgrade are not those of the tunnel.
            exchange.held.clear()
            exchange.heldBack.clear()
        }
        phase = .tunnel
        // An end that came while the client was detected is not told again.
        if clientEnded { tunnel.up.ended = true }
        // The drain came while the connection was made, and found nothing to end yet.
        if worker.isDraining, tunnel.awaitsServer { return tunnelEnded(exchange) }
        // A configuration that came while the connection was made would not be asked again before the next one.
        if exchange.snapshot !== worker.snapshot { judgeAgain(under: worker.snapshot) }
        if phase == .tunnel, !tunnel.awaitsServer { pushInput(exchange) }
    }

    /// A response of 101 has been relayed; what follows is another protocol: a WebSocket that can be read, or anything.
    func becomeTunnel(_ exchange: Exchange, _ webSocket: WebSocketExtensions?) {
        let tunnel = Tunnel()
        tunnel.webSocket = webSocket
        tunnel.isRead = webSocket != nil || exchange.reads.contains(.packet)
        self.tunnel = tunnel
        startTunnel(exchange)
    }

    /// What the origin sent behind its 101.
    func pushResponseInput(_ exchange: Exchange) {
        guard !exchange.responseInput.isEmpty else { return }
        deliverTunnel(exchange, exchange.responseInput.readable)
        exchange.responseInput.removeAll()
    }

    /// What the client sent while it was detected goes first.
    private func pushInput(_ exchange: Exchange) {
        guard !input.isEmpty else { return }
        sendTunnel(exchange, input.readable, end: clientEnded)
        input.release()
    }

    // MARK: Moving

    func stepTunnel() throws(Errno) -> Bool {
        guard let exchange, let tunnel, let origin else { return false }
        if tunnel.awaitsServer { return try stepServerFirst(exchange, tunnel, origin) }
        var moved = false
        do throws(Errno) {
            if origin.transport.isBacklogged, origin.transport.isWritable {
                let before = origin.transport.backlogCount
                _ = try origin.transport.flush()
                moved = origin.transport.backlogCount < before
            }
        } catch {
            tunnelEnded(exchange)
            return true
        }
        moved = try stepUp(exchange, tunnel, origin) || moved
        guard phase == .tunnel else { return true }
        moved = try stepDown(exchange, tunnel, origin) || moved
        guard phase == .tunnel else { return true }
        if moved { lastMove = now }
        if tunnel.isBulk { worker.loop.afterLull(self) }
        if tunnel.isOver { tunnelEnded(exchange) }
        return moved
    }

    /// Bytes too few to be called for may have waited long enough.
    func endLull() {
        guard let tunnel, tunnel.isBulk, now.milliseconds > lastMove.milliseconds + 1 else { return }
        if tunnel.up.isBulk { transport.readAgain() }
        if tunnel.down.isBulk { origin?.transport.readAgain() }
    }

    private func stepUp(_ exchange: Exchange, _ tunnel: Tunnel, _ origin: Origin) throws(Errno) -> Bool {
        if tunnel.isRead || !transport.canSplice || !origin.transport.canSplice {
            guard transport.readable, !origin.transport.isBacklogged, !tunnel.up.ended else {
                return finishFlow(&tunnel.up, held: exchange.held.count, into: &origin.transport)
            }
            let room = worker.room
            switch try transport.read(into: room) {
            case .moved(0): return true
            case .moved(let count):
                sendTunnel(exchange, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
            case .wouldBlock: return false
            case .ended:
                tunnel.up.ended = true
                sendTunnel(exchange, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
            }
            return true
        }
        do throws(Errno) {
            let count = try worker.splice(&transport, &origin.transport, &tunnel.up)
            exchange.bytesOut += UInt64(count.out)
            return count.moved || finishFlow(&tunnel.up, held: 0, into: &origin.transport)
        } catch {
            tunnelEnded(exchange)
            return true
        }
    }

    private func stepDown(_ exchange: Exchange, _ tunnel: Tunnel, _ origin: Origin) throws(Errno) -> Bool {
        do throws(Errno) {
            if tunnel.isRead || !transport.canSplice || !origin.transport.canSplice {
                guard origin.transport.readable, !transport.isBacklogged, !tunnel.down.ended else {
                    return finishFlow(&tunnel.down, held: exchange.heldBack.count, into: &transport)
                }
                let room = worker.room
                switch try origin.transport.read(into: room) {
                case .moved(0): return true
                case .moved(let count):
                    deliverTunnel(exchange, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
                case .wouldBlock: return false
                case .ended:
                    tunnel.down.ended = true
                    deliverTunnel(exchange, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
                }
                return true
            }
            let count = try worker.splice(&origin.transport, &transport, &tunnel.down)
            exchange.bytesIn += UInt64(count.out)
            if count.out > 0 { exchange.isAnswered = true }
            return count.moved || finishFlow(&tunnel.down, held: 0, into: &transport)
        } catch {
            tunnelEnded(exchange)
            return true
        }
    }

    /// Passes the end of one side on to the other, once all before it has gone.
    private func finishFlow(_ flow: inout Tunnel.Flow, held: Int, into sink: inout Transport) -> Bool {
        guard flow.ended, !flow.shut, flow.piped == 0, held == 0, !sink.isBacklogged else { return false }
        sink.shutdownWriting()
        flow.shut = true
        return true
    }

    // MARK: The server speaks first

    private func stepServerFirst(_ exchange: Exchange, _ tunnel: Tunnel, _ origin: Origin) throws(Errno) -> Bool {
        if transport.readable {
            let room = worker.room
            switch try transport.read(into: room) {
            case .moved(0): return true
            case .moved(let count):
                input.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
                clientSpokeFirst()
                return true
            case .wouldBlock: break
            case .ended:
                clientEnded = true
                tunnel.up.ended = true
            }
        }
        guard origin.transport.readable else { return false }
        let room = worker.room
        do throws(Errno) {
            switch try origin.transport.read(into: room) {
            case .moved(0): return true
            case .moved(let count):
                let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
                serverSpoke(exchange, tunnel, bytes)
            case .wouldBlock: return false
            case .ended: tunnelEnded(exchange)
            }
        } catch {
            tunnelEnded(exchange)
        }
        return true
    }

    /// Judged again, now that the application is known, before any byte of the client goes out.
    private func serverSpoke(_ exchange: Exchange, _ tunnel: Tunnel, _ bytes: UnsafeRawBufferPointer) {
        tunnel.awaitsServer = false
        if case .application(let application) = Detector.server(bytes) { exchange.application = application }
        exchange.isAnswered = true
        exchange.decide()
        noteUnread(exchange)
        if exchange.action == .deny { return refuseTunnel(exchange) }
        if exchange.snapshot !== worker.snapshot { judgeAgain(under: worker.snapshot) }
        if phase == .tunnel { deliverTunnel(exchange, bytes) }
    }

    // MARK: Sensors

    private func sendTunnel(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer, end: Bool = false) {
        guard let tunnel, let origin else { return }
        guard tunnel.isRead else {
            exchange.bytesOut += UInt64(bytes.count)
            do throws(Errno) { try origin.transport.write(bytes) } catch { tunnelEnded(exchange) }
            return
        }
        exchange.bytesTaken += UInt64(bytes.count)
        exchange.feed(.request, bytes, end: end)
        guard passes(exchange) else { return }
        exchange.held.append(bytes)
        worker.held(bytes.count)
        tunnel.tailWaited = false
        releaseTunnel(exchange)
    }

    private func deliverTunnel(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer, end: Bool = false) {
        guard let tunnel else { return }
        if !bytes.isEmpty { exchange.isAnswered = true }
        guard tunnel.isRead else {
            exchange.bytesIn += UInt64(bytes.count)
            do throws(Errno) { try transport.write(bytes) } catch { clientBroke() }
            return
        }
        exchange.feed(.response, bytes, end: end)
        guard passes(exchange) else { return }
        exchange.heldBack.append(bytes)
        tunnel.tailWaited = false
        releaseTunnel(exchange)
    }

    private func passes(_ exchange: Exchange) -> Bool {
        exchange.noteInspection()
        guard exchange.action == .deny else { return true }
        exchange.bytesBeforeVerdict = exchange.bytesOut
        refuseTunnel(exchange)
        return false
    }

    private func releaseTunnel(_ exchange: Exchange) {
        guard let origin else { return }
        for redaction in exchange.inspection.takeRedactions(.request) { exchange.held.redact(redaction) }
        for redaction in exchange.inspection.takeRedactions(.response) { exchange.heldBack.redact(redaction) }
        let up = exchange.held.free(until: exchange.inspection.releasable(.request))
        let down = exchange.heldBack.free(until: exchange.inspection.releasable(.response))
        let (upCount, downCount) = (up.count, down.count)
        do throws(Errno) { if upCount > 0 { try origin.transport.write(up) } } catch { return tunnelEnded(exchange) }
        do throws(Errno) { if downCount > 0 { try transport.write(down) } } catch { return clientBroke() }
        exchange.held.released(upCount)
        exchange.heldBack.released(downCount)
        worker.released(upCount)
        exchange.bytesOut += UInt64(upCount)
        exchange.bytesIn += UInt64(downCount)
        guard max(exchange.held.count, exchange.heldBack.count) > exchange.holdMost else { return }
        exchange.note(Rejection.endlessCoding.threat)
        refuseTunnel(exchange)
    }

    /// Silence: an interactive stream must not stall on a tail that could become a match.
    func tailWaitedLongEnough(_ exchange: Exchange) {
        exchange.inspection.releaseTail(.request)
        exchange.inspection.releaseTail(.response)
        tunnel?.tailWaited = true
        releaseTunnel(exchange)
    }

    // MARK: Endings

    func refuseTunnel(_ exchange: Exchange) {
        dropOrigin(reset: true)
        let isTold = sendClose(exchange)
        if !isTold { transport.setResetOnClose() }
        finish(exchange)
        phase = isTold ? .closing(linger: true) : .closed
    }

    /// Tells the client of a WebSocket why it ends (RFC 6455 section 7.4.1). Not within a frame, of which the rest is missing.
    private func sendClose(_ exchange: Exchange) -> Bool {
        guard phase == .tunnel, let request = exchange.requestFrames, let response = exchange.responseFrames,
            exchange.inspection.isAtFrame(.response), tunnel?.down.ended == false
        else { return false }
        let isMalformed = request.isBroken || response.isBroken
        worker.outbox.removeAll()
        defer { worker.outbox.removeAll() }
        WebSocketFrames.close(
            isMalformed ? 1002 : 1008, "\(denial(exchange)) (event \(exchange.id))", into: &worker.outbox)
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch { return false }
        return true
    }

    func tunnelFailed(_ exchange: Exchange) { refuseTunnel(exchange) }

    /// Both sides are done, or one broke.
    func tunnelEnded(_ exchange: Exchange) {
        let orderly = tunnel?.isOver ?? false
        dropOrigin(reset: !orderly)
        if !orderly { transport.setResetOnClose() }
        finish(exchange)
        phase = orderly ? .closing(linger: false) : .closed
    }
}

extension Application {
    /// Encrypted, compressed or masked: reading its packets would find nothing and prove nothing.
    fileprivate var hidesItsContent: Bool {
        switch self {
        case .tls, .ssh, .http2, .grpc, .webSocket: true
        default: false
        }
    }
}
