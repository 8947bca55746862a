import Bytes
import Testing

@testable import DLP

@Suite struct MultipartTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var body: String
        var labels: [String]
        var texts: [String]
        var outcomes: [String] = []
        var testDescription: String { name }

        var container: ContainerCase {
            ContainerCase(name: name, body: Array(body.utf8), labels: labels, texts: texts, outcomes: outcomes)
        }
    }

    static let cases = [
        Case(
            name: "as curl sends it",
            body: "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B\r\n"
                + "content-disposition: form-data; name=\"file\"; filename=\"re\\\"port.docx\"\r\n"
                + "Content-Type: application/octet-stream\r\n\r\nx\r\n--\r\n-B\r\r\n\r\n--B--\r\n",
            labels: ["multipart:a", "multipart:file=re\"port.docx"], texts: ["value", "x\r\n--\r\n-B\r\r\n"]),
        Case(
            name: "line feeds alone, blanks behind the delimiter",
            body: "preamble\n--B \nContent-Disposition: form-data;\n name=a\n\nvalue\n--B\t\n\nb\n--B--",
            labels: ["multipart:a", "multipart"],
            texts: ["value", "b"]),
        Case(
            name: "nothing in it", body: "--B\r\n\r\n--B\r\nA: b\r\n--B\r\n\r\n\r\n--B--",
            labels: ["multipart", "multipart", "multipart"],
            texts: ["", "", ""]),
        Case(
            name: "parts behind the last", body: "--B\r\n\r\na\r\n--B--\r\nepilogue\r\n--B\r\n\r\nb\r\n--B--\r\n",
            labels: ["multipart", "multipart"], texts: ["a", "b"]),
        Case(
            name: "a longer boundary is another, and so is a shorter",
            body: "--B\r\n\r\na\r\n--A\r\n--Bx\r\n\r\nb\r\n--B--",
            labels: ["multipart", "multipart"], texts: ["a\r\n--A", "b"]),
        Case(
            name: "cut off", body: "--B\r\n\r\na\r\n--", labels: ["multipart"], texts: ["a\r\n--"],
            outcomes: ["truncated 1"]),
        Case(name: "no part", body: "a=b&c=d", labels: [], texts: [], outcomes: ["undecodable 0"]),
        Case(name: "empty", body: "", labels: [], texts: [], outcomes: ["undecodable 0"]),
        Case(
            name: "an extended name",
            body:
                "--B\r\nContent-Disposition: form-data; filename=\"x\"; filename*=UTF-8''%c3%a9%27.pdf; name=f\r\n\r\n\r\n--B--",
            labels: ["multipart:f=é'.pdf"], texts: [""]),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: Case) {
        c.container.check { MultipartReader($0, boundary: Array("B".utf8)) }
    }

    @Test(arguments: cases) func nothingBreaksIt(_ c: Case) {
        c.container.mutate(rounds: 60, seed: 4) { MultipartReader($0, boundary: Array("B".utf8)) }
    }

    @Test func whatAPartSaysOfItself() {
        let body =
            "--B\r\nContent-Type: Multipart/Mixed; charset=x; boundary=\"in ner\"\r\n\r\n--in ner--\r\n--B\r\n"
            + "Content-Transfer-Encoding: BASE64 \r\nContent-Type: image/png; name=p.png\r\n\r\n\r\n--B\r\n"
            + "Content-Transfer-Encoding: quoted-printable\r\n\r\n\r\n--B\r\ncontent-transfer-encoding: x-uue\r\n\r\n\r\n--B--"
        let taken = Taken(MultipartReader(ContainerBudget(Limits()), boundary: Array("B".utf8)), Array(body.utf8))
        #expect(
            taken.entries.map(\.entry) == [
                ContainerEntry(label: "multipart", boundary: Array("in ner".utf8)),
                ContainerEntry(label: "multipart:p.png", transfer: .base64),
                ContainerEntry(label: "multipart", transfer: .quotedPrintable),
                ContainerEntry(label: "multipart", transfer: .unknown),
            ])
    }
}
