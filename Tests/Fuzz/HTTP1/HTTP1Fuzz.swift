import Bytes
import HTTP

/// Any bytes, cut in any way, must come to the same result, and what is written of them must read the same again.
///
/// The first byte picks the machine and the options, the second how the rest is cut.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    guard let data, size >= 2 else { return 0 }
    let input = UnsafeRawBufferPointer(start: data + 2, count: size - 2)
    var limits = Limits()
    if data[0] & 0x80 != 0 { (limits.headBytes, limits.headFields) = (200, 5) }
    let cut = Cut(seed: data[1], count: input.count)
    switch data[0] & 3 {
    case 0: fuzzRequest(input, cut, limits, options: data[0])
    case 1: fuzzResponse(input, cut, limits, options: data[0])
    case 2: fuzzChunks(input, cut, limits)
    default: fuzzProblem(input, limits)
    }
    return 0
}

/// Where the input ends in each feed: growing steps, the last one whole.
struct Cut {
    var ends: [Int] = []

    init(seed: UInt8, count: Int) {
        var state = UInt32(seed)
        var end = 0
        while end < count {
            state = state &* 1_664_525 &+ 1_013_904_223
            // Seed 0 is byte by byte.
            end += seed == 0 ? 1 : 1 + Int(state >> 16) % (1 + Int(seed))
            ends.append(min(end, count))
        }
        if ends.isEmpty { ends = [0] }
    }
}

/// Lends a copy that has not a byte more than it should, for the sanitizer to watch.
func exactly<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: bytes)
    return body(UnsafeRawBufferPointer(copy))
}

/// The whole of a property that does not hold.
func check(_ holds: Bool, _ property: StaticString) {
    precondition(holds, "\(property)")
}

/// Room for what the writer may add to a head that was at its limits: a Host line, Connection.
let roomy: Limits = {
    var limits = Limits()
    limits.headBytes *= 2
    limits.headFields += 2
    return limits
}()

/// What holds of every head that was taken, by the plainest reading of RFC 9112.
func checkGrammar(_ head: UnsafeRawBufferPointer, _ fields: ContiguousArray<Field>) {
    for (at, byte) in head.enumerated() {
        switch byte {
        case 0x0d: check(at + 1 < head.count && head[at + 1] == 0x0a, "CR is before LF")
        case 0x0a: check(at > 0 && head[at - 1] == 0x0d, "LF is behind CR")
        default: check(byte >= 0x20 && byte != 0x7f || byte == 0x09, "a head has no control")
        }
    }
    for field in fields {
        let name = head[field.name]
        check(!name.isEmpty && head[field.name.upperBound] == UInt8(ascii: ":"), "a colon follows the name")
        check(
            !name.contains { $0 <= 0x20 || $0 >= 0x7f || "()<>@,;:\\\"/[]?={}".utf8.contains($0) }, "a name is a token")
        let value = head[field.value]
        check(
            value.first != 0x20 && value.first != 0x09 && value.last != 0x20 && value.last != 0x09, "a value is trimmed"
        )
        check(!value.contains(0x0d), "a value ends with its line")
        let text = String(decoding: name, as: UTF8.self).lowercased()
        let known = FieldName.allCases.first { $0 != .other && $0.text.description == text }
        check(field.id == known ?? .other, "a name is known for what it is")
    }
}

/// A head and what feeding it came to.
struct Parsed<Head: ~Copyable>: ~Copyable {
    var step = HeadStep.needMore
    var head: Head
}

func parsed(_ input: UnsafeRawBufferPointer, _ ends: [Int], _ limits: Limits) -> Parsed<RequestHead> {
    var parsed = Parsed(head: RequestHead())
    for end in ends {
        parsed.step = exactly(UnsafeRawBufferPointer(rebasing: input[..<end])) {
            parsed.head.parse($0, limits: limits)
        }
        if parsed.step != .needMore { break }
    }
    return parsed
}

