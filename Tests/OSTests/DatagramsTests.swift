import Bytes
import Glibc
import Testing

@testable import OS

/// A socket for as long as a test holds it; expectations do not take what cannot be copied.
private final class End {
    let socket: Socket

    init(_ socket: consuming Socket) { self.socket = socket }

    static func server(_ endpoint: Endpoint) throws -> End { End(try Socket.datagrams(endpoint, transparent: false)) }

    static func client(from address: IPAddress, to server: Endpoint) throws -> End {
        let socket = try Socket(.datagram, for: address)
        try socket.bind(Endpoint(address, 0))
        _ = try socket.connect(server)
        return End(socket)
    }

    func address() throws -> Endpoint { try #require(try socket.localEndpoint()) }

    func send(_ bytes: [UInt8]) -> Bool { Glibc.send(socket.number, bytes, bytes.count, 0) == bytes.count }

    func receive() -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(socket.number, &room, room.count, 0)
        return count < 0 ? nil : Array(room[..<count])
    }
}

private final class Batch {
    private var batch: DatagramBatch

    init(each: Int) { batch = DatagramBatch(each: each) }

    var count: Int { batch.count }
    var isFull: Bool { batch.isFull }
    subscript(index: Int) -> [UInt8] { Array(batch[index]) }
    func peer(_ index: Int) -> Endpoint { batch.peer(index) }
    func local(_ index: Int) -> Endpoint { batch.local(index) }
    func receive(from end: End, most: Int = DatagramBatch.most) throws -> Int {
        try batch.receive(from: end.socket, most: most)
    }
    func send(on end: End) -> Int { batch.send(on: end.socket).taken }
    func refusal(on end: End) -> Errno? { batch.send(on: end.socket).refusal }
    func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { batch.append($0) } }
    func removeAll() { batch.removeAll() }
    func append(_ bytes: [UInt8], to peer: Endpoint, from local: Endpoint) {
        bytes.withUnsafeBytes { batch.append($0, to: peer, from: local) }
    }
}

/// Many datagrams in a call, each from and to the address that it says.
@Suite struct DatagramsTests {
    static let v4 = IPAddress(v4: 0x7f00_0001)
    static let v6 = IPAddress(high: 0, low: 1)

    /// A socket as the server of names has it, and one of a client that is connected to it.
    private struct Pair {
        let server: End
        let address: Endpoint
        let client: End
        let clientAddress: Endpoint

        init(_ address: IPAddress, boundTo bound: IPAddress? = nil) throws {
            server = try End.server(Endpoint(bound ?? address, 0))
            self.address = Endpoint(address, try server.address().port)
            client = try End.client(from: address, to: self.address)
            clientAddress = try client.address()
        }
    }

