import Bytes

/// How a question is put to one server after another, until one answers.
extension ForwarderCore {
    /// Puts a question to the best server that it was not put to in this round.
    mutating func askNextServer(_ place: Int, now: Ticks) {
        guard let asking = askings[place] else { return }
        guard asking.attemptsMade < (asking.isProbe ? 1 : ForwarderCore.attemptsMost) else {
            asking.retryAt = .never
            return
        }
        if asking.hasAskedAll { asking.beginRound() }
        guard let choice = nextServer(of: asking) else { return }
        asking.asked |= 1 << UInt64(choice)
        let isFirst = asking.attemptsMade == 0
        let number = asking.servers[choice]
        let way = Way(
            overStream: asking.rounds == 0 && servers[number].map { $0.streamUntil > now } ?? false,
            edns: servers[number].map { $0.plainUntil <= now } ?? true,
            // Letters in random case only in the first round: a server that does not repeat them is still understood.
            mixed: asking.rounds == 0)
        put(place, to: number, way, now: now)
        // Not by a question that a server was silent to already.
        if isFirst, !asking.isProbe { probeOthers(than: number, of: asking, now: now) }
    }

    /// Those that are well go first, in their order.
    private func nextServer(of asking: Asking) -> Int? {
        var unwell: Int?
        for (place, server) in asking.servers.enumerated() where !asking.hasAsked(place) {
            if isWell(server) { return place }
            unwell = unwell ?? place
        }
        return unwell
    }

    private func isWell(_ server: Int) -> Bool { servers[server]?.health.isWell == true }

    /// Servers that were silent get a copy of the question when their time has come: whoever waits for the question is
    /// not delayed by what is wrong with them.
    private mutating func probeOthers(than chosen: Int, of asking: Asking, now: Ticks) {
        for number in asking.servers where number != chosen && !isWell(number) {
            if servers[number]?.health.takesProbe(now: now) == true { probe(number, with: asking.inquiry, now: now) }
        }
    }

    /// Sends a question to a server.
    private mutating func put(_ place: Int, to server: Int, _ way: Way, now: Ticks) {
        guard let asking = askings[place], let address = servers[server]?.address else { return }
        asking.attemptsMade += 1
        var way = way
        if address.tlsName != nil { way.overStream = true }
        let bits = random()
        guard let line = line(to: server, overStream: way.overStream, bits: ports, now: now) else {
            return giveUp(place, .tooMany, now: now)
        }
        var id = UInt16(truncatingIfNeeded: bits)
        while lines[line].place(of: id) != nil { id &+= 1 }
        let query = QueryWriter.query(
            id: id, asking.inquiry, edns: way.edns, capitals: way.mixed ? random() : 0, padded: address.tlsName != nil)
        lines[line].waiting.append((id, place))
        lines[line].uses += 1
        lines[line].lastUsed = now
        asking.attempts.append(Attempt(server: server, line: line, id: id, way: way, began: now, query: query))
        asking.retryAt = now + way.patience
        actions.append(.send(channel(of: line), query))
    }

    /// Asks the same server in another way.
    private mutating func askAgain(_ place: Int, _ attempt: Attempt, _ way: Way, _ reason: String, now: Ticks) {
        remove(attempt, from: place, now: now)
        if let made = askings[place]?.attemptsMade, made < ForwarderCore.attemptsMost {
            put(place, to: attempt.server, way, now: now)
        } else {
            giveUp(place, Failure(.unusable, reason), now: now)
        }
    }

    /// A try has failed and is gone: the next server is asked at once; when none is left the question has failed.
    private mutating func giveUp(_ place: Int, _ failure: Failure, now: Ticks) {
        guard let asking = askings[place] else { return }
        asking.failure = failure
        if asking.rounds == 0, !asking.hasAskedAll, asking.attemptsMade < ForwarderCore.attemptsMost {
            askNextServer(place, now: now)
        } else if asking.attempts.isEmpty {
            settle(place, .failed(failure), now: now)
        }
    }

    private mutating func remove(_ attempt: Attempt, from place: Int, now: Ticks) {
        askings[place]?.attempts.removeAll { $0.line == attempt.line && $0.id == attempt.id }
        release(attempt.id, on: attempt.line, now: now)
    }

    /// The id of a try is free again.
    private mutating func release(_ id: UInt16, on line: Int, now: Ticks) {
        lines[line].forget(id)
        lines[line].lastUsed = now
        if lines[line].isRetired, lines[line].outstanding == 0 { close(line) }
    }

    mutating func releaseAll(of asking: Asking, now: Ticks) {
        for index in asking.attempts.indices {
            release(asking.attempts[index].id, on: asking.attempts[index].line, now: now)
        }
    }

