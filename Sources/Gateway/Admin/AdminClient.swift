import Bytes
import Glibc
import OS

/// Asks a running gateway over its admin socket: what `weir status` and `weir reload` do.
public enum AdminClient {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Sends one request and answers the status and the body. Waits at most ten seconds for each part of the answer.
    public static func ask(_ method: StaticString, _ path: StaticString, socket: String) throws(Failure) -> (
        status: Int, body: String
    ) {
        do throws(Errno) {
            let connection = try Socket.connect(path: socket)
            var patience = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(connection.number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var request = Buffer()
            request.append(method)
            request.append(" ")
            request.append(path)
            request.append(" HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")
            _ = try connection.send(request.readable)
            var answer = Buffer()
            while case .moved(let count) = try connection.receive(into: answer.writable(64 * 1024)) {
                answer.wrote(count)
            }
            return split(String(decoding: answer.readable, as: UTF8.self))
        } catch {
            throw Failure(description: "\(socket): \(error); is the gateway running?")
        }
    }

    private static func split(_ answer: String) -> (status: Int, body: String) {
        let parts = answer.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        let status = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        // A CRLF is one Character, so the empty line is two of them.
        let body = answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) } ?? ""
        return (status, body)
    }
}