    @Test(arguments: [v4, v6]) func bothWays(_ address: IPAddress) throws {
        let pair = try Pair(address)
        let batch = Batch(each: 64)
        #expect(try batch.receive(from: pair.server) == 0)
        // One that is empty is one all the same.
        let sent: [[UInt8]] = [[1], [], Array(1...63), Array(1...64)]
        for datagram in sent { #expect(pair.client.send(datagram)) }
        #expect(try batch.receive(from: pair.server) == 4)
        for index in 0..<4 {
            #expect(batch[index] == sent[index])
            #expect(batch.peer(index) == pair.clientAddress)
            #expect(batch.local(index).address == address && batch.local(index).port == 0)
        }
        #expect(try batch.receive(from: pair.server) == 0 && batch.count == 0)

        for datagram in sent { batch.append(datagram, to: pair.clientAddress, from: pair.address) }
        #expect(batch.count == 4 && batch.send(on: pair.server) == 4)
        #expect(batch.count == 0)
        for datagram in sent { #expect(pair.client.receive() == datagram) }
        #expect(pair.client.receive() == nil)
    }

    @Test(arguments: [v4, v6]) func moreThanABatch(_ address: IPAddress) throws {
        let pair = try Pair(address)
        let batch = Batch(each: 16)
        let most = DatagramBatch.most
        for number in 0..<2 * most + 3 { #expect(pair.client.send([UInt8(number)])) }
        #expect(try batch.receive(from: pair.server, most: 2) == 2)
        #expect((0..<2).map { batch[$0] } == [[0], [1]])
        var next: UInt8 = 2
        for count in [most, most, 1, 0] {
            #expect(try batch.receive(from: pair.server, most: 10 * most) == count)
            for index in 0..<count {
                #expect(batch[index] == [next])
                next += 1
            }
        }
        for number in 0..<most {
            #expect(!batch.isFull)
            batch.append([UInt8(number)], to: pair.clientAddress, from: pair.address)
        }
        #expect(batch.isFull && batch.send(on: pair.server) == most && !batch.isFull)
        for number in 0..<most { #expect(pair.client.receive() == [UInt8(number)]) }
    }

    /// What is longer than the room arrives cut, and does not reach into the next.
    @Test(arguments: [v4, v6]) func oversized(_ address: IPAddress) throws {
        let pair = try Pair(address)
        let batch = Batch(each: 8)
        #expect(pair.client.send(Array(1...20)))
        #expect(pair.client.send([UInt8](repeating: 7, count: 60_000)))
        #expect(pair.client.send([9]))
        #expect(try batch.receive(from: pair.server) == 3)
        #expect(batch[0] == Array(1...8))
        #expect(batch[1] == [UInt8](repeating: 7, count: 8))
        #expect(batch[2] == [9])
        // The next are read with the whole room again.
        #expect(pair.client.send(Array(1...8)))
        #expect(try batch.receive(from: pair.server) == 1 && batch[0] == Array(1...8))
    }

    /// A socket on all addresses tells which of them was asked, and answers from it: a connected client takes no other.
    /// Datagrams of several lengths to several clients, each whole and none lost, though those alike travel together.
    @Test(arguments: [v4, v6]) func alikeAndUnlike(_ address: IPAddress) throws {
        let server = try End.server(Endpoint(address, 0))
        let from = try Endpoint(address, server.address().port)
        let clients = try (0..<3).map { _ in try End.client(from: address, to: from) }
        let batch = Batch(each: 1500)
        var expected = [[[UInt8]]](repeating: [], count: 3)
        for index in 0..<DatagramBatch.most {
            let length = [40, 40, 40, 12, 0, 1400, 7][index % 7]
            let bytes = [UInt8](repeating: UInt8(index), count: length)
            batch.append(bytes, to: try clients[index % 3].address(), from: from)
            expected[index % 3].append(bytes)
        }
        #expect(batch.send(on: server) == DatagramBatch.most && batch.count == 0)
        for (client, expected) in zip(clients, expected) {
            var got: [[UInt8]] = []
            while let bytes = client.receive() { got.append(bytes) }
            #expect(Set(got) == Set(expected) && got.count == expected.count)
        }
    }

    @Test func byAConnectedSocket() throws {
        let pair = try Pair(Self.v4)
        let batch = Batch(each: 64)
        for index in 0..<5 { batch.append([UInt8](repeating: UInt8(index), count: index == 4 ? 8 : 16)) }
        #expect(batch.send(on: pair.client) == 5)
        #expect(try batch.receive(from: pair.server) == 5)
        #expect((0..<5).map { batch[$0].first } == [0, 1, 2, 3, 4] && batch[4].count == 8)
        #expect((0..<5).allSatisfy { batch.peer($0) == pair.clientAddress })
    }

    @Test func thatNobodyListensIsTold() throws {
        let socket = try End.client(from: Self.v4, to: Endpoint(Self.v4, 9))
        let batch = Batch(each: 64)
        batch.append([1])
        #expect(batch.refusal(on: socket) == nil)
        batch.append([2])
        #expect(batch.refusal(on: socket)?.code == ECONNREFUSED)
    }

    @Test func theAddressThatWasAsked() throws {
        for host: UInt32 in [1, 2, 0x0001_0203] {
            let address = IPAddress(v4: 0x7f00_0000 + host)
            let pair = try Pair(address, boundTo: .anyV4)
            let batch = Batch(each: 16)
            #expect(pair.client.send([1]))
            #expect(try batch.receive(from: pair.server) == 1)
            #expect(batch.local(0).address == address)
            batch.append([2], to: batch.peer(0), from: Endpoint(address, pair.address.port))
            // The one that was received stands before it.
            #expect(batch.send(on: pair.server) == 2)
            #expect(pair.client.receive() == [1] && pair.client.receive() == [2])
        }
        let pair = try Pair(Self.v6, boundTo: .anyV6)
        let batch = Batch(each: 16)
        #expect(pair.client.send([1]))
        #expect(try batch.receive(from: pair.server) == 1 && batch.local(0).address == Self.v6)
    }

    /// A socket for IPv6 leaves those of IPv4 to another.
    @Test func bothFamiliesOnOnePort() throws {
        let six = try End.server(Endpoint(.anyV6, 0))
        let port = try six.address().port
        let four = try End.server(Endpoint(.anyV4, port))
        let client = try End.client(from: Self.v4, to: Endpoint(Self.v4, port))
        #expect(client.send([4]))
        let batch = Batch(each: 16)
        #expect(try batch.receive(from: six) == 0)
        #expect(try batch.receive(from: four) == 1 && batch.peer(0).address.isV4)
    }

    /// One that the kernel does not take is lost, and the others go.
    @Test func whatCannotBeSentIsLostAlone() throws {
        let pair = try Pair(Self.v4)
        let batch = Batch(each: 16)
        batch.append([1], to: pair.clientAddress, from: pair.address)
        // To port 0, and from an address that is not this host's.
        batch.append([2], to: Endpoint(Self.v4, 0), from: pair.address)
        batch.append([3], to: pair.clientAddress, from: Endpoint(IPAddress(v4: 0xc000_0201), pair.address.port))
        batch.append([4], to: pair.clientAddress, from: pair.address)
        #expect(batch.send(on: pair.server) == 2)
        #expect(pair.client.receive() == [1] && pair.client.receive() == [4] && pair.client.receive() == nil)
        batch.append([5], to: pair.clientAddress, from: pair.address)
        batch.removeAll()
        #expect(batch.send(on: pair.server) == 0 && pair.client.receive() == nil)
    }

    /// Two loops each have a socket on one address.
    @Test func twoSocketsShareAnAddress() throws {
        let first = try End.server(Endpoint(Self.v4, 0))
        let address = try first.address()
        let second = try End.server(address)
        let batch = Batch(each: 16)
        var got = 0
        for _ in 0..<32 {
            let client = try End.client(from: Self.v4, to: address)
            #expect(client.send([1]))
            got += try batch.receive(from: first) + batch.receive(from: second)
        }
        #expect(got == 32)
    }
}