    /// Counts the servers of a question that have let its tries wait too long.
    mutating func noteSilence(_ place: Int, now: Ticks) {
        guard let asking = askings[place] else { return }
        for (index, attempt) in asking.attempts.enumerated() {
            guard !attempt.isOverdue, attempt.began + attempt.way.patience <= now else { continue }
            asking.attempts[index].isOverdue = true
            servers[attempt.server]?.health.failed(began: attempt.began, now: now)
            // A stream on which nothing came may be one that the other side has forgotten.
            if lines[attempt.line].isStream, lines[attempt.line].lastHeard < attempt.began { retire(attempt.line) }
        }
    }
}

// MARK: - What comes

extension ForwarderCore {
    /// A datagram came, or bytes of a stream, cut anywhere.
    public mutating func received(_ bytes: UnsafeRawBufferPointer, on channel: Channel, now: Ticks) {
        guard let line = line(of: channel) else { return }
        lines[line].lastHeard = now
        if lines[line].isStream {
            receivedStream(bytes, on: line, now: now)
        } else {
            message(bytes, on: line, now: now)
        }
    }

    private mutating func receivedStream(_ bytes: UnsafeRawBufferPointer, on line: Int, now: Ticks) {
        let channel = channel(of: line)
        var input = ContiguousArray<UInt8>()
        swap(&input, &lines[line].input)
        input.append(contentsOf: bytes)
        var at = 0
        input.withUnsafeBytes { input in
            while let length = input.uint16(at: at), at + 2 + Int(length) <= input.count {
                let whole = UnsafeRawBufferPointer(rebasing: input[(at + 2)..<(at + 2 + Int(length))])
                at += 2 + Int(length)
                message(whole, on: line, now: now)
                guard self.line(of: channel) != nil else { return }
            }
        }
        guard self.line(of: channel) != nil else { return }
        input.removeFirst(at)
        lines[line].input = input
    }

    private mutating func message(_ bytes: UnsafeRawBufferPointer, on line: Int, now: Ticks) {
        guard let id = bytes.uint16(at: 0), let place = lines[line].place(of: id), let asking = askings[place],
            let index = asking.attempts.firstIndex(where: { $0.line == line && $0.id == id }),
            let server = servers[asking.attempts[index].server]
        else { return noteStray(on: line, now: now) }
        let reply = asking.attempts[index].query.withUnsafeBytes {
            Reply(bytes, to: UnsafeRawBufferPointer(rebasing: $0.dropFirst(2)), of: asking.inquiry)
        }
        switch reply.meaning {
        case .stray where !lines[line].isStream: return noteStray(on: line, now: now)
        case .answer(let answer) where reply.keepsLetters:
            lines[line].messages += 1
            server.health.answered()
            settle(place, asking.attempts[index].way, answer, from: server, now: now)
        default: judge(reply, place, asking.attempts[index], of: server, now: now)
        }
    }

    private mutating func settle(
        _ place: Int, _ way: Way, _ answer: StoredAnswer, from server: Server, now: Ticks
    ) {
        if !way.edns, server.plainUntil <= now { server.plainUntil = now + ForwarderCore.weaknessTime }
        settle(place, .answer(answer, from: server.address.endpoint), now: now)
    }

    /// A reply that is no plain answer to its question.
    private mutating func judge(_ reply: Reply, _ place: Int, _ attempt: Attempt, of server: Server, now: Ticks) {
        let isStream = lines[attempt.line].isStream
        if case .stray = reply.meaning {
            remove(attempt, from: place, now: now)
            return giveUp(place, Failure(.unusable, "the server answered another question"), now: now)
        }
        lines[attempt.line].messages += 1
        server.health.answered()
        var way = attempt.way
        if !reply.keepsLetters {
            guard isStream else {
                way.overStream = true
                return askAgain(place, attempt, way, "the server answered with other letters", now: now)
            }
            // No forger writes on a stream: it is the server's way.
            if way.mixed { server.streamUntil = now + ForwarderCore.weaknessTime }
        }
        switch reply.meaning {
        case .stray: break
        case .truncated where isStream:
            remove(attempt, from: place, now: now)
            giveUp(place, Failure(.unusable, "the server truncated its answer on a stream"), now: now)
        case .truncated:
            way.overStream = true
            askAgain(place, attempt, way, "the server truncates every answer", now: now)
        case .plainOnly:
            way.edns = false
            askAgain(place, attempt, way, "the server cannot read the question", now: now)
        case .refused(let reason):
            remove(attempt, from: place, now: now)
            giveUp(place, Failure(.unusable, reason), now: now)
        case .answer(let answer): settle(place, way, answer, from: server, now: now)
        }
    }

