import Bytes
import HTTP

/// Where a message's body ends, as it is read off the wire (RFC 9112 section 6): framing goes in, content comes out.
enum BodyReader {
    case none
    case length(UInt64)
    case chunked(Chunks)
    case untilClose

    /// The decoder's state, kept apart: it is large, and most messages have none of it.
    final class Chunks {
        var body: ChunkedBody

        init(limits: Limits) { body = ChunkedBody(limits: limits) }
    }

    init(_ framing: Framing, limits: Limits) {
        self =
            switch framing {
            case .none: .none
            case .length(let count): .length(count)
            case .chunked: .chunked(Chunks(limits: limits))
            case .untilClose: .untilClose
            }
    }

    /// What the front of `bytes` is; ranges index into it.
    mutating func step(_ bytes: UnsafeRawBufferPointer) -> ChunkedBody.Step {
        switch self {
        case .none:
            return .end(consumed: 0)
        case .length(let left):
            if left == 0 { return .end(consumed: 0) }
            let count = Int(clamping: min(left, UInt64(bytes.count)))
            if count == 0 { return .needMore(consumed: 0) }
            self = .length(left - UInt64(count))
            return .data(0..<count, consumed: count)
        case .chunked(let chunks):
            return chunks.body.step(bytes)
        case .untilClose:
            if bytes.isEmpty { return .needMore(consumed: 0) }
            return .data(0..<bytes.count, consumed: bytes.count)
        }
    }

    /// The values of the fields behind a chunked body that has ended.
    func forEachTrailer(_ visit: (UnsafeRawBufferPointer) -> Void) {
        guard case .chunked(let chunks) = self else { return }
        let trailers = chunks.body.trailers
        trailers.bytes.withUnsafeBytes { bytes in
            for field in trailers.fields { visit(UnsafeRawBufferPointer(rebasing: bytes[field.value])) }
        }
    }

    /// Writes the end of a chunked body, with the trailers it came with.
    func writeLastChunk(into buffer: inout Buffer) {
        if case .chunked(let chunks) = self { Writer.lastChunk(chunks.body.trailers, into: &buffer) }
    }

    /// The lines of the fields behind a chunked body that has ended; nothing where there are none.
    func writeTrailers(into buffer: inout Buffer) {
        guard case .chunked(let chunks) = self, !chunks.body.trailers.fields.isEmpty else { return }
        var end = Buffer()
        Writer.lastChunk(chunks.body.trailers, into: &end)
        end.consume("0\r\n".utf8.count)
        end.dropLast("\r\n".utf8.count)
        buffer.append(end.readable)
    }

    /// Whether the end of the connection is the end of the body.
    var endsWithConnection: Bool {
        if case .untilClose = self { true } else { false }
    }

    var isChunked: Bool {
        if case .chunked = self { true } else { false }
    }
}
