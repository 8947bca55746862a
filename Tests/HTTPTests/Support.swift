import Bytes

@testable import HTTP

/// A head and what feeding it came to.
struct Parsed<Head: ~Copyable>: ~Copyable {
    var step = HeadStep.needMore
    var head: Head
}

/// Feeds `text` to a request head, whole or growing by the cuts, each time from memory of exactly that size.
func request(_ text: [UInt8], cuts: [Int] = [], limits: Limits = Limits()) -> Parsed<RequestHead> {
    var parsed = Parsed(head: RequestHead())
    for end in cuts + [text.count] {
        parsed.step = exactly(text.prefix(end)) { parsed.head.parse($0, limits: limits) }
    }
    return parsed
}

func request(_ text: String, limits: Limits = Limits()) -> Parsed<RequestHead> {
    request(Array(text.utf8), limits: limits)
}

func response(
    _ text: [UInt8], answering method: HTTP.Method = .get, cuts: [Int] = [], limits: Limits = Limits()
) -> Parsed<ResponseHead> {
    var parsed = Parsed(head: ResponseHead())
    for end in cuts + [text.count] {
        parsed.step = exactly(text.prefix(end)) { parsed.head.parse($0, answering: method, limits: limits) }
    }
    return parsed
}

func response(_ text: String, answering method: HTTP.Method = .get) -> Parsed<ResponseHead> {
    response(Array(text.utf8), answering: method)
}

/// Lends a copy that has not a byte more than it should, for the sanitizer to watch.
func exactly<Result>(_ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    return body(UnsafeRawBufferPointer(copy))
}

/// What a chunked body came to.
struct Decoded: Equatable {
    var data: [UInt8] = []
    var consumed = 0
    var isEnded = false
    var rejection: Rejection?
    var trailers: [String] = []
}

/// Feeds `text` in the pieces the cuts make; what is not consumed is fed again.
func decode(_ text: [UInt8], cuts: [Int] = [], limits: Limits = Limits()) -> Decoded {
    var body = ChunkedBody(limits: limits)
    var decoded = Decoded()
    for end in cuts + [text.count] {
        feeding: while decoded.rejection == nil, !decoded.isEnded {
            let piece = text[decoded.consumed..<end]
            switch exactly(piece, { body.step($0) }) {
            case .needMore(let consumed):
                decoded.consumed += consumed
                break feeding
            case .data(let range, let consumed):
                decoded.data += piece.dropFirst(range.lowerBound).prefix(range.count)
                decoded.consumed += consumed
            case .end(let consumed):
                decoded.consumed += consumed
                decoded.isEnded = true
            case .reject(let rejection):
                decoded.rejection = rejection
            }
        }
    }
    for field in body.trailers.fields {
        decoded.trailers.append(
            string(body.trailers.bytes[field.name]) + ": " + string(body.trailers.bytes[field.value]))
    }
    return decoded
}

func string(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

extension String {
    /// The bytes of the range; for ranges a head gave of this text.
    subscript(_ range: Range<Int>) -> String { string(Array(utf8)[range]) }
}

/// What the writer makes of a request, or nil where the parser refuses it.
func forwarded(_ text: String, options: Writer.RequestOptions = Writer.RequestOptions()) -> String? {
    let parsed = request(text)
    guard case .head = parsed.step else { return nil }
    var buffer = Buffer()
    exactly(text.utf8) { Writer.request(parsed.head, from: $0, options: options, into: &buffer) }
    return string(buffer.readable)
}

func forwardedResponse(
    _ text: String, answering method: HTTP.Method = .get, options: Writer.ResponseOptions = Writer.ResponseOptions()
) -> (text: String, framing: Framing)? {
    let parsed = response(text, answering: method)
    guard case .head = parsed.step else { return nil }
    var buffer = Buffer()
    let framing = exactly(text.utf8) { Writer.response(parsed.head, from: $0, options: options, into: &buffer) }
    return (string(buffer.readable), framing)
}

extension HeadStep {
    var rejection: Rejection? {
        if case .reject(let rejection) = self { rejection } else { nil }
    }
}