func written(
    _ head: borrowing RequestHead, _ input: UnsafeRawBufferPointer, _ options: Writer.RequestOptions
) -> [UInt8] {
    var buffer = Buffer()
    Writer.request(head, from: input, options: options, into: &buffer)
    return Array(buffer.readable)
}

func fuzzRequest(_ input: UnsafeRawBufferPointer, _ cut: Cut, _ limits: Limits, options byte: UInt8) {
    let whole = parsed(input, [input.count], limits)
    let cutUp = parsed(input, cut.ends, limits)
    check(whole.step == cutUp.step, "a request gives the same step in any cut")
    check(whole.head.fields == cutUp.head.fields, "a request gives the same fields in any cut")
    guard case .head(let length) = whole.step else { return }
    check(length <= input.count && length <= limits.headBytes, "a head lies within its bytes")
    checkGrammar(UnsafeRawBufferPointer(rebasing: input[..<length]), whole.head.fields)
    var options = Writer.RequestOptions()
    options.keepsExpect = byte & 4 == 0
    options.keepsUpgrade = byte & 8 == 0
    options.destination = Endpoint(.anyV4, 80)
    let first = written(whole.head, input, options)
    check(first == written(cutUp.head, input, options), "a request is written the same in any cut")
    first.withUnsafeBytes { bytes in
        let second = parsed(bytes, [bytes.count], roomy)
        check(second.step == .head(length: bytes.count), "what is written of a request is one request")
        check(second.head.method == whole.head.method, "the method stays")
        check(second.head.framing == whole.head.framing, "the framing stays")
        let upgrades = whole.head.upgrade != nil && options.keepsUpgrade
        check((second.head.upgrade != nil) == upgrades, "an upgrade stays one")
        check(written(second.head, bytes, options) == first, "a canonical request stays as it is")
        if !whole.head.host.isEmpty {
            check(bytes[second.head.host].elementsEqual(input[whole.head.host]), "the host judged is the host sent")
            check(second.head.port == whole.head.port, "the port judged is the port sent")
        }
        if !whole.head.path.isEmpty, input[whole.head.path.lowerBound] == UInt8(ascii: "/") {
            check(bytes[second.head.path].elementsEqual(input[whole.head.path]), "the path judged is the path sent")
        }
    }
}

func parsedResponse(
    _ input: UnsafeRawBufferPointer, _ ends: [Int], _ method: HTTP.Method, _ limits: Limits
) -> Parsed<ResponseHead> {
    var parsed = Parsed(head: ResponseHead())
    for end in ends {
        parsed.step = exactly(UnsafeRawBufferPointer(rebasing: input[..<end])) {
            parsed.head.parse($0, answering: method, limits: limits)
        }
        if parsed.step != .needMore { break }
    }
    return parsed
}

func written(
    _ head: borrowing ResponseHead, _ input: UnsafeRawBufferPointer, _ options: Writer.ResponseOptions
) -> (bytes: [UInt8], framing: Framing) {
    var buffer = Buffer()
    let framing = Writer.response(head, from: input, options: options, into: &buffer)
    return (Array(buffer.readable), framing)
}

func fuzzResponse(_ input: UnsafeRawBufferPointer, _ cut: Cut, _ limits: Limits, options byte: UInt8) {
    let method = [HTTP.Method.get, .head, .connect, .post][Int(byte >> 2 & 3)]
    let whole = parsedResponse(input, [input.count], method, limits)
    let cutUp = parsedResponse(input, cut.ends, method, limits)
    check(whole.step == cutUp.step, "a response gives the same step in any cut")
    check(whole.head.fields == cutUp.head.fields, "a response gives the same fields in any cut")
    guard case .head(let length) = whole.step else { return }
    check(length <= input.count && length <= limits.headBytes, "a head lies within its bytes")
    checkGrammar(UnsafeRawBufferPointer(rebasing: input[..<length]), whole.head.fields)
    var options = Writer.ResponseOptions()
    options.close = byte & 16 != 0
    options.minorVersion = byte & 32 == 0 ? 1 : 0
    options.dropsAltSvc = byte & 64 != 0
    let first = written(whole.head, input, options)
    first.bytes.withUnsafeBytes { bytes in
        let second = parsedResponse(bytes, [bytes.count], method, roomy)
        check(second.step == .head(length: bytes.count), "what is written of a response is one response")
        check(second.head.status == whole.head.status, "the status stays")
        check(second.head.framing == first.framing, "the framing stays")
        check(written(second.head, bytes, options) == first, "a canonical response stays as it is")
    }
}

