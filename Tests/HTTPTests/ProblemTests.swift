import Bytes
import Testing

@testable import HTTP

/// The answers of our own.
@Suite struct ProblemTests {
    private func problem(
        _ request: String, reason: StaticString? = nil, detail: String = "No.", event: String = "01JD",
        close: Bool = true
    ) -> String {
        var head = RequestHead()
        var buffer = Buffer()
        exactly(request.utf8) { bytes in
            _ = head.parse(bytes, limits: Limits())
            Writer.problem(
                status: 403, detail: detail, reason: reason, event: event, answering: head, from: bytes, close: close,
                into: &buffer)
        }
        return string(buffer.readable)
    }

    private func get(accept: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\nAccept: \(accept)\r\n\r\n" }

    @Test func json() {
        let body = #"{"type":"about:blank","title":"Forbidden","status":403,"detail":"No.","event":"01JD"}"# + "\n"
        #expect(
            problem("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == """
                HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nContent-Length: \(body.utf8.count)\r
                Cache-Control: no-store\r\nConnection: close\r\n\r\n\(body)
                """)
    }

    @Test func reason() {
        #expect(problem("GET / HTTP/1.1\r\nHost: a\r\n\r\n", reason: "finding").contains(#","reason":"finding","#))
    }

    @Test(arguments: [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
        ("text/html", true), ("TEXT/HTML;level=1", true), ("text/*", true), ("text/html, */*", true),
        ("*/*", false), ("application/json", false), ("application/problem+json, text/html;q=0.9", false),
        ("text/html;q=0.5, application/*", false), ("text/html;q=0.5, application/*;q=0.4", true),
        ("text/html, application/json", false), ("text/html;q=0", false), ("image/png", false),
        ("text/html ; q=0.700, */* ; q=0.8", false), ("", false), (";;q=,,text/html", true),
    ])
    func accept(_ value: String, _ isPage: Bool) {
        let answer = problem(get(accept: value))
        #expect(answer.contains("Content-Type: text/html") == isPage)
        #expect(answer.contains("Content-Type: application/problem+json") == !isPage)
    }

    @Test func escaped() {
        let wild = "<b>&\"'\\\u{1}\n"
        let page = problem(get(accept: "text/html"), detail: wild, event: wild)
        let html = "&lt;b&gt;&amp;&quot;&#39;\\"
        #expect(page.contains("<h1>403 Forbidden"))
        #expect(page.contains("<p>\(html)"))
        #expect(page.contains("<code>\(html)"))
        let json = problem(get(accept: "*/*"), detail: wild, event: wild)
        #expect(json.contains(#""detail":"<b>&\"'\\\u0001\u000a","#))
    }

    @Test func lengthAndHead() {
        for accept in ["text/html", "*/*"] {
            let answer = problem(get(accept: accept), close: false)
            #expect(!answer.contains("Connection"))
            let parsed = response(answer)
            #expect(parsed.head.framing == .length(UInt64(answer.utf8.count - parsed.head.length)))
            let bare = problem(get(accept: accept).replacing("GET", with: "HEAD"), close: false)
            #expect(answer.hasPrefix(bare))
            #expect(bare.hasSuffix("\r\n\r\n"))
        }
        #expect(problem("GET / HTTP/1.0\r\n\r\n", close: false).contains("Connection: keep-alive"))
    }

    /// The answer to a head that was refused uses what was read of it.
    @Test func refused() {
        let answer = problem("GET / HTTP/1.1\r\nAccept: text/html\r\nHost : a\r\n\r\n")
        #expect(answer.contains("Content-Type: text/html"))
        #expect(problem("\0").contains("application/problem+json"))
    }
}