    /// Something came that answers nothing. Where something waits, it may be a forger who found the port and tries ids: after
    /// some, what waits is asked where nobody can forge, and the port is given up.
    private mutating func noteStray(on line: Int, now: Ticks) {
        guard lines[line].outstanding > 0 || lines[line].isStream else { return }
        lines[line].strays += 1
        if lines[line].isStream {
            guard lines[line].strays > Line.streamStraysMost else { return }
            return failed(channel(of: line), because: "the server answers what was not asked", now: now)
        }
        guard lines[line].strays > Line.straysMost else { return }
        retire(line)
        for (place, attempt) in waiting(on: line) {
            var way = attempt.way
            way.overStream = true
            askAgain(place, attempt, way, "forged answers", now: now)
        }
    }

    /// A channel could not be opened, was refused, or has ended.
    ///
    /// - Parameter reason: what is known beyond that, for people.
    public mutating func failed(_ channel: Channel, because reason: String? = nil, now: Ticks) {
        guard let line = line(of: channel), let address = servers[lines[line].server]?.address else { return }
        let victims = waiting(on: line)
        // A server may end a stream that it has answered on; what it has not answered yet is asked on a fresh one (RFC 7766
        // section 6.2.4).
        let hasServed = lines[line].isStream && lines[line].messages > 0 && reason == nil
        if !hasServed, let began = victims.map(\.1.began).max() {
            servers[lines[line].server]?.health.failed(began: began, now: now)
        }
        retire(line)
        if victims.isEmpty { close(line) }
        let failure = Failure(.unreachable, reason ?? "no connection to \(address)")
        for (place, attempt) in victims {
            if hasServed {
                askAgain(place, attempt, attempt.way, failure.reason, now: now)
            } else {
                remove(attempt, from: place, now: now)
                giveUp(place, failure, now: now)
            }
        }
    }

    /// The tries that wait on a line. Looks at every question: lines fail rarely.
    private func waiting(on line: Int) -> [(Int, Attempt)] {
        askings.indices.flatMap { place in
            (askings[place]?.attempts ?? []).filter { $0.line == line }.map { (place, $0) }
        }
    }
}

// MARK: - Lines

extension ForwarderCore {
    func channel(of line: Int) -> Channel { Channel(slot: line, generation: lines[line].generation) }

    private func line(of channel: Channel) -> Int? {
        guard lines.indices.contains(channel.slot), lines[channel.slot].isOpen,
            lines[channel.slot].generation == channel.generation
        else { return nil }
        return channel.slot
    }

    /// A line to a server, one of many at random for datagrams.
    private mutating func line(to number: Int, overStream: Bool, bits: UInt64, now: Ticks) -> Int? {
        let place = Int(bits % UInt64(Server.places))
        if let line = overStream ? servers[number]?.stream : servers[number]?.datagrams[place] {
            if lines[line].takesQuestions { return line }
            retire(line)
            if lines[line].outstanding == 0 { close(line) }
        }
        guard let address = servers[number]?.address, let line = vacantLine() else { return nil }
        lines[line].begin(server: number, place: place, isStream: overStream, now: now)
        lines[line].usesMost = Line.usesMost.lowerBound + Int(bits >> 32) % Line.usesMost.count
        if overStream {
            servers[number]?.stream = line
        } else {
            servers[number]?.datagrams[place] = line
        }
        actions.append(.open(channel(of: line), overStream ? .stream : .datagram, address))
        return line
    }

    private mutating func vacantLine() -> Int? {
        if vacantLines.isEmpty, lines.count >= ForwarderCore.linesMost {
            // Clients may name ever new servers (`original`).
            guard let idle = lines.firstIndex(where: { $0.isOpen && $0.outstanding == 0 }) else { return nil }
            close(idle)
        }
        if let vacant = vacantLines.popLast() { return vacant }
        lines.append(Line())
        return lines.count - 1
    }

    /// New questions take another line.
    private mutating func retire(_ line: Int) {
        guard lines[line].isOpen, !lines[line].isRetired else { return }
        lines[line].isRetired = true
        let number = lines[line].server
        if servers[number]?.stream == line { servers[number]?.stream = nil }
        let place = lines[line].place
        if !lines[line].isStream, servers[number]?.datagrams[place] == line { servers[number]?.datagrams[place] = nil }
    }

    private mutating func close(_ line: Int) {
        guard lines[line].isOpen else { return }
        precondition(lines[line].outstanding == 0, "a socket is closed under its questions")
        retire(line)
        actions.append(.close(channel(of: line)))
        lines[line].end()
        vacantLines.append(line)
    }

    mutating func closeIdleLines(now: Ticks) {
        for line in lines.indices where lines[line].isOpen && lines[line].outstanding == 0 {
            if lines[line].lastUsed + Line.idleMost <= now { close(line) }
        }
    }

    /// Of a server that no question holds.
    mutating func closeLines(of number: Int) {
        for line in lines.indices where lines[line].isOpen && lines[line].server == number { close(line) }
    }
}