/// What a chunked body came to.
struct Decoded: Equatable {
    var data: [UInt8] = []
    var consumed = 0
    var isEnded = false
    var rejection: Rejection?
}

func decoded(
    _ input: UnsafeRawBufferPointer, _ ends: [Int], _ limits: Limits
) -> (result: Decoded, trailers: Trailers) {
    var body = ChunkedBody(limits: limits)
    var result = Decoded()
    for end in ends {
        var isFed = false
        while !isFed, !result.isEnded, result.rejection == nil {
            exactly(UnsafeRawBufferPointer(rebasing: input[result.consumed..<end])) { piece in
                switch body.step(piece) {
                case .needMore(let consumed):
                    check(consumed == piece.count, "more is needed only when all is used up")
                    result.consumed += consumed
                    isFed = true
                case .data(let range, let consumed):
                    check(!range.isEmpty && range.upperBound == consumed, "data lies at the end of what is consumed")
                    result.data += piece[range]
                    result.consumed += consumed
                case .end(let consumed):
                    result.consumed += consumed
                    result.isEnded = true
                case .reject(let rejection): result.rejection = rejection
                }
            }
        }
    }
    return (result, body.trailers)
}

func fuzzChunks(_ input: UnsafeRawBufferPointer, _ cut: Cut, _ limits: Limits) {
    let whole = decoded(input, [input.count], limits)
    let parts = decoded(input, cut.ends, limits)
    check(whole.result.data == parts.result.data, "a body gives the same data in any cut")
    check(whole.result.isEnded == parts.result.isEnded, "a body ends the same in any cut")
    check(whole.result.rejection == parts.result.rejection, "a body is refused the same in any cut")
    guard whole.result.isEnded else { return }
    check(whole.result.consumed == parts.result.consumed, "a body ends at the same byte in any cut")
    whole.trailers.bytes.withUnsafeBytes { checkGrammar($0, whole.trailers.fields) }
    var buffer = Buffer()
    whole.result.data.withUnsafeBytes { Writer.chunk($0, into: &buffer) }
    Writer.lastChunk(whole.trailers, into: &buffer)
    let again = decoded(buffer.readable, [buffer.count], roomy)
    check(again.result.isEnded && again.result.consumed == buffer.count, "what is written of a body is one body")
    check(again.result.data == whole.result.data, "the data stays")
    check(again.trailers.fields.map(\.id) == whole.trailers.fields.map(\.id), "the trailers stay")
}

/// The answer to any head, whole or refused, is one response.
func fuzzProblem(_ input: UnsafeRawBufferPointer, _ limits: Limits) {
    let asked = parsed(input, [input.count], limits)
    let detail = String(decoding: input, as: UTF8.self)
    var buffer = Buffer()
    Writer.problem(
        status: 403, detail: detail, reason: "finding", event: "01JD", answering: asked.head, from: input, close: true,
        into: &buffer)
    let answer = parsedResponse(buffer.readable, [buffer.count], asked.head.method, Limits())
    guard case .head(let length) = answer.step else { return check(false, "a problem is a response") }
    let body = UInt64(buffer.count - length)
    let framed = answer.head.framing == .length(body)
    check(asked.head.method == .head ? body == 0 : framed, "a problem has the length it says")
}
