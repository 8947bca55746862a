import Bytes

/// A message that must be refused, and how.
struct Refusal: CustomStringConvertible, Sendable {
    var description: String
    var text: [UInt8]
    var status: Int
    var threat: Threat

    init(_ description: String, _ text: String, _ threat: Threat = .requestSmuggling, status: Int = 400) {
        self.description = description
        self.text = Array(text.utf8)
        self.threat = threat
        self.status = status
    }

    init(_ description: String, bytes: [UInt8], _ threat: Threat = .requestSmuggling) {
        self.init(description, "", threat)
        text = bytes
    }
}

private func get(_ field: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\nX: y\r\n\r\n" }
private func post(_ fields: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n0\r\n\r\n" }
private func line(_ line: String) -> String { "\(line)\r\nHost: a\r\n\r\n" }
private func get(value: [UInt8]) -> [UInt8] {
    Array("GET / HTTP/1.1\r\nHost: a\r\nX: some text".utf8) + value + Array("more of it\r\n\r\n".utf8)
}

let requestRefusals: [Refusal] = [
    // Lines.
    Refusal("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    Refusal("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    Refusal("bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    Refusal("bare LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refusal("bare CR in a value", get("A: b\rc")),
    Refusal("bare CR before a name", get("\rA: b")),
    Refusal("bare CR in a name", get("A\rb: c")),
    Refusal("bare CR in the target", line("GET /a\rb HTTP/1.1")),
    Refusal("CR CR LF", get("A: b\r")),
    Refusal("CR CR LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"),
    Refusal("NUL in a value", bytes: get(value: [0])),
    Refusal("NUL in a name", get("A\0b: c")),
    Refusal("NUL in the target", line("GET /a\0b HTTP/1.1")),
    Refusal("a control byte in a value", bytes: get(value: [1]), .malformedHTTP),
    Refusal("ESC in a value", bytes: get(value: [0x1b]), .malformedHTTP),
    Refusal("DEL in a value", bytes: get(value: [0x7f]), .malformedHTTP),
    Refusal("a folded line", get("A: b\r\n c")),
    Refusal("a line folded with a tab", get("A: b\r\n\tc")),
    Refusal("a folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    Refusal("a space before the colon", get("A : b")),
    Refusal("a tab before the colon", get("A\t: b")),
    Refusal("a space before the colon of Content-Length", post("Content-Length : 5")),
    Refusal("an empty name", get(": b"), .malformedHTTP),
    Refusal("a name with a parenthesis", get("A(b): c"), .malformedHTTP),
    Refusal("a name beyond ASCII", get("Contënt-Length: 5"), .malformedHTTP),
    Refusal("a line without a colon", get("Ab"), .malformedHTTP),
    Refusal("a name with a control byte", get("A\u{1}: b"), .malformedHTTP),
    // The request line.
    Refusal("HTTP/0.9", "GET /\r\n\r\n", .malformedHTTP),
    Refusal("two spaces before the target", line("GET  / HTTP/1.1"), .malformedHTTP),
    Refusal("two spaces after the target", line("GET /  HTTP/1.1"), .malformedHTTP),
    Refusal("a tab in the request line", line("GET\t/ HTTP/1.1"), .malformedHTTP),
    Refusal("a space after the version", line("GET / HTTP/1.1 "), .malformedHTTP),
    Refusal("a space before the method", line(" GET / HTTP/1.1"), .malformedHTTP),
    Refusal("a method that is no token", line("G(T / HTTP/1.1"), .malformedHTTP),
    Refusal("a method alone", line("GET"), .malformedHTTP),
    Refusal("no target", line("GET HTTP/1.1"), .malformedHTTP),
    Refusal("a version in lower case", line("GET / http/1.1"), .malformedHTTP),
    Refusal("a version with two digits", line("GET / HTTP/1.10"), .malformedHTTP),
    Refusal("a version without a dot", line("GET / HTTP/11 "), .malformedHTTP),
    Refusal("a version of another protocol", line("GET / ICAP/1.0"), .malformedHTTP),
    Refusal("HTTP/2.0", line("GET / HTTP/2.0"), .malformedHTTP, status: 505),
    Refusal("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .malformedHTTP, status: 505),
    Refusal("HTTP/1.2", line("GET / HTTP/1.2"), .malformedHTTP, status: 505),
    Refusal("HTTP/0.9 spelled out", line("GET / HTTP/0.9"), .malformedHTTP, status: 505),
    Refusal("too many empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedHTTP),
    // The target.
    Refusal("a fragment", line("GET /a#b HTTP/1.1"), .malformedHTTP),
    Refusal("a quotation mark in the target", line("GET /a\"b HTTP/1.1"), .malformedHTTP),
    Refusal("an angle bracket in the target", line("GET /<b> HTTP/1.1"), .malformedHTTP),
    Refusal("a backslash in the target", line("GET /a\\..\\b HTTP/1.1"), .malformedHTTP),
    Refusal("a byte beyond ASCII in the target", line("GET /é HTTP/1.1"), .malformedHTTP),
    Refusal("DEL in the target", line("GET /\u{7f} HTTP/1.1"), .malformedHTTP),
    Refusal("a target without a slash", line("GET a HTTP/1.1"), .malformedHTTP),
    Refusal("another scheme", line("GET ftp://a/ HTTP/1.1"), .malformedHTTP),
    Refusal("a scheme without slashes", line("GET http:a HTTP/1.1"), .malformedHTTP),
    Refusal("user information", line("GET http://me:pw@a/ HTTP/1.1"), .malformedHTTP),
    Refusal("an absolute target without a host", line("GET http:///x HTTP/1.1"), .malformedHTTP),
    Refusal("an absolute target with a port alone", line("GET http://:80/ HTTP/1.1"), .malformedHTTP),
    Refusal("port 0", line("GET http://a:0/ HTTP/1.1"), .malformedHTTP),
    Refusal("port 65536", line("GET http://a:65536/ HTTP/1.1"), .malformedHTTP),
    Refusal("port of six digits", line("GET http://a:000080/ HTTP/1.1"), .malformedHTTP),
    Refusal("a port that is a word", line("GET http://a:http/ HTTP/1.1"), .malformedHTTP),
    Refusal("a port that is empty", line("GET http://a:/ HTTP/1.1"), .malformedHTTP),
    Refusal("a percent sign in the host", line("GET http://a%2eb/ HTTP/1.1"), .malformedHTTP),
    Refusal("an IPv6 zone", line("GET http://[fe80::1%25eth0]/ HTTP/1.1"), .malformedHTTP),
    Refusal("brackets around a name", line("GET http://[a]/ HTTP/1.1"), .malformedHTTP),
    Refusal("an open bracket", line("GET http://[::1/ HTTP/1.1"), .malformedHTTP),
    Refusal("junk behind a bracket", line("GET http://[::1]x/ HTTP/1.1"), .malformedHTTP),
    Refusal("an asterisk with GET", line("GET * HTTP/1.1"), .malformedHTTP),
    Refusal("CONNECT without a port", line("CONNECT a HTTP/1.1"), .malformedHTTP),
    Refusal("CONNECT with a path", line("CONNECT /a HTTP/1.1"), .malformedHTTP),
    Refusal("CONNECT with an absolute target", line("CONNECT http://a:80/ HTTP/1.1"), .malformedHTTP),
    // Host.
    Refusal("no Host in HTTP/1.1", "GET / HTTP/1.1\r\nX: y\r\n\r\n", .malformedHTTP),
    Refusal("no field at all", "GET / HTTP/1.1\r\n\r\n", .malformedHTTP),
    Refusal("no Host with an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", .malformedHTTP),
    Refusal("two Host fields", get("Host: b")),
    Refusal("two equal Host fields", get("HOST: a")),
    Refusal("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .malformedHTTP),
    Refusal("a list in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .malformedHTTP),
    Refusal("user information in Host", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", .malformedHTTP),
    Refusal("a path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformedHTTP),
    Refusal("port 0 in Host", "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", .malformedHTTP),
    Refusal("a bad Host beside a good target", "GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n", .malformedHTTP),
    Refusal(
        "a Host beyond 254 bytes", "GET / HTTP/1.1\r\nHost: \(String(repeating: "a", count: 255))\r\n\r\n",
        .malformedHTTP),
    // Framing.
    Refusal("Content-Length and Transfer-Encoding", post("Content-Length: 5\r\nTransfer-Encoding: chunked")),
    Refusal("Transfer-Encoding and Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 5")),
    Refusal("two Content-Lengths", post("Content-Length: 5\r\nContent-Length: 6")),
    Refusal("two equal Content-Lengths", post("Content-Length: 5\r\nContent-Length: 5")),
    Refusal("a list in Content-Length", post("Content-Length: 5, 5")),
    Refusal("a sign", post("Content-Length: +5")),
    Refusal("a minus", post("Content-Length: -5")),
    Refusal("hexadecimal", post("Content-Length: 0x5")),
    Refusal("an underscore", post("Content-Length: 5_0")),
    Refusal("a space inside", post("Content-Length: 5 0")),
    Refusal("a fraction", post("Content-Length: 5.0")),
    Refusal("nothing in Content-Length", post("Content-Length:")),
    Refusal("quotes", post("Content-Length: \"5\"")),
    Refusal("2^63", post("Content-Length: 9223372036854775808")),
    Refusal("2^64 + 5", post("Content-Length: 18446744073709551621")),
    Refusal("a vertical tab before the digits", post("Content-Length: \u{b}5"), .malformedHTTP),
    Refusal("digits beyond ASCII", post("Content-Length: ５")),
    Refusal("gzip, chunked", post("Transfer-Encoding: gzip, chunked"), status: 501),
    Refusal("gzip alone", post("Transfer-Encoding: gzip")),
    Refusal("identity", post("Transfer-Encoding: identity")),
    Refusal("chunked, identity", post("Transfer-Encoding: chunked, identity")),
    Refusal("identity, chunked", post("Transfer-Encoding: identity, chunked")),
    Refusal("chunked twice", post("Transfer-Encoding: chunked, chunked")),
    Refusal("two Transfer-Encodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    Refusal("chunked, then identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    Refusal("xchunked", post("Transfer-Encoding: xchunked")),
    Refusal("chunked with a parameter", post("Transfer-Encoding: chunked;q=1")),
    Refusal("chunked in quotes", post("Transfer-Encoding: \"chunked\"")),
    Refusal("a comma before chunked", post("Transfer-Encoding: ,chunked")),
    Refusal("a vertical tab before chunked", post("Transfer-Encoding: \u{b}chunked"), .malformedHTTP),
    Refusal("nothing in Transfer-Encoding", post("Transfer-Encoding:")),
    Refusal("Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Refusal("CONNECT with a length", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"),
    Refusal("CONNECT with chunks", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Refusal("TRACE with a length", "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"),
    // Connection and Expect.
    Refusal("Connection: Host", get("Connection: host")),
    Refusal("Connection: Content-Length", post("Connection: close, Content-Length\r\nContent-Length: 5")),
    Refusal("Connection: Transfer-Encoding", post("Transfer-Encoding: chunked\r\nConnection: transfer-encoding")),
    Refusal("Connection: Content-Encoding", get("Connection: keep-alive,Content-Encoding")),
    Refusal("Connection: Cookie", get("Connection: Cookie")),
    Refusal("too many options", get("Connection: " + String(repeating: "a,", count: 65)), .headerFlood, status: 431),
    Refusal("another expectation", get("Expect: 200-ok"), .malformedHTTP, status: 417),
    Refusal("a list of expectations", get("Expect: 100-continue, x"), .malformedHTTP, status: 417),
    Refusal("a coding that is no token", get("Content-Encoding: gz(ip"), .malformedHTTP),
    Refusal(
        "too many codings", get("Content-Encoding: " + String(repeating: "gzip,", count: 17)), .headerFlood, status: 431
    ),
]

let responseRefusals: [Refusal] = [
    Refusal("bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    Refusal("no version", "200 OK\r\n\r\n", .malformedHTTP),
    Refusal("an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedHTTP),
    Refusal("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", .malformedHTTP),
    Refusal("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", .malformedHTTP),
    Refusal("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", .malformedHTTP),
    Refusal("a status below 100", "HTTP/1.1 099 OK\r\n\r\n", .malformedHTTP),
    Refusal("a status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", .malformedHTTP),
    Refusal("two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", .malformedHTTP),
    Refusal("bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"),
    Refusal("a control byte in the reason", "HTTP/1.1 200 O\u{1}K\r\n\r\n", .malformedHTTP),
    Refusal(
        "Content-Length and Transfer-Encoding",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Refusal("two Content-Lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    Refusal("a list in Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"),
    Refusal("gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    Refusal("gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
    Refusal("Transfer-Encoding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Refusal("a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
    Refusal("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n"),
    Refusal("NUL in a value", "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"),
    Refusal("Connection: Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Content-Length\r\n\r\n"),
]

let chunkRefusals: [Refusal] = [
    Refusal("no size", "\r\nabc\r\n0\r\n\r\n"),
    Refusal("a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    Refusal("0x", "0x3\r\nabc\r\n0\r\n\r\n"),
    Refusal("an underscore", "1_0\r\nabc\r\n0\r\n\r\n"),
    Refusal("a space before the size", " 3\r\nabc\r\n0\r\n\r\n"),
    Refusal("a space after the size", "3 \r\nabc\r\n0\r\n\r\n"),
    Refusal("a tab after the size", "3\t\r\nabc\r\n0\r\n\r\n"),
    Refusal("a letter beyond F", "3g\r\nabc\r\n0\r\n\r\n"),
    Refusal("17 digits", "00000000000000003\r\nabc\r\n0\r\n\r\n"),
    Refusal("2^63", "8000000000000000\r\nabc"),
    Refusal("2^64 - 1", "ffffffffffffffff\r\nabc"),
    Refusal("bare LF after the size", "3\nabc\r\n0\r\n\r\n"),
    Refusal("bare CR after the size", "3\rabc\r\n0\r\n\r\n"),
    Refusal("data longer than the size", "3\r\nabcd\r\n0\r\n\r\n"),
    Refusal("bare LF after the data", "3\r\nabc\n0\r\n\r\n"),
    Refusal("CR alone after the data", "3\r\nabc\r0\r\n\r\n"),
    Refusal("bare LF after the last chunk", "0\n\r\n"),
    Refusal("bare LF as the empty line", "0\r\n\n"),
    Refusal("CR CR", "0\r\n\r\r\n"),
    Refusal("bare LF in an extension", "3;a\nabc\r\n0\r\n\r\n"),
    Refusal("bare CR in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
    Refusal("LF in quotes", "3;a=\"b\nc\"\r\nabc\r\n0\r\n\r\n"),
    Refusal("CR LF in quotes", "3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n"),
    Refusal("LF escaped in quotes", "3;a=\"\\\n\"\r\nabc\r\n0\r\n\r\n"),
    Refusal("an extension without a name", "3;\r\nabc\r\n0\r\n\r\n"),
    Refusal("an extension without a value", "3;a=\r\nabc\r\n0\r\n\r\n"),
    Refusal("two values", "3;a=b=c\r\nabc\r\n0\r\n\r\n"),
    Refusal("a space in an extension", "3; a\r\nabc\r\n0\r\n\r\n"),
    Refusal("junk behind quotes", "3;a=\"b\"c\r\nabc\r\n0\r\n\r\n"),
    Refusal("a long extension", "3;" + String(repeating: "a", count: 17_000), .headerFlood, status: 431),
    Refusal(
        "extensions that add up", String(repeating: "1;\(String(repeating: "a", count: 400))\r\nx\r\n", count: 50),
        .headerFlood, status: 431),
    Refusal("Content-Length in the trailers", "0\r\nContent-Length: 5\r\n\r\n"),
    Refusal("Transfer-Encoding in the trailers", "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Refusal("Host in the trailers", "0\r\nHost: a\r\n\r\n"),
    Refusal("Authorization in the trailers", "0\r\nX: y\r\nauthorization: a\r\n\r\n"),
    Refusal("Content-Type in the trailers", "0\r\nContent-Type: a/b\r\n\r\n"),
    Refusal("Set-Cookie in the trailers", "0\r\nSet-Cookie: a=b\r\n\r\n"),
    Refusal("Connection in the trailers", "0\r\nConnection: x\r\n\r\n"),
    Refusal("a space before the colon of a trailer", "0\r\nX : y\r\n\r\n"),
    Refusal("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
    Refusal("a bare LF in the trailers", "0\r\nX: y\n\r\n"),
    Refusal("NUL in a trailer", "0\r\nX: \0\r\n\r\n"),
    Refusal("a trailer without a colon", "0\r\nGET / HTTP/1.1\r\n\r\n"),
    Refusal("a second request as trailers", "0\r\nGET\r\n\r\n", .malformedHTTP),
]
